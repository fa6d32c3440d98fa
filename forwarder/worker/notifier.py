"""Tells connected pages what has happened to their invoices."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable
from datetime import datetime
from typing import Final, Protocol

from forwarder.model.message import Message, Notice
from forwarder.worker import pulse

REMEMBERED: Final = 1_000


class Page(Protocol):
    """A connected page. Its methods return soon, even for a slow client, and never raise."""

    async def tell(self, message: Message) -> None:
        """Send a message of one of the page's invoices."""

    async def tell_watch(self, state: str, now: datetime) -> None:
        """Send that the watch on Blink has changed."""

    async def tell_notice(self, notice: Notice) -> None:
        """Send what an operator tells every page."""


class Notifier:
    """The connected pages by invoice. Messages are kept before they come here, and never lost here:
    a page that was not connected reads them when it identifies its invoice."""

    def __init__(self) -> None:
        self._connected: set[Page] = set()
        self._pages: defaultdict[int, set[Page]] = defaultdict(set)
        self._is_joined = asyncio.Event()
        self._noticed: deque[str] = deque(maxlen=REMEMBERED)

    @property
    def is_idle(self) -> bool:
        """Whether no page is there to be told anything."""
        return not self._connected

    def enter(self, page: Page) -> None:
        """From now on the page is told what operators tell every page."""
        self._connected.add(page)
        self._is_joined.set()

    async def joined(self) -> None:
        """Wait until there is a page."""
        while self.is_idle:
            self._is_joined.clear()
            with pulse.resting():
                await self._is_joined.wait()

    def join(self, invoice_id: int, page: Page) -> None:
        """From now on the page is also told what happens to this invoice."""
        self.enter(page)
        self._pages[invoice_id].add(page)

    def leave(self, page: Page) -> None:
        """Forget a page, for all its invoices."""
        self._connected.discard(page)
        for invoice_id in [known for known, pages in self._pages.items() if page in pages]:
            self._pages[invoice_id].discard(page)
            if not self._pages[invoice_id]:
                del self._pages[invoice_id]

    async def deliver(self, messages: Iterable[Message]) -> None:
        """Tell the pages of each message's invoice; returns when all were told."""
        for message in messages:
            pages = self._pages.get(message.invoice_id, ())
            await asyncio.gather(*(page.tell(message) for page in tuple(pages)))

    async def broadcast(self, notice: Notice) -> int:
        """Tell every page, once, whoever brings the notice; returns how many were told."""
        if notice.id in self._noticed:
            return 0
        self._noticed.append(notice.id)
        pages = tuple(self._connected)
        await asyncio.gather(*(page.tell_notice(notice) for page in pages))
        return len(pages)

    async def tell_watch(self, state: str, now: datetime) -> None:
        """Tell every page that has joined an invoice that the watch on Blink has changed."""
        pages = {page for pages in self._pages.values() for page in pages}
        await asyncio.gather(*(page.tell_watch(state, now) for page in pages))
