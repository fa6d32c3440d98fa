"""What can go wrong around the service: one name and one deed for each fault."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from forwarder.model.source import Source
from forwarder.sandbox import Fault
from forwarder.sandbox.faults import CANNED, CREATE_KINDS, KINDS, REFUSALS, SEND_KINDS
from forwarder.sandbox.lateness import QUERIES
from forwarder.sandbox.phoenixd.faults import Kind, NodeFault, Operation
from tests.faults import strangers
from tests.faults.disk import Disk
from tests.faults.network import CREATE, PAY
from tests.faults.world import World

Deed = Callable[[World], None]

_ANSWERS: Final = KINDS["http"] - CANNED - REFUSALS - SEND_KINDS - CREATE_KINDS
_READS: Final = CANNED | _ANSWERS
# Seconds that decide something: longer than a deadline of ours, or shorter than all.
_SECONDS: Final = {"late_answer": 23.0, "slow": 4.0, "pending_then_success": 6.0}
_SECONDS_DEFAULT: Final = 1.5
_NODE_LOSSES: Final[tuple[Kind, ...]] = (
    "refuse",
    "lost_answer",
    "executed_then_500",
    "garbage",
    "late_answer",
)
_NODE_ENDS: Final[tuple[Kind, ...]] = ("failed", "pending_then_success", "pending_then_failure")
_NODE_KINDS: Final[Mapping[Operation, tuple[Kind, ...]]] = {
    "createinvoice": ("http_503", *_NODE_LOSSES),
    "payinvoice": ("http_500", *_NODE_LOSSES, *_NODE_ENDS),
    "incoming": ("http_404", "garbage"),
    "incoming_list": ("http_500", "late_answer"),
    "outgoing": ("http_404", "lost_answer", "garbage"),
    "outgoing_list": ("http_503", "garbage"),
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault; `is_armed` ones strike only when something comes their way."""

    name: str
    strike: Deed
    is_armed: bool = False


def _armed(who: str, operation: str, kind: str) -> Trouble:
    return Trouble(f"{who}:{kind}", partial(_arm, who, operation, kind), is_armed=True)


def _arm(who: str, operation: str, kind: Any, world: World) -> None:  # noqa: ANN401
    accounts = {"sale": world.pos.id, "payout": world.shops[0].account.id}
    world.sandbox.faults.add(
        Fault(
            operation=operation,
            kind=kind,
            times=world.random.choice((1, 1, 2, 3)),
            after=world.random.choice((0, 0, 0, 1)),
            seconds=_SECONDS.get(kind, _SECONDS_DEFAULT),
            account=accounts.get(who),
            code="INVALID_INPUT" if kind == "failure_no_effect" else None,
            message="There is a pending payment" if kind == "failure_no_effect" else None,
        )
    )


def _blink() -> list[Trouble]:
    creating = sorted(CANNED | REFUSALS | _ANSWERS)
    return [
        *(_armed("sale", CREATE, kind) for kind in [*creating, "paid_before_answer"]),
        *(_armed("payout", CREATE, kind) for kind in creating),
        *(_armed("send", PAY, kind) for kind in sorted(CANNED | REFUSALS | _ANSWERS | SEND_KINDS)),
        *(_armed("read", "me", kind) for kind in sorted(_READS)),
        *(_armed("event", "event", kind) for kind in sorted(KINDS["event"])),
        *(
            _armed("websocket", "websocket", kind)
            for kind in sorted(KINDS["handshake"] | KINDS["socket"])
        ),
    ]


def _at_the_node() -> list[Trouble]:
    return [
        Trouble(f"node:{operation}:{kind}", partial(_arm_node, operation, kind), is_armed=True)
        for operation, kinds in _NODE_KINDS.items()
        for kind in kinds
    ]


def _arm_node(operation: Operation, kind: Kind, world: World) -> None:
    times = world.random.choice((1, 1, 2, 3))
    seconds = _SECONDS.get(kind, _SECONDS_DEFAULT)
    world.node.faults.add(NodeFault(operation, kind, times, seconds))


def _for_a_while(world: World, seconds: float, begin: Callable[[], None], end: Deed) -> None:
    """Begin something now, and end it later unless it is over already."""
    begin()
    world.network.spawn(_later(world, seconds, end))


