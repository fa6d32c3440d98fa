"""The matrix: each crash point with each fault, in a short day of sales."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import ServerDisconnectedError

from forwarder import failpoints
from forwarder.model.source import Source
from tests.faults import judge
from tests.faults.disk import Files
from tests.faults.troubles import TROUBLES, Trouble
from tests.faults.world import Sale, World, opened

NODE_POINTS: Final = ("network.node_sale_made", "network.node_paid", "network.node_asked")
# Somebody has acted on a call of this kind, and nobody has read the answer.
NETWORK_POINTS: Final = (
    "network.sale_made",
    "network.payout_made",
    "network.paid",
    "network.asked",
    "network.cancelled",
    *NODE_POINTS,
)
POINTS: Final = (*failpoints.POINTS, *NETWORK_POINTS)
STORY_SECONDS: Final = 45.0  # the faults go on for so long after the last sale
MOST_SECONDS: Final = 1_200.0  # and a day takes no longer than this before they stop
BUDGET_SECONDS: Final = 61.0  # after so long no handshake counts any more

Day = Callable[[World], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Case:
    """One run of the matrix."""

    point: str
    trouble: str
    seed: int

    @property
    def has_node(self) -> bool:
        """Whether the service has a node too: where nothing is meant for it, in one run of four.

        It costs time.
        """
        is_meant = self.point in NODE_POINTS or self.trouble.startswith("node:")
        return is_meant or self.seed % 4 == 0

    def __str__(self) -> str:
        return f"{self.point} x {self.trouble} #{self.seed}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether the two have met, and what was broken, if anything."""

    case: Case
    reached: bool = False
    struck: bool = False
    broken: str = ""
    story: str = ""
    seconds: float = 0.0
    trace: str = ""
    """A fingerprint of all that was kept and called: of the same seed it is always the same."""

    @property
    def met(self) -> bool:
        return self.reached and self.struck


def _pairs() -> list[tuple[str, str]]:
    pairs = [(point, trouble) for point in POINTS for trouble in TROUBLES]
    random.Random(0).shuffle(pairs)  # noqa: S311  so that any number of runs is a fair sample
    return pairs


PAIRS: Final = _pairs()


def case(number: int) -> Case:
    """The run of that number: all pairs come before a second seed of one does."""
    return Case(*PAIRS[number % len(PAIRS)], seed=number)


async def play(case: Case, files: Files) -> Outcome:
    """One run, up to the verdict."""
    async with opened(files, case.seed, has_node=case.has_node) as world:
        cut = _Cut(case, world)
        broken = story = ""
        try:
            await _play(case, world, cut)
        except Exception as exc:
            broken = f"{cut.how}: {type(exc).__name__}: {exc}"
            story = judge.story(world)
        struck = cut.struck or world.faults_have_fired
        seconds = asyncio.get_running_loop().time()
        return Outcome(case, cut.reached, struck, broken, story, seconds, judge.fingerprint(world))


async def _play(case: Case, world: World, cut: _Cut) -> None:
    cut.prepare()
    async with asyncio.timeout(MOST_SECONDS):
        await DAYS.get(case.point, _plain)(world)
    await until(lambda: cut.has_struck and not judge.unfinished(world), STORY_SECONDS)
    await world.calm()
    await check_house(world)
    await judge.settle(world)
    await judge.judge(world)


class _Cut:
    """Strikes with the trouble, and cuts the service where the case says."""

    def __init__(self, case: Case, world: World) -> None:
        self._case = case
        self._world = world
        self._trouble: Trouble = TROUBLES[case.trouble]
        self._passes = world.random.choice((1, 1, 1, 2))
        self.how = world.random.choice(("crash",) * 7 + ("fail", "cancel", "stop"))
        self.reached = False
        self.struck = False
        self.has_struck = self._trouble.is_armed

    def prepare(self) -> None:
        """Arm the point, and the trouble: at once, or at some moment of the day."""
        if self._case.point in NETWORK_POINTS:
            self._world.network.hooks[self._case.point] = self._pass
        else:
            failpoints.arm(self._case.point, self._pass)
        if self._trouble.is_armed:
            self._trouble.strike(self._world)
        else:
            self._world.network.spawn(self._strike_later())

    async def _strike_later(self) -> None:
        await asyncio.sleep(self._world.random.uniform(0, 5))
        self._trouble.strike(self._world)
        self.struck = self.has_struck = True

    async def _pass(self) -> None:
        self._passes -= 1
        life = self._world.life
        if self._passes != 0 or life is None or life.is_dead:
            return
        self.reached = True
        match self.how:
            case "fail":
                raise RuntimeError("nobody has thought of this")
            case "cancel":
                raise asyncio.CancelledError
            case "stop":
                life.stop()
            case _:
                await life.crash()


