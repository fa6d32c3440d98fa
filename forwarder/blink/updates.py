"""Blink's subscription `myUpdates` as an async iterator.

The stream is at-most-once and replays nothing. Each connection gets a fresh transport: one that
failed before Blink's acknowledgement can never connect again. Reconnecting is up to the caller, who
has to ask for what was missed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from gql import Client
from gql.client import AsyncClientSession
from gql.transport.exceptions import TransportProtocolError, TransportQueryError
from gql.transport.websockets import WebsocketsTransport
from pydantic import SecretStr, ValidationError

from forwarder.blink import documents, events
from forwarder.blink.errors import Disconnected
from forwarder.model.ledger import Entry

CONNECT_SECONDS: Final = 10.0
# A silent peer is noticed within 25 s. Blink sends no graphql-level pings, but it answers ours.
PING_SECONDS: Final = 15.0
PONG_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 2.0

_NEVER: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Settled:
    """An invoice of the account was paid. Events carry no usable time."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class SignOfLife:
    """A price, or anything else that shows that the subscription is live."""


@dataclass(frozen=True, slots=True)
class Gap:
    """An event that was not understood: it may have been a payment."""

    reason: str


Update = Settled | SignOfLife | Gap


class Updates:
    """One live connection. `async for` over it subscribes, and raises `Disconnected` at its end."""

    def __init__(self, session: AsyncClientSession) -> None:
        self._session = session

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, api_key: SecretStr) -> AsyncIterator[Updates]:
        """Connect and wait for Blink's acknowledgement, which it gives even to a bad key."""
        transport = _transport(url, api_key)
        async with AsyncExitStack() as stack:
            # A connect that is cancelled before the acknowledgement would leave its socket open.
            stack.push_async_callback(transport.close)
            try:
                client = Client(transport=transport, execute_timeout=None)
                session = await stack.enter_async_context(client)
            except Exception as exc:
                # Not only what gql promises: odd greetings make it raise nearly anything.
                raise Disconnected(_describe(exc)) from exc
            yield cls(session)

    async def __aiter__(self) -> AsyncIterator[Update]:
        try:
            async for data in self._session.subscribe(documents.MY_UPDATES.bind()):
                yield _read(data)
        except Exception as exc:
            raise Disconnected(_describe(exc)) from exc
        # gql ends the iteration without a word when the server completes the subscription.
        raise Disconnected("Blink ended the subscription")


class _Transport(WebsocketsTransport):
    """gql's transport, which a frame that is no message cannot make deaf."""

    async def _receive_data_loop(self) -> None:
        try:
            await super()._receive_data_loop()
        except Exception as exc:
            # gql expects what is not JSON, but not what is JSON and no message.
            error = TransportProtocolError(f"{type(exc).__name__} in reading a frame")
            await self._fail(error, clean_close=False)


def _transport(url: str, api_key: SecretStr) -> WebsocketsTransport:
    server = urlsplit(url)
    return _Transport(
        url,
        # Without this gql also offers an older protocol, and may fall back to it.
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
        init_payload={"X-API-KEY": api_key.get_secret_value()},
        connect_timeout=CONNECT_SECONDS,
        ack_timeout=CONNECT_SECONDS,
        close_timeout=CLOSE_SECONDS,
        ping_interval=PING_SECONDS,
        pong_timeout=PONG_SECONDS,
        connect_args={
            "ping_interval": None,
            "compression": None,
            "close_timeout": CLOSE_SECONDS,
            # With these given, a redirect leads nowhere else: it would carry the key there.
            "host": server.hostname,
            "port": server.port or (443 if server.scheme == "wss" else 80),
        },
    )


def _read(data: dict[str, object]) -> Update:
    try:
        update = events.MyUpdates.model_validate(data["myUpdates"]).update
    except (KeyError, TypeError, ValidationError) as exc:
        return Gap(f"an event was not understood: {type(exc).__name__}")
    if not isinstance(update, events.LnUpdate):
        return SignOfLife()
    entry = update.transaction.entry(created_at=_NEVER)
    return SignOfLife() if entry is None else Settled(entry)


def _describe(exc: Exception) -> str:
    """Why the connection ended, with Blink's own words where there are any."""
    if isinstance(exc, TransportQueryError):
        return f"Blink answered the subscription with an error: {exc}"
    if isinstance(exc, TimeoutError):
        return "Blink did not answer in time"
    cause = exc.__cause__ or exc
    return f"{type(cause).__name__}: {cause}"