async def _later(world: World, seconds: float, end: Deed) -> None:
    await asyncio.sleep(seconds)
    end(world)


def _unplug(source: Source, world: World) -> None:
    def begin() -> None:
        world.network.down.add(source)
        if source is Source.BLINK:
            world.network.cut()

    def end(world: World) -> None:
        world.network.down.discard(source)

    _for_a_while(world, world.random.uniform(0.5, 12), begin, end)


def _disk(message: str, world: World) -> None:
    def begin() -> None:
        Disk.trouble = message

    def end(_: World) -> None:
        Disk.trouble = None

    _for_a_while(world, world.random.uniform(0.05, 4), begin, end)


def _clock(hours: int, world: World) -> None:
    world.off = timedelta(hours=hours)


def _put_right(world: World) -> None:
    """The clock runs an hour ahead until somebody notices."""

    def begin() -> None:
        world.off = timedelta(hours=1)

    def end(world: World) -> None:
        world.off = timedelta()

    _for_a_while(world, world.random.uniform(5, 300), begin, end)


def _refuse_money(world: World) -> None:
    world.sandbox.disable_receive(world.shops[0].account)


def _spend_no_more(world: World) -> None:
    world.sandbox.limit_account(world.pos, 1)


def _revoke(key: Callable[[World], str], world: World) -> None:
    revoked = key(world)

    def begin() -> None:
        world.sandbox.revoke_key(revoked)

    def end(world: World) -> None:
        world.sandbox.revoke_key(revoked, revoked=False)

    _for_a_while(world, world.random.uniform(0.5, 20), begin, end)


def _refund(world: World) -> None:
    world.network.spawn(world.soon(world.refund))


# After these the money has moved, and only the ledger knows it.
_UNNOTICED: Final = (
    "failure_after_commit",
    "lost_answer",
    "executed_then_500",
    "success_without_transaction",
    "pending_then_success",
)
_LATEST_SECONDS: Final = 180.0


def _late(kind: str, world: World) -> None:
    """The ledger shows sends late: to every query alike, or to each after a time of its own."""
    seconds = world.random.choice((0.3, 1.0, world.random.uniform(1, _LATEST_SECONDS)))
    for query in QUERIES:
        share = world.random.choice((0.0, 1.0, 1.0, 1.0))
        world.sandbox.delay_sends(query, seconds * share)
    _arm("send", PAY, kind, world)


def _slowness(world: World) -> None:
    world.sandbox.set_latency("*", world.random.uniform(0.3, 3))
    world.sandbox.set_latency(PAY, world.random.uniform(0.3, 9))


_LATE: Final = [
    Trouble(f"ledger:late:{kind}", partial(_late, kind), is_armed=True) for kind in _UNNOTICED
]

_HERE: Final = [
    Trouble("network:down", partial(_unplug, Source.BLINK)),
    Trouble("network:cut", lambda world: world.network.cut()),
    Trouble("network:half_open", lambda world: world.network.freeze()),
    Trouble("network:slow", _slowness),
    Trouble("node:down", partial(_unplug, Source.PHOENIXD)),
    Trouble("disk:locked", partial(_disk, "database is locked")),
    Trouble("disk:full", partial(_disk, "database or disk is full")),
    Trouble("clock:ahead", partial(_clock, 1)),
    Trouble("clock:behind", partial(_clock, -1)),
    Trouble("clock:put_right", _put_right),
    Trouble("shop:receive_disabled", _refuse_money),
    Trouble("pos:limit_exceeded", _spend_no_more),
    Trouble("pos:key_revoked", partial(_revoke, lambda world: world.pos_key)),
    Trouble("shop:key_revoked", partial(_revoke, lambda world: world.shops[0].key)),
    Trouble("pos:blocked", lambda world: world.block(world.pos)),
    Trouble("shop:blocked", lambda world: world.block(world.shops[0].account)),
    Trouble("send:refunded", _refund),
    *(Trouble(f"stranger:{way}", partial(strangers.come, way)) for way in strangers.WAYS),
]

TROUBLES: Final = {
    trouble.name: trouble for trouble in [*_blink(), *_at_the_node(), *_LATE, *_HERE]
}