async def until(holds: Callable[[], bool], seconds: float) -> bool:
    """Wait until it holds, no longer than so many seconds; says whether it does."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not holds():
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(0.5)
    return True


# Days: each leads past the points that it is meant for.


async def _sell_and_pay(world: World, sats: int, source: Source = Source.BLINK) -> Sale:
    sale = await world.sell(world.shops[0], sats, source=source)
    await asyncio.sleep(world.random.choice((0.0, 0.02, 0.3, 2.0)))
    await world.pay(sale)
    return sale


async def _plain(world: World) -> None:
    first = _sell_and_pay(world, 1_000, source=world.other_source)
    await asyncio.gather(first, _sell_and_pay(world, 2_000))


async def _hinted(world: World) -> None:
    world.has_webhook = True
    await _plain(world)


async def _cancelled(world: World) -> None:
    sale = await world.sell(world.shops[0], 1_000, memo="tea")
    await _sell_and_pay(world, 2_000)
    await world.cancel(sale)
    await world.pay_anyway(sale)


async def _expired(world: World) -> None:
    sale = await world.sell(world.shops[0], 1_000, 20, "tea", world.other_source)
    await _sell_and_pay(world, 2_000)
    await asyncio.sleep(20)
    await world.pay_anyway(sale)


async def _held(world: World) -> None:
    world.sandbox.disable_receive(world.shops[0].account)
    await _plain(world)
    await asyncio.sleep(3)
    world.sandbox.disable_receive(world.shops[0].account, disabled=False)
    await world.replay()


async def _missed(world: World) -> None:
    sale = await world.sell(world.shops[0], 1_000, source=world.other_source)
    await world.rest()
    await world.pay(sale)
    await world.begin()
    await _sell_and_pay(world, 2_000)


async def _reconciled(world: World) -> None:
    await _plain(world)
    await world.reconcile()


async def _lost(world: World) -> None:
    await _plain(world)
    await until(lambda: not judge.unfinished(world), 10)
    sale = await world.sell(world.shops[0], 3_000, source=world.random.choice(world.sources))
    await world.rest()
    await world.pay(sale)
    await asyncio.sleep(400)  # what is younger is not taken for lost yet
    await world.lose_database()
    await world.recover()


async def _behind(world: World) -> None:
    async def back_up() -> None:
        failpoints.disarm("payout.due")
        world.files.back_up()

    failpoints.arm("payout.due", back_up)
    await _sell_and_pay(world, 1_000, source=world.random.choice(world.sources))
    if await until(lambda: world.files.has_backup and not judge.unfinished(world), 10):
        await world.restore()
    await _sell_and_pay(world, 2_000)


async def _restarted(world: World) -> None:
    await _sell_and_pay(world, 1_000)
    await world.rest()
    await world.begin()
    await _sell_and_pay(world, 2_000)


async def _doubtful(world: World) -> None:
    async def lose() -> None:
        del world.network.hooks["network.paid"]
        raise ServerDisconnectedError

    world.network.hooks["network.paid"] = lose
    await _plain(world)


DAYS: Final[dict[str, Day]] = {
    "service.prepared": _restarted,
    "sending.proving": _doubtful,
    "sending.proven": _doubtful,
    "sales.cancelled": _cancelled,
    "network.cancelled": _cancelled,
    "expiry.looked": _expired,
    "hints.verified": _hinted,
    "hints.kept": _hinted,
    "desk.chosen": _held,
    "interventions.replayed": _held,
    "reconciler.read": _reconciled,
    "reconciler.audited": _reconciled,
    "reconciler.moved": _reconciled,
    "audit.taken": _missed,
    "rebuilding.kept": _lost,
    "audit.settled": _behind,
}


# Afterwards everything has to be as on the first day.


async def check_house(world: World) -> None:
    """I7 and I8 with a sale when nothing is wrong any more."""
    await judge.settle(world)
    await asyncio.sleep(BUDGET_SECONDS)
    if not await until(lambda: world.network.open_sockets == 0, _open_seconds(world)):
        raise judge.Verdict("I8: the subscription is open, and nothing is pending")
    sale = await world.sell(world.shops[0], 777)
    if sale.invoice is None:
        raise judge.Verdict("I1: nothing can be sold any more")
    if not await until(lambda: world.network.open_sockets == 1, 5):
        raise judge.Verdict("I8: an invoice is pending, and there is no subscription")
    await until(lambda: sale.life is not None, 5)
    await world.pay(sale)
    for kind in ("payment", "forwarded"):
        if not await until(lambda kind=kind: sale.when(kind) is not None, 2):  # type: ignore[misc]
            raise judge.Verdict(f"I7: the page did not learn of {kind!r} within 2 s: {sale.told}")
    if not await until(lambda: world.network.open_sockets == 0, 5):
        raise judge.Verdict("I8: the last invoice is paid, and the subscription stays open")


def _open_seconds(world: World) -> float:
    """How long what is pending may keep the subscription open."""
    return 8_000.0 if judge.pending(world) else 5.0  # it was kept an hour ahead, perhaps
