"""A connected page is told what concerns it, and nothing once it has left."""

from __future__ import annotations

from forwarder.model.message import Message
from forwarder.worker.notifier import Notifier
from tests.worker.conftest import START, Page


async def test_a_page_is_told_of_its_own_invoices_and_once_of_the_watch() -> None:
    notifier, one, other = Notifier(), Page(), Page()
    notifier.join(1, one)
    notifier.join(2, one)
    notifier.join(2, other)
    first, second = Message("a", 1, {}), Message("b", 2, {})
    await notifier.deliver([first, second, Message("c", 3, {})])
    assert (one.told, other.told) == ([first, second], [second])
    await notifier.tell_watch("open", START)
    assert (one.watch, other.watch) == (["open"], ["open"])


async def test_a_page_that_has_left_is_told_nothing() -> None:
    notifier, page, other = Notifier(), Page(), Page()
    for invoice_id in (1, 2):
        notifier.join(invoice_id, page)
    notifier.join(2, other)
    notifier.leave(page)
    notifier.leave(page)
    await notifier.deliver([Message("a", 1, {}), Message("b", 2, {})])
    await notifier.tell_watch("open", START)
    assert page.told == []
    assert page.watch == []
    assert len(other.told) == 1
