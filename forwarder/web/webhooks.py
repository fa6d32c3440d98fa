"""What a phoenixd node and Blink tell by themselves: verified, kept, and only then answered.

Of a body nothing is believed but which payment it is about: what has been received is asked of the
node, or of Blink, afterwards. So a body that is sent again, or kept back, moves no money.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

import structlog
from aiohttp import web
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from forwarder.model import signature
from forwarder.model.signature import Envelope
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash
from forwarder.web import requests
from forwarder.web.errors import ApiError
from forwarder.web.keys import SERVICE
from forwarder.web.responses import answer

if TYPE_CHECKING:
    from forwarder.worker.service import Service

log = structlog.get_logger(__name__)

Hash = Annotated[PaymentHash, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

_NODE_RECEIVED: Final = "payment_received"
_BLINK_RECEIVED: Final = "receive."


class _Told(BaseModel):
    """A part of a body; what is there beside it does not concern us."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, alias_generator=to_camel)


class NodeEvent(_Told):
    """What a node tells."""

    type: str
    payment_hash: Hash | None = None

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if self.type == _NODE_RECEIVED and self.payment_hash is None:
            raise ValueError("a payment without its hash")
        return self

    @property
    def income(self) -> PaymentHash | None:
        """The payment that it says has arrived, if it speaks of one."""
        return self.payment_hash if self.type == _NODE_RECEIVED else None


class _ByLightning(_Told):
    type: Literal["lightning"]
    payment_hash: Hash


class _ByOther(_Told):
    type: Literal["intraledger", "onchain"]


class _Transaction(_Told):
    initiation_via: _ByLightning | _ByOther


class BlinkEvent(_Told):
    """What Blink tells."""

    event_type: str
    transaction: _Transaction | None = None

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if self.event_type.startswith(_BLINK_RECEIVED) and self.transaction is None:
            raise ValueError("income without its transaction")
        return self

    @property
    def income(self) -> PaymentHash | None:
        """The payment that it says has arrived, if it speaks of one of an invoice."""
        if self.transaction is None or not self.event_type.startswith(_BLINK_RECEIVED):
            return None
        via = self.transaction.initiation_via
        return via.payment_hash if isinstance(via, _ByLightning) else None


async def phoenixd(request: web.Request) -> web.Response:
    """`POST /api/webhook`."""
    service = request.app[SERVICE]
    secret = service.settings.phoenixd_webhook_secret
    if secret is None:
        raise _disabled("PHOENIXD_WEBHOOK_SECRET")
    raw = await requests.raw(request)
    if not signature.is_phoenixds(raw, _header(request, "X-Phoenix-Signature"), secret):
        raise _unsigned()
    return await _keep(service, Source.PHOENIXD, NodeEvent, raw)


async def blink(request: web.Request) -> web.Response:
    """`POST /api/webhook/blink`."""
    service = request.app[SERVICE]
    secrets = service.settings.blink_webhook_secret
    if not secrets:
        raise _disabled("BLINK_WEBHOOK_SECRET")
    raw = await requests.raw(request)
    names = ("svix-id", "svix-timestamp", "svix-signature")
    envelope = Envelope(*(_header(request, name) for name in names))
    if not signature.is_svixs(raw, envelope, secrets, service.clock()):
        raise _unsigned()
    return await _keep(service, Source.BLINK, BlinkEvent, raw)


async def _keep(
    service: Service, source: Source, kind: type[NodeEvent | BlinkEvent], raw: bytes
) -> web.Response:
    """Keep what is told, and answer: it is worked on afterwards, for the other side waits."""
    try:
        told = kind.model_validate_json(raw)
    except ValidationError as exc:
        # Signed, and not understood: it may have been a payment, so the ledger is read.
        log.error("a webhook was not understood", source=source.value, errors=exc.error_count())
        service.hints.doubt(source)
    else:
        if told.income is not None:
            await service.hints.keep(source, told.income)
    return answer({"success": True})


def _header(request: web.Request, name: str) -> str:
    """A header that is there once; of two, one may be genuine."""
    values = request.headers.getall(name, [])
    return values[0] if len(values) == 1 else ""


def _disabled(name: str) -> ApiError:
    return ApiError(404, "webhook_disabled", f"no webhook is taken here: {name} is not set")


def _unsigned() -> ApiError:
    return ApiError(401, "unauthorized", "this call is not signed as it has to be")
