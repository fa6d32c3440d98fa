"""Asks the node for payments while one is waited for: its webhook comes at most once, or never."""

from __future__ import annotations

from typing import Final

import structlog

from forwarder.model.errors import CallError
from forwarder.store import invoices
from forwarder.worker import pulse
from forwarder.worker.catch_up import CatchUp
from forwarder.worker.common import Common

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 2.0  # as long as a page waits for what no webhook has told
IDLE_SECONDS: Final = 10.0  # another process may have made an invoice


class Poll:
    """Looks at the node while, and only while, an invoice of its is pending."""

    def __init__(self, common: Common, catch_up: CatchUp) -> None:
        self._database = common.database
        self._bell = common.bells.poll
        self._catch_up = catch_up

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            while await self._is_waiting():
                await self._look()
                await pulse.rest(POLL_SECONDS)
            await self._bell.wait(IDLE_SECONDS)

    async def _is_waiting(self) -> bool:
        async with self._database.reading() as tx:
            return (await invoices.pending(tx, self._catch_up.source)).count > 0

    async def _look(self) -> None:
        try:
            await self._catch_up.run()
        except CallError as exc:
            log.warning("the node could not be asked for payments", reason=str(exc))
