"""What the sandbox and the Blink inside it may answer instead of doing what was asked.

Exception
  SandboxError        the test asked for something impossible (paying an expired invoice, ...)
  Refusal             Blink says no: an entry of a payload's `errors`, or a top-level error
    InvalidInput      a scalar that does not parse: a refusal without a code
"""

from __future__ import annotations

from typing import Literal

ErrorCode = Literal[
    "CANT_PAY_SELF",
    "INSUFFICIENT_BALANCE",
    "INVALID_INPUT",
    "INVOICE_DECODE_ERROR",
    "LIGHTNING_PAYMENT_ERROR",
    "NOT_FOUND",
    "RECEIVE_DISABLED",
    "TOO_MANY_REQUEST",
    "TRANSACTION_RESTRICTED",
    "UNEXPECTED_CLIENT_ERROR",
]


class SandboxError(Exception):
    """What was asked of the sandbox cannot be done."""


class Refusal(Exception):
    """Blink declines; nothing has moved unless the one who raises it says otherwise."""

    def __init__(self, message: str, code: str | None = None) -> None:
        self.message = message
        self.code = code
        # GraphQL picks this up; Blink's router drops it again, its websocket does not.
        self.extensions = {"code": code} if code else None
        super().__init__(message)


class InvalidInput(Refusal):
    """A value that its scalar does not accept.

    Blink's scalars hand this to the resolver instead of raising it, so that mutations can answer
    with a payload error.
    """


def refusal(code: ErrorCode, message: str) -> Refusal:
    return Refusal(message, code)


def unexpected(name: str, detail: str = "Unknown error") -> Refusal:
    """An error that Blink does not translate; only the name inside the message tells which."""
    message = (
        "Unexpected error occurred, please try again or contact support if it persists "
        f"(code: {name}: {detail})"
    )
    return refusal("UNEXPECTED_CLIENT_ERROR", message)


def uncoded(error: Refusal) -> Refusal:
    """The same error as Blink's wallet-id middleware passes it on: without its code."""
    return Refusal(error.message)


def not_authorized() -> Refusal:
    return Refusal("Not authorized")


def out_of_scope(verb: str) -> Refusal:
    return uncoded(unexpected("AuthorizationError", f"not authorized to {verb}"))


def no_such_invoice(payment_hash: str) -> Refusal:
    message = f"User tried to pay invoice with hash {payment_hash}, but it does not exist"
    return refusal("LIGHTNING_PAYMENT_ERROR", message)


def already_paid() -> Refusal:
    return refusal("LIGHTNING_PAYMENT_ERROR", "Invoice is already paid")


def invoice_dead() -> Refusal:
    message = "Invoice already expired, or has bad payment hash"
    return refusal("LIGHTNING_PAYMENT_ERROR", message)


def payment_pending() -> Refusal:
    return refusal("INVALID_INPUT", "There is a pending payment for this invoice")


def pays_self() -> Refusal:
    return refusal("CANT_PAY_SELF", "User tried to pay themselves")


def balance_too_low(amount: int, unit: str, balance: int) -> Refusal:
    message = f"Payment amount '{amount}' {unit} exceeds balance '{balance}'"
    return refusal("INSUFFICIENT_BALANCE", message)


def account_inactive() -> Refusal:
    return refusal("INVALID_INPUT", "Account is inactive.")


def receive_disabled() -> Refusal:
    message = (
        "This account can no longer receive payments. If this is your account, please update the "
        "Blink app to migrate your funds."
    )
    return refusal("RECEIVE_DISABLED", message)


def too_many_invoices() -> Refusal:
    message = "Too many invoices creation, please wait for a while and try again."
    return refusal("TOO_MANY_REQUEST", message)


def lock_busy() -> Refusal:
    return unexpected("ResourceAttemptsRedlockServiceError")


def duplicate_external_id() -> Refusal:
    return refusal("INVALID_INPUT", "External id for invoice or transaction already exists")


def wrong_currency() -> Refusal:
    return refusal("INVALID_INPUT", "Unsupported operation for wallet's currency.")


def amount_required(unit: Literal["satoshi", "usd"]) -> Refusal:
    return refusal("INVALID_INPUT", f"A valid {unit} amount is required")


def spending_limit(cents: int) -> Refusal:
    message = f"Cannot transfer more than ${cents / 100:.2f} in 24 hours"
    return refusal("TRANSACTION_RESTRICTED", message)


def key_spending_limit() -> Refusal:
    message = "9 FAILED_PRECONDITION: ApplicationError - LimitError: daily spending limit exceeded"
    return refusal("TRANSACTION_RESTRICTED", message)
