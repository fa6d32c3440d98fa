"""Whatever order things happen in: Hypothesis looks for the one that breaks a promise."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from traceback import format_exception
from typing import Any, Final

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from forwarder import failpoints
from forwarder.model.source import Source
from forwarder.sandbox import Fault
from forwarder.sandbox.lateness import QUERIES, Query
from tests.faults import judge, strangers
from tests.faults.clock import VirtualLoop
from tests.faults.disk import Files
from tests.faults.matrix import NETWORK_POINTS, Case, Outcome
from tests.faults.world import Sale, World, opened

EXAMPLES: Final = 5
STEPS: Final = 50


class Shop(RuleBasedStateMachine):
    """A shop on which Hypothesis lets things happen. `files` is set by whoever plays."""

    files: Files
    unpaid = Bundle[Sale]("unpaid")

    def __init__(self) -> None:
        super().__init__()
        self._random = random.getstate()
        self._loop = VirtualLoop()
        self._stack = AsyncExitStack()

    @initialize(number=st.integers(0, 1_000))
    def begin(self, number: int) -> None:
        """Open the shop."""
        random.seed(number)
        opening = opened(self.files, number, has_node=number % 2 == 0)
        self.world: World = self._do(self._stack.enter_async_context(opening))

    @rule(
        target=unpaid,
        sats=st.integers(1, 10_000),
        seconds=st.sampled_from([20, 60, 900]),
        at_node=st.booleans(),
    )
    def create(self, sats: int, seconds: int, at_node: bool) -> Sale:
        """A till makes an invoice, on BlinkPOS or on the node if there is one."""
        shop = self.world.shops[0]
        source = self.world.other_source if at_node else Source.BLINK
        sold: Sale = self._do(self.world.sell(shop, sats, seconds, "tea", source))
        return sold

    @rule(sale=consumes(unpaid))
    def pay(self, sale: Sale) -> None:
        """A customer pays."""
        self._do(self.world.pay(sale))

    @rule(sale=consumes(unpaid))
    def pay_late(self, sale: Sale) -> None:
        """A user of Blink pays what is over here."""
        self._do(asyncio.sleep(sale.order.expires_in_seconds))
        self._do(self.world.pay_anyway(sale))

    @rule(sale=unpaid)
    def cancel(self, sale: Sale) -> None:
        """A till gives a sale up; a customer may pay it all the same."""
        self._do(self.world.cancel(sale))

    @rule()
    def drop_event(self) -> None:
        """The next event is lost."""
        self.world.sandbox.faults.add(Fault(operation="event", kind="drop", times=1))

    @rule(kind=st.sampled_from(["lost_answer", "http_503", "failure_after_commit"]))
    def spoil_a_send(self, kind: Any) -> None:  # noqa: ANN401 - one of the sandbox's kinds
        """The next send is answered badly."""
        self.world.sandbox.faults.add(Fault("lnInvoicePaymentSend", kind, times=1))

    @rule(query=st.sampled_from(QUERIES), seconds=st.sampled_from([0.3, 30, 180]))
    def delay_the_ledger(self, query: Query, seconds: float) -> None:
        """Sends are shown late from now on, to one kind of query."""
        self.world.sandbox.delay_sends(query, seconds)

    @rule(way=st.sampled_from(strangers.WAYS))
    def strange(self, way: strangers.Way) -> None:
        """Somebody sends what no sale explains."""
        self._do(self._come(way))

    async def _come(self, way: strangers.Way) -> None:
        if way == "second_receipt":
            await strangers.pay_again(self.world)  # now or never
        else:
            strangers.come(way, self.world)

    @rule()
    def close_account(self) -> None:
        """The merchant's account takes no money any more, until somebody sees to it."""
        self.world.sandbox.disable_receive(self.world.shops[0].account)

    @rule()
    def restart(self) -> None:
        """SIGTERM, and a new life."""
        self._do(self.world.rest())
        self._do(self.world.begin())

    @rule(point=st.sampled_from([*failpoints.POINTS, *NETWORK_POINTS]))
    def crash(self, point: str) -> None:
        """The next life that passes this point dies there."""
        self.world.crash_at(point)

    @rule()
    def replay(self) -> None:
        """An operator tries everything again."""
        self._do(self.world.replay())

    @rule()
    def reconcile(self) -> None:
        """An operator has the ledgers read."""
        self._do(self.world.reconcile())

    @rule()
    def change_destination(self) -> None:
        """The merchant has another account at Blink from now on."""
        self.world.move_shop()
        self.restart()

    @precondition(lambda self: len(self.world.secrets) < 3)
    @rule()
    def rotate(self) -> None:
        """FORWARDER_SECRET_KEY gets a new value before the old ones."""
        self.world.rotate()
        self.restart()

    @rule()
    def back_up(self) -> None:
        """Keep a copy of the database."""
        self.world.files.back_up()

    @precondition(lambda self: self.world.files.has_backup)
    @rule()
    def restore(self) -> None:
        """Put the older copy in place."""
        self._do(self.world.restore())

    @rule(seconds=st.sampled_from([1, 30, 400]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self._do(asyncio.sleep(seconds))

    @rule()
    def settle(self) -> None:
        """The faults are over, time passes, and every promise holds."""
        self._do(self._settled())

    def teardown(self) -> None:
        """The same at the end."""
        try:
            if hasattr(self, "world"):
                self.settle()
        finally:
            self._do(self._stack.aclose())
            self._loop.close()
            random.setstate(self._random)

    async def _settled(self) -> None:
        self.world.off = timedelta()
        await self.world.calm()
        await judge.settle(self.world)
        await judge.judge(self.world)

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - of any kind
        return self._loop.run_until_complete(work)


def play(number: int, files: Files) -> Outcome:
    """Some days that Hypothesis draws from this seed, each with up to so many steps."""
    Shop.files, broken = files, ""
    try:
        run_state_machine_as_test(seed(number)(Shop), settings=_SETTINGS)
    except Exception as exc:
        broken = "".join(format_exception(exc))
    case = Case("state machine", f"{EXAMPLES} x {STEPS} steps", number)
    return Outcome(case, reached=True, struck=True, broken=broken)


_SETTINGS: Final = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    database=None,
    phases=(Phase.generate,),  # to shrink what was broken takes longer than all else here
    suppress_health_check=list(HealthCheck),
)
