"""What one page has been told of one invoice."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from forwarder.model.message import Message

_ENDS: Final = frozenset({"payment", "expired", "cancelled"})


class Story:
    """Each message once, and nothing new before the history.

    New messages come in while the history is still being read and sent. They are held back
    meanwhile, and those of them that the history had are dropped.
    """

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._held: deque[Message] | None = None
        self._is_identified = False
        self._is_over = False

    @property
    def is_waiting(self) -> bool:
        """Whether the page waits for this invoice to be paid, as far as it knows."""
        return self._is_identified and not self._is_over

    def hold(self) -> None:
        """Hold new messages back until the history has been told."""
        self._held = deque()

    def tells(self, message: Message) -> bool:
        """Whether a new message is to be sent now."""
        if self._held is not None:
            self._held.append(message)
            return False
        return self._note(message)

    def replay(self, history: Iterable[Message]) -> Iterator[Message]:
        """The history, all of it, and then what was held back, also while this was being sent."""
        self._is_identified = True
        for message in history:
            self._note(message)
            yield message
        while self._held:
            message = self._held.popleft()
            if self._note(message):
                yield message
        # No await lies between the last look and this, so nothing slips in between.
        self._held = None

    def _note(self, message: Message) -> bool:
        """Remember a message as told; false if it was told before."""
        known = message.id in self._told
        self._told.add(message.id)
        self._is_over = self._is_over or message.body["type"] in _ENDS
        return not known
