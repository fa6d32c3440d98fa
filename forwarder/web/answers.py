"""What clients are answered, as types: `/openapi.json` shows them, and mypy holds handlers to them.

Their names are those on the wire.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field, WithJsonSchema
from typing_extensions import TypedDict

from forwarder.model.units import MAX_SATS, NAME_OF_A_PAYMENT

Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time as the contract writes it."""

Sats = Annotated[int, Field(ge=1, le=MAX_SATS)]
Hash = Annotated[str, WithJsonSchema({"type": "string", "pattern": f"^({NAME_OF_A_PAYMENT})$"})]
SaleStatus = Literal["pending", "paid", "forwarded", "expired", "cancelled"]


class Fault(TypedDict):
    """What is wrong: the code is stable, the message is for people."""

    code: str
    message: str


class Error(TypedDict):
    """The answer to a call that failed."""

    success: Literal[False]
    error: Fault


class Made(TypedDict):
    """An invoice as the POS that has asked for it sees it; `token` is for its page."""

    success: Literal[True]
    invoice: str
    paymentHash: Hash
    externalId: str
    amountSat: Sats
    status: SaleStatus
    expiresAt: Moment
    token: str


class Snapshot(TypedDict):
    """An invoice as it stands now."""

    success: Literal[True]
    externalId: str
    status: SaleStatus
    amountSat: Sats
    paymentHash: Hash
    invoice: str
    expiresAt: Moment
    paidAt: Moment | None
    forwardedAt: Moment | None


class Snapshots(TypedDict):
    """A merchant's own invoices, newest first."""

    success: Literal[True]
    invoices: list[Snapshot]


class Credentials(TypedDict):
    """What a POS page needs to watch BlinkPOS by itself."""

    success: Literal[True]
    apiUrl: str
    wsUrl: str
    apiKey: str
    walletId: str
    scopes: list[str]


class Noted(TypedDict):
    """What a webhook has told is kept, or concerns nobody here."""

    success: Literal[True]


class Sockets(TypedDict):
    """The pages that are connected."""

    enabled: Literal[True]
    clients: int


class Health(TypedDict):
    """The process answers."""

    status: Literal["ok"]
    service: Literal["blink-pos-forwarder"]
    websocket: Sockets


class Alive(TypedDict):
    """The process is there."""

    status: Literal["ok"]


class Ready(TypedDict):
    """Whether sales can be made; `reason` is in words, and only there if not."""

    status: Literal["ready", "not ready"]
    reason: NotRequired[str]
