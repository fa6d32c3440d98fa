"""The command that says how everything stands, whether a service runs or not."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Final, cast

import typer
from aiohttp import ClientError, ClientSession, ClientTimeout
from yarl import URL

from forwarder.cli.common import Json, with_database
from forwarder.cli.printing import print_facts, print_json
from forwarder.model import calendar
from forwarder.settings import Settings
from forwarder.store.database import Database
from forwarder.web import shapes
from forwarder.web.views import KeptView, LiveView
from forwarder.worker.books import Books
from forwarder.worker.clock import utc_now

ASK_SECONDS: Final = 5.0
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to knock instead
_LIVE: Final = ("subscription", "credentials", "blink", "websocket")


def status(
    zone: Annotated[str, typer.Option(help="Where the day begins, like Europe/Berlin.")] = "UTC",
    as_json: Json = False,
) -> None:
    """Show everything at a glance."""
    try:
        where = calendar.zone_named(zone)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--zone") from exc

    async def look(settings: Settings, database: Database) -> Mapping[str, object]:
        kept = shapes.overview(await Books(database, utc_now).overview(where))
        return {**kept, **await _live(settings)}

    found = with_database(look)
    if as_json:
        print_json(found)
    else:
        print_facts(_facts(found))


async def _live(settings: Settings) -> Mapping[str, object]:
    """What only the running process knows; nothing of it if there is none, or it does not tell."""
    url, token = _address(settings), settings.operator_token
    nothing: dict[str, object] = dict.fromkeys(_LIVE)
    timeout = ClientTimeout(ASK_SECONDS)
    try:
        async with ClientSession(url, timeout=timeout) as session:
            async with session.get("/livez", ssl=_trust(settings)) as answer:
                answer.raise_for_status()
            if token is None:
                return {**nothing, "service": f"runs at {url}; set OPERATOR_TOKEN to see more"}
            headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
            async with session.get("/api/status", headers=headers, ssl=_trust(settings)) as answer:
                if answer.status != 200:
                    return {**nothing, "service": f"runs at {url}, and refused OPERATOR_TOKEN"}
                told = await answer.json()
    except (ClientError, TimeoutError, OSError, ValueError):
        return {**nothing, "service": f"nothing answers at {url}"}
    return {**{name: told.get(name) for name in _LIVE}, "service": f"runs at {url}"}


def _address(settings: Settings) -> URL:
    scheme = "http" if settings.tls_cert_file is None else "https"
    host = _ANYWHERE.get(settings.host, settings.host)
    return URL.build(scheme=scheme, host=host, port=settings.port)


def _trust(settings: Settings) -> ssl.SSLContext | bool:
    """Of all certificates, the one that our own service has; it need not be for this address."""
    if settings.tls_cert_file is None:
        return True
    context = ssl.create_default_context(cafile=settings.tls_cert_file)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    return context


def _facts(found: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    kept = cast(KeptView, found)
    yield "service", found["service"]
    if found["subscription"] is not None:
        yield from _live_facts(cast(LiveView, found))
    yield "invoices", _counts(kept["invoices"].items())
    yield "forwards", _counts(kept["forwards"].items())
    yield "sats", _counts(kept["sats"].items())
    today = kept["today"]
    sums = ((name, today[name]) for name in ("payments", "received", "forwarded", "held"))
    yield f"today ({today['zone']})", _counts(sums)
    unmatched = kept["unmatched"]
    yield "unmatched", f"{unmatched['count']}, together {unmatched['sats']} sat"
    yield "oldest waits", f"{kept['oldestOutstandingSeconds']} s"
    last = kept["reconciliation"]
    yield "reconciled", last["lastRunAt"] or "never"
    yield "difference", f"{last['driftSats']} sat"
    yield "findings", f"{kept['findings']} open"


def _live_facts(live: LiveView) -> Iterator[tuple[str, object]]:
    watch, blink = live["subscription"], live["blink"]
    yield "subscription", watch["state"]
    yield "  since", watch["since"]
    yield "  last event", watch["lastEventAt"] or "none yet"
    yield "  handshakes", f"{blink['handshakes']['left']} of {blink['handshakes']['of']} left"
    yield "  invoices", f"{blink['creations']['left']} of {blink['creations']['of']} left"


def _counts(counts: Iterable[tuple[str, object]]) -> str:
    """The counts that are not zero."""
    return ", ".join(f"{name}: {count}" for name, count in counts if count) or "none"
