"""What operators may ask and say, read as strictly as everything that clients send."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from forwarder.model import calendar
from forwarder.model.calendar import ZONES, Unit
from forwarder.model.finding import FindingState
from forwarder.model.sale import Place, Search, Standing, Wanted
from forwarder.model.source import Source
from forwarder.model.units import NAME_OF_A_PAYMENT
from forwarder.web.requests import PLAIN, Limit, Moment, Plain, Sent, moment

UTC_ZONE: Final = ZoneInfo("UTC")

# Nothing has happened before, or can be asked for after; and every zone can say the time then.
_EARLIEST, _LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
_HASH_OR_NOTHING: Final = re.compile(rf"({NAME_OF_A_PAYMENT})?")


def _place(text: str) -> Place:
    """A time, or a place as the last answer has written it."""
    at, _, payment_hash = text.partition("_")
    if _HASH_OR_NOTHING.fullmatch(payment_hash) is None:
        raise ValueError("must be a time, or the end of the page before")
    return Place(moment(at), payment_hash)


def _bounded(moment: datetime) -> datetime:
    return min(max(moment, _EARLIEST), _LATEST)


def _schema(**what: object) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **what})


Time = Annotated[Moment, AfterValidator(_bounded)]
Zone = Annotated[ZoneInfo, BeforeValidator(calendar.zone_named), _schema(enum=sorted(ZONES))]
Standings = Annotated[Standing, _schema(enum=[*Standing])]
FindingStates = Annotated[FindingState, _schema(enum=[*FindingState])]
Sources = Annotated[Source, _schema(enum=[*Source])]
Units = Annotated[Unit, _schema(enum=[*Unit])]
Note = Annotated[str, Field(min_length=1, max_length=500, json_schema_extra=PLAIN), Plain]
Sought = Annotated[str, Field(min_length=1, max_length=100, json_schema_extra=PLAIN), Plain]
Before = Annotated[Place, BeforeValidator(_place), _schema(format="date-time")]


class _Asked(Sent):
    # A query is text, and its words are those of closed sets.
    model_config = ConfigDict(strict=False, arbitrary_types_allowed=True)


class Where(_Asked):
    """The query of `GET /api/status`: where the day begins."""

    zone: Zone = UTC_ZONE


class Listed(_Asked):
    """The query of `GET /api/payments`."""

    state: Standings | None = None
    search: Sought | None = None
    source: Sources | None = None
    limit: Limit = 20
    before: Before | None = None

    def wanted(self) -> Wanted:
        """Which sales these are."""
        search = None if self.search is None else Search(self.search.strip())
        return Wanted(self.state, search, self.source, self.before, self.limit)


class Charted(_Asked):
    """The query of `GET /api/figures`."""

    since: Time | None = Field(None, alias="from")
    until: Time | None = Field(None, alias="to")
    by: Units = Unit.HOUR
    zone: Zone = UTC_ZONE


class Exported(_Asked):
    """The query of `GET /api/export.csv`."""

    since: Time = Field(_EARLIEST, alias="from")
    until: Time | None = Field(None, alias="to")


class Resolution(Sent):
    """The body of `POST /api/payments/{paymentHash}/resolve`."""

    note: Note


class Found(_Asked):
    """The query of `GET /api/findings`."""

    state: FindingStates = FindingState.OPEN
    after: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    limit: Limit = 100


class Closing(Sent):
    """The body of `POST /api/findings/{id}/close`."""

    note: Note


class Broadcast(Sent):
    """The body of `POST /api/broadcast`."""

    message: Note
