"""Blink's scalars: what they accept, what they say otherwise, and how they print."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from graphql import ConstValueNode, GraphQLScalarType, GraphQLSchema, value_from_ast_untyped

from forwarder.sandbox.errors import InvalidInput

Parse = Callable[[object], object]

MAX_SATS = 10_000_000_000_000
MAX_CENTS = 100_000_000_000_00
MAX_MEMO_BYTES = 639

EXTERNAL_ID_MESSAGE = (
    "Invalid external id string passed. ID should be either alphanumeric or contain the "
    "characters '_' or '-'. It should not be more than 100 characters long as well."
)
PATTERNS: dict[str, tuple[str, str]] = {
    "EndpointUrl": (r"https?://\S+", "Invalid value for EndpointUrl"),
    "LnPaymentRequest": (r"(?i:ln[a-z0-9]+)", "Invalid value for LnPaymentRequest"),
    "PaymentHash": (r"[0-9a-fA-F]{64}", "Invalid value for PaymentHash"),
    "TxExternalId": (r"[a-z0-9_-]{1,100}", EXTERNAL_ID_MESSAGE),
    "Username": (
        r"(?i:(?![13_]|bc1|lnbc1)(?=.*[a-z])[0-9a-z_]{3,50})",
        "Invalid value for Username",
    ),
    "WalletId": (
        r"(?i:[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})",
        "Invalid value for WalletId",
    ),
}


def bind(schema: GraphQLSchema) -> None:
    """Give the scalars of a schema their behaviour.

    A value that is not accepted becomes an InvalidInput for the resolver: Blink's scalars do not
    raise, which is why bad input shows as a payload error.
    """
    parsers = {name: matching(*rule) for name, rule in PATTERNS.items()} | PARSERS
    for name, parse in parsers.items():
        scalar = schema.get_type(name)
        if isinstance(scalar, GraphQLScalarType):
            scalar.coerce_input_value = parse
            scalar.coerce_input_literal = _of_literal(parse)
    timestamp = schema.get_type("Timestamp")
    if isinstance(timestamp, GraphQLScalarType):
        timestamp.coerce_output_value = print_timestamp


def matching(pattern: str, message: str) -> Parse:
    expression = re.compile(pattern)

    def parse(value: object) -> object:
        if isinstance(value, str) and expression.fullmatch(value):
            return value
        return InvalidInput(message)

    return parse


def parse_sats(value: object) -> object:
    # Floats are cut off without a word when they come as variables.
    number = _whole(int(value) if isinstance(value, float) else value)
    if number is None:
        return InvalidInput("Invalid value for SatAmount")
    return InvalidInput("Value too big for SatAmount") if number > MAX_SATS else number


def parse_cents(value: object) -> object:
    number = _whole(value)
    if number is None or number > MAX_CENTS:
        return InvalidInput("Invalid value for CentAmount")
    return number


def parse_minutes(value: object) -> object:
    number = _whole(value)
    return InvalidInput("Invalid value for Minutes") if number is None else number


def parse_memo(value: object) -> object:
    if not isinstance(value, str):
        return InvalidInput("Invalid value for Memo")
    too_long = len(value.encode()) > MAX_MEMO_BYTES
    return InvalidInput("Memo is too long") if too_long else value


def parse_hex32(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"(?:[0-9a-f]{2})+", value):
        return InvalidInput("Hex32Bytes is not valid hex")
    return value if len(value) == 64 else InvalidInput("Hex32Bytes is not 32 bytes")


def print_timestamp(value: object) -> object:
    """Unix seconds of a date.

    Events reach Blink's subscribers through JSON, which leaves their dates as text: the scalar then
    prints the error itself where the number should be.
    """
    if isinstance(value, datetime):
        return int(value.timestamp())
    return {"message": "Invalid value for Date", "extensions": {"code": "INVALID_INPUT"}}


PARSERS: dict[str, Parse] = {
    "CentAmount": parse_cents,
    "Hex32Bytes": parse_hex32,
    "Memo": parse_memo,
    "Minutes": parse_minutes,
    "SatAmount": parse_sats,
}


def _whole(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,20}", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return None


def _of_literal(parse: Parse) -> Callable[[ConstValueNode], object]:
    return lambda node: parse(value_from_ast_untyped(node))
