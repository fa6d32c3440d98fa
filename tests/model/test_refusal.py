"""What helps against a refusal, for every error that Blink is known to answer with."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.model.refusal import (
    KEY_REFUSED,
    NOT_AUTHORIZED,
    NOT_SHOWN,
    THROTTLED,
    Refusal,
    Remedy,
)

RETRY, WAIT, RENEW, HOLD, PROVE = Remedy

Nature = Literal["passes", "lifts", "final", "ambiguous"]
"""What is known of an error: it passes soon, or in hours or when somebody acts; it is final for
this input; or nothing is known before one has looked the payment up."""

UNEXPECTED = "Unexpected error occurred, please try again or contact support if it persists"

CATALOGUE: list[tuple[str | None, str, Nature, Remedy]] = [
    ("TRANSACTION_RESTRICTED", "Cannot transfer more than $5.00 in 24 hours", "lifts", WAIT),
    ("TRANSACTION_RESTRICTED", "daily spending limit exceeded", "lifts", WAIT),
    ("OPERATION_RESTRICTED", "This account is being migrated", "final", HOLD),
    ("INSUFFICIENT_BALANCE", "Payment amount '9' sats exceeds balance '1'", "lifts", WAIT),
    ("CANT_PAY_SELF", "User tried to pay themselves", "final", HOLD),
    ("LIGHTNING_PAYMENT_ERROR", "Invoice is already paid", "ambiguous", PROVE),
    (
        "LIGHTNING_PAYMENT_ERROR",
        "User tried to pay invoice with hash abcd, but it does not exist",
        "final",
        RENEW,
    ),
    (
        "LIGHTNING_PAYMENT_ERROR",
        "Temporary failure when trying to pay, please retry payment",
        "passes",
        RETRY,
    ),
    (
        "LIGHTNING_PAYMENT_ERROR",
        "Temporary failure when trying to pay, please try again later",
        "passes",
        RETRY,
    ),
    ("LIGHTNING_PAYMENT_ERROR", "Payment was rejected by destination as invalid", "final", RENEW),
    ("LIGHTNING_PAYMENT_ERROR", "Invoice already expired, or has bad payment hash", "final", RENEW),
    ("LIGHTNING_PAYMENT_ERROR", "Payment was sent and is still in transition.", "ambiguous", RETRY),
    (
        "LIGHTNING_PAYMENT_ERROR",
        "Issue with lightning payment, please try again.",
        "passes",
        RETRY,
    ),
    (
        "LIGHTNING_PAYMENT_ERROR",
        "Invoice may have invalid feature bits set, please check again.",
        "final",
        RENEW,
    ),
    (
        "LIGHTNING_PAYMENT_ERROR",
        "Unknown error occurred (code: UnknownLightningServiceError)",
        "ambiguous",
        RETRY,
    ),
    ("ROUTE_FINDING_ERROR", "Unable to find a route for payment.", "passes", RETRY),
    (
        "ROUTE_FINDING_ERROR",
        "Unknown error occurred when trying to find a route for payment.",
        "passes",
        RETRY,
    ),
    ("INVOICE_DECODE_ERROR", "Invoice is missing its 'payment secret' value", "final", RENEW),
    ("INVOICE_DECODE_ERROR", "Invoice has an invalid checksum, please check again", "final", RENEW),
    (
        "INVOICE_DECODE_ERROR",
        "Invoice has an unknown character, couldn't decode.",
        "final",
        RENEW,
    ),
    ("INVOICE_DECODE_ERROR", "Invalid lightning request, couldn't decode.", "final", RENEW),
    ("INVALID_INPUT", "There is a pending payment for this invoice", "ambiguous", RETRY),
    ("INVALID_INPUT", "A valid satoshi amount is required", "final", HOLD),
    ("INVALID_INPUT", "A valid usd amount is required", "final", HOLD),
    ("INVALID_INPUT", "Sats amount passed is too large", "final", HOLD),
    ("INVALID_INPUT", "Invoice does not have a valid amount to pay", "final", HOLD),
    ("INVALID_INPUT", "Invoice must be a zero-amount invoice", "final", HOLD),
    ("INVALID_INPUT", "Invalid invoice amount", "final", HOLD),
    ("INVALID_INPUT", "Invalid walletId for account.", "final", HOLD),
    ("INVALID_INPUT", "Unsupported operation for wallet's currency.", "final", HOLD),
    ("INVALID_INPUT", "Account is inactive.", "final", HOLD),
    ("INVALID_INPUT", "Amount sent was too low for recipient's usd wallet.", "final", HOLD),
    ("INVALID_INPUT", "The invoice has already been processed", "final", HOLD),
    ("INVALID_INPUT", 'Cannot use both "first" and "last".', "final", HOLD),
    (
        "INVALID_INPUT",
        "Requested page size (101) is greater than max allowed page size 100.",
        "final",
        HOLD,
    ),
    (
        "INVALID_INPUT",
        "Payment failed due to an insufficient fee, please try again later or contact support if "
        "the problem persists.",
        "passes",
        RETRY,
    ),
    ("RECEIVE_DISABLED", "This account can no longer receive payments.", "final", HOLD),
    (
        "TOO_MANY_REQUEST",
        "Too many invoices creation, please wait for a while and try again.",
        "passes",
        RETRY,
    ),
    ("NOT_FOUND", "The associated lightning invoice could not be found.", "final", RENEW),
    (
        "LND_OFFLINE",
        "Offchain action failed, please try again in a few minutes.",
        "ambiguous",
        RETRY,
    ),
    ("DEALER_ERROR", "No price data from dealer", "passes", RETRY),
    ("DEALER_OFFLINE", "No connection to dealer", "passes", RETRY),
    ("PRICE_SERVICE_OFFLINE", "Price unavailable, please try again", "passes", RETRY),
    ("DB_ERROR", "Service offline, please try again", "ambiguous", RETRY),
    ("DB_ERROR", "Unknown error occurred (code: UnknownRepositoryError)", "ambiguous", RETRY),
    ("DB_ERROR", "Unknown error occurred (code: UnknownLedgerError)", "ambiguous", RETRY),
    (
        "UNEXPECTED_CLIENT_ERROR",
        f"{UNEXPECTED} (code: ResourceAttemptsRedlockServiceError: Unknown error)",
        "passes",
        RETRY,
    ),
    (
        "UNEXPECTED_CLIENT_ERROR",
        f"{UNEXPECTED} (code: ResourceExpiredLockServiceError: Unknown error)",
        "ambiguous",
        RETRY,
    ),
    (
        "UNEXPECTED_CLIENT_ERROR",
        f"{UNEXPECTED} (code: InvoiceNotFoundError: )",
        "final",
        RENEW,
    ),
    (
        "UNEXPECTED_CLIENT_ERROR",
        f"{UNEXPECTED} (code: CouldNotFindTransactionError: )",
        "ambiguous",
        RETRY,
    ),
    (
        "UNEXPECTED_CLIENT_ERROR",
        f"{UNEXPECTED} (code: InsufficientBalanceForLnPaymentError: )",
        "lifts",
        WAIT,
    ),
    # Blink's wallet middleware leaves the code out.
    (None, f"{UNEXPECTED} (code: AuthorizationError: not authorized to read)", "final", HOLD),
    (None, f"{UNEXPECTED} (code: InvalidWalletForAccountError: )", "final", HOLD),
    (None, f"{UNEXPECTED} (code: CouldNotFindWalletFromIdError: )", "final", HOLD),
    (None, "Invalid value for WalletId", "final", HOLD),
    ("UNKNOWN_CLIENT_ERROR", "Unknown error occurred (code: Whatever)", "ambiguous", RETRY),
    # A new key, or a better minute at Blink, and it goes on by itself.
    (NOT_AUTHORIZED, "Not authorized", "lifts", WAIT),
    # Our own codes, for what comes without one.
    (KEY_REFUSED, "Blink answered with HTTP status 401", "lifts", WAIT),
    (NOT_SHOWN, "the payout invoice is paid", "ambiguous", PROVE),
    # What a node says.
    ("PAYMENT_FAILED", "this invoice has already been paid", "ambiguous", PROVE),
    (THROTTLED, "Blink answered with HTTP status 429", "passes", RETRY),
]

FITTING: dict[Nature, set[Remedy]] = {
    "passes": {RETRY},
    "lifts": {WAIT},
    "final": {RENEW, HOLD},
    "ambiguous": {RETRY, PROVE},
}


@pytest.mark.parametrize(("code", "message", "nature", "remedy"), CATALOGUE)
def test_every_error_of_the_catalogue_has_its_remedy(
    code: str | None, message: str, nature: Nature, remedy: Remedy
) -> None:
    assert Refusal(code, message).remedy is remedy
    assert remedy in FITTING[nature]


@given(st.none() | st.text(), st.text())
def test_every_refusal_has_a_remedy_and_a_sentence(code: str | None, message: str) -> None:
    refusal = Refusal(code, message)
    assert refusal.remedy in Remedy
    assert message in str(refusal)
    assert not code or f"[{code}]" in str(refusal)


@pytest.mark.parametrize("code", [None, "SOMETHING_NEW", "MIGRATION_ON_HOLD"])
def test_a_refusal_that_nobody_knows_is_tried_again(code: str | None) -> None:
    assert Refusal(code, "something new").remedy is RETRY


def test_a_duplicate_is_known_by_its_message() -> None:
    message = "External id for invoice or transaction already exists"
    assert Refusal("INVALID_INPUT", message).is_duplicate
    assert Refusal(None, message).is_duplicate
    assert not Refusal("INVALID_INPUT", "Account is inactive.").is_duplicate
