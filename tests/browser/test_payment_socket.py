"""payment-socket.js alone: a service that the test plays, and a clock that it turns."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, WebSocketRoute

from forwarder.web import site

ORIGIN = "http://till.test"
PAID: dict[str, object] = {"type": "payment", "externalId": "sale-1", "amountSat": 21, "id": "id-1"}
NOTICE: dict[str, object] = {"type": "notice"}
FORWARDED: dict[str, object] = {
    "type": "forwarded",
    "externalId": "sale-1",
    "amountSat": 21,
    "id": "id-2",
}

OPEN = """async (options) => {
  const { PaymentSocket } = await import('/payment-socket.js');
  window.states = [];
  window.messages = [];
  window.socket = new PaymentSocket({
    externalId: 'sale-1',
    token: 'a-token',
    onState: (state, error) => states.push(error ? `${state}: ${error.message}` : state),
    onMessage: (message) => messages.push(message),
    ...options,
  });
  socket.open();
}"""


@dataclass
class Played:
    """The service's end of every connection; `is_up` says whether it takes one."""

    page: Page
    is_up: bool = True
    lines: list[WebSocketRoute] = field(default_factory=list)
    heard: list[dict[str, str]] = field(default_factory=list)
    closed: list[int | None] = field(default_factory=list)
    refusal: dict[str, str] | None = None
    is_mute: bool = False

    async def connect(self, line: WebSocketRoute) -> None:
        self.lines.append(line)
        line.on_message(lambda text: self._hear(line, str(text)))
        line.on_close(lambda code, _reason: self.closed.append(code))
        if not self.is_up:
            await line.close(code=1011)

    def _hear(self, line: WebSocketRoute, text: str) -> None:
        self.heard.append(json.loads(text))
        if not self.is_mute:
            line.send(json.dumps(self.refusal or {"type": "identified", "externalId": "sale-1"}))

    def tell(self, message: dict[str, object]) -> None:
        self.lines[-1].send(json.dumps(message))

    async def open(self, **options: object) -> None:
        await self.page.evaluate(OPEN, options)

    async def states(self, *wanted: str) -> None:
        """Wait until the socket has been through these states, and no other."""
        await self.page.wait_for_function(
            "count => states.length >= count", arg=len(wanted), polling=20
        )
        assert await self.page.evaluate("states") == list(wanted)

    async def messages(self, count: int) -> list[str]:
        """Wait for so many messages: their types."""
        await self.page.wait_for_function("count => messages.length >= count", arg=count)
        types: list[str] = await self.page.evaluate("messages.map(({ type }) => type)")
        return types


@pytest_asyncio.fixture(loop_scope="session")
async def played(chromium: Browser) -> AsyncIterator[Played]:
    """A page that can load the module, and a service to play."""
    context = await chromium.new_context()
    page = await context.new_page()
    service = Played(page)

    async def serve(route: Route) -> None:
        name = route.request.url.removeprefix(f"{ORIGIN}/")
        file = site.FILES.get(name)
        body = file.content if file else b"<!doctype html><title>A till</title>"
        await route.fulfill(body=body, content_type=file.kind if file else "text/html")

    await context.route(f"{ORIGIN}/**", serve)
    await page.route_web_socket("ws://till.test/ws", service.connect)
    await page.goto(ORIGIN)
    yield service
    await context.close()


async def test_it_names_its_invoice_and_tells_what_it_hears(played: Played) -> None:
    await played.open()
    await played.states("connecting", "open")
    assert played.heard == [{"type": "identify", "externalId": "sale-1", "token": "a-token"}]
    played.tell(PAID)
    assert await played.messages(1) == ["payment"]


async def test_each_event_is_told_once(played: Played) -> None:
    await played.open()
    await played.states("connecting", "open")
    for message in (PAID, PAID, NOTICE, NOTICE, PAID):
        played.tell(message)
    played.tell({"type": "expired", "id": "id-3"})
    assert await played.messages(4) == ["payment", "notice", "notice", "expired"]


async def test_an_event_that_a_new_connection_repeats_is_not_told_again(played: Played) -> None:
    await played.open()
    await played.states("connecting", "open")
    played.tell(PAID)
    await played.messages(1)
    await played.lines[-1].close(code=1006)
    lost = "waiting: the connection was lost"
    await played.states("connecting", "open", lost, "connecting: the connection was lost", "open")
    played.tell(PAID)
    played.tell(FORWARDED)
    assert await played.messages(2) == ["payment", "forwarded"]


