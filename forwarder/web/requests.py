"""What clients may send: bodies, queries and messages, read strictly and explained when refused."""

from __future__ import annotations

import asyncio
import json
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Final, Literal, TypeVar

from aiohttp import web
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict

from forwarder.model.source import Source
from forwarder.model.units import MAX_MEMO_BYTES, MAX_SATS, NAME_OF_A_PAYMENT, PaymentHash
from forwarder.web.errors import ApiError, invalid, not_found

BODY_SECONDS: Final = 15.0  # 16 KiB arrive in that on any line that can hold a sale
MAX_EXPIRY_SECONDS: Final = 86_400
MAX_LISTED: Final = 100

_EXPLAINED: Final = 5
# `.` and `..` cannot be asked for in a path.
_EXTERNAL_ID: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_PLAIN: Final = r"^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f]*$"
_HASH: Final = re.compile(NAME_OF_A_PAYMENT)
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_COUNT: Final = re.compile(r"[0-9]{1,6}")


def is_external_id(text: str) -> bool:
    """Whether an invoice can have this name."""
    return _EXTERNAL_ID.fullmatch(text) is not None


def _external_id(text: str) -> str:
    if not is_external_id(text):
        raise ValueError("must be 1 to 100 letters, digits, dots, hyphens or underscores")
    return text


def _description(text: str) -> str:
    if len(text.encode()) > MAX_MEMO_BYTES:
        raise ValueError(f"must be at most {MAX_MEMO_BYTES} bytes of UTF-8")
    return _plain_text(text)


def _plain_text(text: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in set(text) - {"\n", "\t"}):
        raise ValueError("must not have control characters")
    return text


def moment(text: str, *, zone: tzinfo | None = None) -> datetime:
    """A time with its zone, or else in `zone` if one is given. Raises `ValueError`."""
    try:
        found = datetime.fromisoformat(text)
        where = found.tzinfo or zone
        if where is None or not text.isprintable():  # Python reads over a NUL
            raise ValueError
        return found.replace(tzinfo=where).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            "must be an ISO 8601 time with its zone, like 2026-01-31T12:00:00Z"
        ) from None


def _count(text: str) -> int:
    if _COUNT.fullmatch(text) is None:
        raise ValueError("must be a whole number")
    return int(text)


ExternalId = Annotated[
    str,
    AfterValidator(_external_id),
    WithJsonSchema({"type": "string", "pattern": f"^{_EXTERNAL_ID.pattern}$"}),
]
Description = Annotated[
    str,
    AfterValidator(_description),
    WithJsonSchema({"type": "string", "maxLength": MAX_MEMO_BYTES, "pattern": _PLAIN}),
]
Plain = AfterValidator(_plain_text)
PLAIN: Final[JsonDict] = {"pattern": _PLAIN}
"""What the document says of a text that is `Plain`."""

Moment = Annotated[datetime, BeforeValidator(moment)]
Limit = Annotated[int, Field(ge=1, le=MAX_LISTED), BeforeValidator(_count)]


class Sent(BaseModel):
    """What a client may send: nothing else, and nothing of another type."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, alias_generator=to_camel)


class NewInvoice(Sent):
    """The body of `POST /api/invoice`. A null is the same as nothing."""

    amount_sat: Annotated[int, Field(ge=1, le=MAX_SATS)]
    description: Description | None = None
    external_id: ExternalId | None = None
    expires_in_seconds: Annotated[int, Field(ge=1, le=MAX_EXPIRY_SECONDS)] | None = None
    source: Annotated[Source, Field(strict=False)] | None = None


class Listing(Sent):
    """The query of `GET /api/invoice`."""

    since: Moment | None = Field(None, alias="from")
    limit: Limit = 20


class Identify(Sent):
    """A page's message that it shows an invoice."""

    type: Literal["identify"]
    external_id: ExternalId
    token: str | None = None


_Read = TypeVar("_Read", bound=BaseModel)


async def body(request: web.Request, kind: type[_Read]) -> _Read:
    """The body of a call. Raises `ApiError`."""
    return read(await raw(request), kind)


async def raw(request: web.Request) -> bytes:
    """The body of a call as it came. Raises `ApiError`."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise ApiError(408, "request_timeout", "the body did not arrive in time") from None
    except (web.RequestPayloadError, ConnectionError):
        raise invalid("the body is cut off, or is not encoded as its headers say") from None


def hash_in_path(request: web.Request) -> PaymentHash:
    """The payment hash that the path names. Raises `ApiError` for what cannot be one."""
    payment_hash = request.match_info["payment_hash"].lower()
    if _HASH.fullmatch(payment_hash) is None:
        raise ApiError(404, "not_found", "there is no payment of this hash")
    return PaymentHash(payment_hash)


def finding_in_path(request: web.Request) -> int:
    """The finding that the path names. Raises `ApiError` for what cannot be one."""
    text = request.match_info["id"]
    if _NUMBER.fullmatch(text) is None:
        raise ApiError(404, "not_found", "there is no finding of this id")
    return int(text)


def external_id_in_path(request: web.Request) -> str:
    """The externalId that the path names. Raises `ApiError` for what cannot be one."""
    external_id = request.match_info["external_id"]
    if not is_external_id(external_id):
        raise not_found()
    return external_id


def query(request: web.Request, kind: type[_Read]) -> _Read:
    """The query of a call. Raises `ApiError`."""
    parameters: dict[str, object] = dict(request.query)
    if len(parameters) != len(request.query):
        raise invalid("a query parameter is there twice")
    return _checked(parameters, kind)


def read(raw: bytes | str, kind: type[_Read]) -> _Read:
    """What a JSON text says. Raises `ApiError`."""
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise _not_json("it is not UTF-8") from None
    except json.JSONDecodeError as exc:
        raise _not_json(f"{exc.msg} at character {exc.pos}") from None
    except (ValueError, RecursionError):
        raise _not_json("a name is there twice, or a part is too large or too deep") from None
    if not isinstance(document, dict):
        raise invalid("this must be a JSON object")
    return _checked(document, kind)


def _not_json(why: str) -> ApiError:
    return ApiError(400, "invalid_json", f"this is not JSON as it should be: {why}")


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    # Two readers of a repeated name may each believe another value: here nobody has to choose.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _no_number(_text: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


def _checked(document: dict[str, object], kind: type[_Read]) -> _Read:
    try:
        return kind.model_validate(document)
    except ValidationError as exc:
        raise invalid(_explain(exc)) from None


def _explain(exc: ValidationError) -> str:
    """What is wrong with which field, in plain words, without the values: they may be secrets."""
    problems = exc.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(_problem(*problem["loc"], problem["msg"]) for problem in problems[:_EXPLAINED])


def _problem(*parts: object) -> str:
    *place, message = [str(part) for part in parts]
    return ": ".join([*place, _plain(message)])


def _plain(message: str) -> str:
    if message == "Field required":
        return "is missing"
    if message == "Extra inputs are not permitted":
        return "is not known here"
    return message.removeprefix("Value error, ").replace("Input should", "must")
