"""The way of a forward, from `queued` to `forwarded`: which step comes next."""

from __future__ import annotations

from typing import assert_never

from forwarder.model.forward import Forward, ForwardState
from forwarder.worker.invoicing import Invoicing
from forwarder.worker.moves import Moves, Next
from forwarder.worker.sending import Sending


class Forwarding:
    """Takes forwards as far as they go. Every step is kept before the next call leaves."""

    def __init__(self, invoicing: Invoicing, sending: Sending, moves: Moves) -> None:
        self._invoicing = invoicing
        self._sending = sending
        self._moves = moves
        self._stopping = False

    def stop(self) -> None:
        """Take no further step once the calls that are under way have ended."""
        self._stopping = True
        self._sending.close()

    async def advance(self, claimed: Forward) -> None:
        """Take a claimed forward as far as it goes now. Raises `LostClaim`."""
        forward: Next = claimed
        while forward is not None and not self._stopping:
            forward = await self._step(forward)

    async def _step(self, forward: Forward) -> Next:
        match forward.state:
            case ForwardState.QUEUED:
                return await self._invoicing.make(forward)
            case ForwardState.INVOICED if forward.verdict is not None:
                return await self._sending.prove(forward, None)
            case ForwardState.INVOICED:
                return await self._sending.send(forward)
            case ForwardState.SENDING:
                return await self._sending.recover(forward)
            case ForwardState.HELD:
                return await self._moves.resume(forward)
            case ForwardState.FORWARDED | ForwardState.RESOLVED:
                return None
            case _:
                assert_never(forward.state)
