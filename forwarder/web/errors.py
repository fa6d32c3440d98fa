"""Everything that can go wrong with a call, and how the client is told.

Codes are stable, messages are for people. What a client is told of a failure of ours is that there
was one; the log says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from forwarder.blink.errors import BlinkError, Refused
from forwarder.model.refusal import Refusal
from forwarder.phoenixd import errors as phoenixd
from forwarder.store.orders import OrderConflict
from forwarder.web.answers import Error
from forwarder.web.responses import answer
from forwarder.worker.credentials import CredentialsDisabled
from forwarder.worker.desk import (
    AlreadyForwarded,
    ClosedBefore,
    NoSuchFinding,
    NoSuchPayment,
    NothingHeld,
    NotYetSure,
)
from forwarder.worker.sales import AlreadyPaid

log = structlog.get_logger(__name__)

# What Blink's limits on invoices need to lift again: they count by the minute.
_BUSY_RETRY_SECONDS: Final = 30
_RETRY_SECONDS: Final = 5

_HANG_UP: Final = frozenset({408, 413})  # the rest of the body is not waited for
_HTTP_ERRORS: Final = {
    404: ("not_found", "there is nothing here"),
    405: (
        "method_not_allowed",
        "this method is not known here; the Allow header lists those that are",
    ),
    413: ("body_too_large", "the body is larger than 16 KiB"),
}


class ApiError(Exception):
    """An error that a client is told of."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}
        super().__init__(f"{code}: {message}")

    @property
    def body(self) -> Error:
        """The contract's form of an error."""
        return {"success": False, "error": {"code": self.code, "message": self.message}}

    def response(self) -> web.Response:
        """The answer to an HTTP call."""
        response = answer(self.body, self.status, self.headers)
        if self.status in _HANG_UP:
            response.force_close()
        return response


def invalid(message: str) -> ApiError:
    """Something about the request is not as it has to be."""
    return ApiError(400, "invalid_request", message)


def unauthorized(message: str) -> ApiError:
    """No token, or one that does not open this."""
    return ApiError(401, "unauthorized", message, {"WWW-Authenticate": "Bearer"})


class WrongToken(ApiError):
    """A token was shown that does not open this: perhaps a guess."""

    def __init__(self, message: str) -> None:
        refused = unauthorized(message)
        super().__init__(refused.status, refused.code, message, refused.headers)


def not_found() -> ApiError:
    """No such invoice; one of somebody else looks the same."""
    return ApiError(404, "not_found", "there is no invoice of this externalId")


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every failure of a handler in the contract's form."""
    try:
        return await handler(request)
    except Exception as exc:
        return told(exc).response()


def told(exc: Exception) -> ApiError:
    """What a client is told of an exception; one that is not the client's doing is logged."""
    error = _translate(exc)
    if error.code == "internal_error":
        log.error("a call failed unexpectedly", exc_info=exc)
    elif error.status >= 500:
        log.warning("a call could not be served", code=error.code, reason=_reason(exc))
    return error


def _translate(exc: Exception) -> ApiError:
    match exc:
        case ApiError():
            return exc
        case web.HTTPException(status=status) if status < 500:
            return _from_http(exc)
        case _ if type(exc) in _MEANINGS:
            return _MEANINGS[type(exc)]
        case NotYetSure():
            return ApiError(409, "not_yet_sure", str(exc))
        case Refused(refusal=refusal):
            return _from_refusal(refusal)
        case phoenixd.Refused(refusal=refusal):
            message = f"the phoenixd node has refused this: {refusal.message}"
            return ApiError(502, "phoenixd_refused", message)
        case BlinkError():
            return _BLINK_UNAVAILABLE
        case phoenixd.PhoenixdError():
            return _PHOENIXD_UNAVAILABLE
        # A database out of reach shows itself in its driver's words or in the network's.
        case SQLAlchemyError() | OSError():
            return _UNAVAILABLE
        case _:
            return ApiError(500, "internal_error", "something went wrong here")


def _from_http(exc: web.HTTPException) -> ApiError:
    code, message = _HTTP_ERRORS.get(exc.status, ("invalid_request", exc.reason))
    headers = {"Allow": exc.headers["Allow"]} if "Allow" in exc.headers else None
    return ApiError(exc.status, code, message, headers)


def _from_refusal(refusal: Refusal) -> ApiError:
    if refusal.is_throttling:
        message = "Blink takes no more calls just now; ask again later"
        return ApiError(429, "blink_busy", message, {"Retry-After": str(_BUSY_RETRY_SECONDS)})
    return ApiError(502, "blink_refused", f"Blink has refused this: {refusal.message}")


def _reason(exc: Exception) -> str:
    # SQLAlchemy's own text repeats the values of the statement.
    cause = exc.orig if isinstance(exc, DBAPIError) else exc
    return f"{type(cause).__name__}: {cause}"


_MEANINGS: Final[Mapping[type[Exception], ApiError]] = {
    OrderConflict: ApiError(
        409, "external_id_conflict", "this externalId was used for an invoice with another body"
    ),
    AlreadyPaid: ApiError(409, "already_paid", "this invoice was paid"),
    NoSuchPayment: ApiError(404, "not_found", "there is no payment of this hash"),
    NothingHeld: ApiError(
        409,
        "nothing_held",
        "nothing of this payment is held, so there is nothing to settle by hand",
    ),
    NoSuchFinding: ApiError(404, "not_found", "there is no finding of this id"),
    ClosedBefore: ApiError(409, "already_closed", "this finding is closed already"),
    AlreadyForwarded: ApiError(
        409,
        "already_forwarded",
        "the ledger shows that this was forwarded, and that is kept now: pay nothing by hand",
    ),
    CredentialsDisabled: ApiError(
        404, "credentials_disabled", "there is no key here that may be handed out"
    ),
}
_RETRY_AFTER: Final = {"Retry-After": str(_RETRY_SECONDS)}
_BLINK_UNAVAILABLE: Final = ApiError(
    503,
    "blink_unavailable",
    "Blink cannot be reached or did not answer, and nothing was kept; "
    "asking again with the same externalId is safe",
    _RETRY_AFTER,
)
_PHOENIXD_UNAVAILABLE: Final = ApiError(
    503,
    "phoenixd_unavailable",
    "the phoenixd node cannot be reached or did not answer, and nothing was kept; "
    "asking again with the same externalId is safe",
    _RETRY_AFTER,
)
_UNAVAILABLE: Final = ApiError(
    503, "unavailable", "this cannot be served just now; asking again is safe", _RETRY_AFTER
)