async def test_it_closes_by_itself_when_nothing_can_follow(played: Played) -> None:
    await played.open()
    await played.states("connecting", "open")
    played.tell(FORWARDED)
    await played.states("connecting", "open", "closed")
    assert await played.messages(1) == ["forwarded"]
    assert played.closed == [1000]


async def test_a_page_that_is_done_closes_cleanly_and_hears_nothing_more(played: Played) -> None:
    await played.open()
    await played.states("connecting", "open")
    await played.page.evaluate("socket.close()")
    await played.states("connecting", "open", "closed")
    played.tell(PAID)
    await played.page.evaluate("new Promise((done) => setTimeout(done, 50))")
    assert await played.page.evaluate("messages") == []
    assert played.closed == [1000]


async def test_a_page_that_changes_its_mind_at_once_connects_to_nothing(played: Played) -> None:
    await played.page.evaluate(f"({OPEN})({{}}).then(() => socket.close())")
    await played.page.evaluate("new Promise((done) => setTimeout(done, 50))")
    assert played.lines == []


@pytest.mark.parametrize("limit", [1, 4])
async def test_it_gives_up_after_as_many_attempts_as_it_is_told(played: Played, limit: int) -> None:
    await played.page.clock.install()
    played.is_up = False
    await played.open(maxAttempts=limit)
    await turn(played.page, "socket.state === 'failed'")
    assert len(played.lines) == limit
    await played.page.clock.run_for(600_000)
    assert len(played.lines) == limit


async def test_each_wait_is_longer_up_to_a_limit_and_never_quite_the_same(played: Played) -> None:
    await played.page.evaluate(
        """() => {
          window.waits = [];
          const set = setTimeout;
          window.setTimeout = (then, wait) => {
            waits.push(wait);
            return set(then, 1);
          };
        }"""
    )
    played.is_up = False
    await played.open(maxAttempts=12)
    await played.page.wait_for_function("socket.state === 'failed'")
    waits = [wait for wait in await played.page.evaluate("waits") if wait not in (0, 8_000)]
    bounds = [min(15_000, 500 * 2**attempt) for attempt in range(11)]
    assert len(waits) == 11
    assert all(bound / 2 <= wait <= bound for wait, bound in zip(waits, bounds, strict=True))
    assert len({wait / bound for wait, bound in zip(waits, bounds, strict=True)}) > 8


@pytest.mark.parametrize("event", ["online", "pageshow"])
async def test_it_begins_anew_when_the_page_or_the_network_is_back(
    played: Played, event: str
) -> None:
    played.is_up = False
    await played.open(maxAttempts=1)
    await played.page.wait_for_function("socket.state === 'failed'")
    played.is_up = True
    await played.page.evaluate("name => window.dispatchEvent(new Event(name))", event)
    await played.page.wait_for_function("socket.state === 'open'")
    assert await played.page.evaluate("socket.error") is None


async def test_a_line_that_has_died_in_the_sleep_is_noticed_on_waking(played: Played) -> None:
    await played.page.clock.install()
    await played.open()
    await turn(played.page, "socket.state === 'open'")
    played.is_mute = True
    await played.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await played.page.clock.run_for(8_001)
    assert await played.page.evaluate("socket.state") == "waiting"
    played.is_mute = False
    await turn(played.page, "socket.state === 'open'")
    assert len(played.lines) == 2


async def test_a_token_that_is_refused_is_not_tried_again(played: Played) -> None:
    played.refusal = {"type": "error", "code": "unauthorized", "message": "no such token"}
    await played.open()
    await played.states("connecting", "failed: no such token")
    await played.page.evaluate("window.dispatchEvent(new Event('online'))")
    assert len(played.lines) == 1


async def test_a_trouble_of_the_service_is_tried_again(played: Played) -> None:
    played.refusal = {"type": "error", "code": "unavailable", "message": "not just now"}
    await played.open()
    await played.states("connecting", "waiting: not just now")
    played.refusal = None
    await played.page.wait_for_function("socket.state === 'open'")


async def turn(page: Page, until: str) -> None:
    """Turn the clock until something holds."""
    for _ in range(200):
        if await page.evaluate(until):
            return
        await page.clock.run_for(1_000)
    raise AssertionError(f"in vain: {until}")
