"""What an operator tells every page reaches each of them once, in every process."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from forwarder.model.message import Notice
from forwarder.store import broadcasts
from forwarder.worker.notifier import Notifier
from forwarder.worker.tail import NOTICE_FRESH, Tail
from tests.worker.conftest import Page, Shop, until


def a_notice(shop: Shop, name: str = "one") -> Notice:
    """A notice of now."""
    return Notice(name, shop.clock(), "closing soon")


async def test_a_notice_is_told_to_each_page_once_whoever_brings_it(shop: Shop) -> None:
    notifier, page, gone = Notifier(), Page(), Page()
    notifier.enter(page)
    notifier.enter(gone)
    notifier.leave(gone)
    assert await notifier.broadcast(a_notice(shop)) == 1
    assert await notifier.broadcast(a_notice(shop)) == 0
    assert (page.notices, gone.notices) == ([a_notice(shop)], [])


async def test_a_page_here_is_told_what_another_process_was_given(shop: Shop) -> None:
    page = Page()
    stale = Notice("stale", shop.clock() - NOTICE_FRESH - timedelta(seconds=1), "long ago")
    async with shop.database.transaction() as tx:
        await broadcasts.add(tx, stale)
    shop.common.notifier.enter(page)
    tailing = asyncio.create_task(Tail(shop.common).run())
    async with shop.database.transaction() as tx:
        await broadcasts.add(tx, a_notice(shop))
    await until(lambda: bool(page.notices))
    await asyncio.sleep(1.1)  # it is read again meanwhile
    shop.common.notifier.leave(page)
    await asyncio.sleep(0.6)  # nobody is left, so it waits for the next one
    tailing.cancel()
    assert page.notices == [a_notice(shop)]
