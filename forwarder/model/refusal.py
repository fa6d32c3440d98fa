"""What to do about a call that was definitely refused.

The codes and messages are those of Blink's error catalogue (`core/api/src/graphql/error-map.ts` in
blinkbitcoin/blink) and of a node's failures (`OutgoingPaymentFailure.kt` in ACINQ/lightning-kmp). A
refusal never says whether an *earlier* call went through.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

KEY_REFUSED: Final = "KEY_REFUSED"
"""Our own code for an HTTP 401: the key or the password is not known, or no longer."""

THROTTLED: Final = "THROTTLED"
"""Our own code for an HTTP 429 or 403: refused at the door."""

TOO_MANY: Final = "TOO_MANY_REQUEST"
"""Blink's code for more than 60 invoices in a minute, which it then punishes with 300 s."""

NOT_SHOWN: Final = "ALREADY_PAID"
"""Our own code for ALREADY_PAID without a transaction: paid, by us or by somebody else."""

NOT_AUTHORIZED: Final = "NOT_AUTHORIZED"
"""Blink's `Not authorized`; over HTTP it comes without its code."""

NODE_FAILED: Final = "PAYMENT_FAILED"
"""Our own code for a payment that a phoenixd node says has failed; the message is the node's."""

EXPIRED: Final = "EXPIRED"
"""Our own code for a payout invoice that no Lightning node would take any more."""

DUPLICATE_MESSAGE: Final = "External id for invoice or transaction already exists"


class Remedy(StrEnum):
    """What helps against a refusal."""

    RETRY = "retry"
    """It passes by itself: the same call again, later."""
    WAIT = "wait"
    """It lifts by itself, but a person should know: a limit, an empty balance."""
    RENEW = "renew"
    """This payout invoice will never be paid: once that is proven, a new one."""
    HOLD = "hold"
    """Only a person can help."""
    PROVE = "prove"
    """It says that the invoice is paid: only the ledger can show by whom."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A definite no, in the words of who said it. Blink leaves out the code of some errors."""

    code: str | None
    message: str

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]" if self.code else self.message

    @property
    def is_duplicate(self) -> bool:
        """Whether Blink already has an invoice of this externalId."""
        return DUPLICATE_MESSAGE in self.message

    @property
    def has_ended(self) -> bool:
        """Whether an invoice cannot be cancelled because nothing of it is left to cancel."""
        return any(part in self.message for part in ("already been processed", "does not exist"))

    @property
    def is_throttling(self) -> bool:
        """Whether only the pace was wrong."""
        return self.code in (THROTTLED, TOO_MANY)

    @property
    def remedy(self) -> Remedy:
        """What helps; an unknown refusal is tried again, for a person sees it grow old."""
        if self.code == NOT_SHOWN or _SAYS_PAID.search(self.message):
            return Remedy.PROVE
        for code, part, remedy in _REMEDIES:
            if code in (None, self.code) and part in self.message:
                return remedy
        return Remedy.RETRY


# Blink: "Invoice is already paid"; a node: "this invoice has already been paid".
_SAYS_PAID: Final = re.compile(r"already (been )?paid", re.IGNORECASE)

# The first row that fits counts: code (None: any), a part of the message, the remedy.
_REMEDIES: Final[tuple[tuple[str | None, str, Remedy], ...]] = (
    # A new key, or a better minute at Blink, and it goes on without anybody pressing anything.
    (KEY_REFUSED, "", Remedy.WAIT),
    (NOT_AUTHORIZED, "", Remedy.WAIT),
    ("RECEIVE_DISABLED", "", Remedy.HOLD),
    ("OPERATION_RESTRICTED", "", Remedy.HOLD),
    ("CANT_PAY_SELF", "", Remedy.HOLD),
    ("TRANSACTION_RESTRICTED", "", Remedy.WAIT),
    ("INSUFFICIENT_BALANCE", "", Remedy.WAIT),
    (None, "InsufficientBalanceForLnPaymentError", Remedy.WAIT),
    (None, "AuthorizationError", Remedy.HOLD),
    (None, "InvalidWalletForAccountError", Remedy.HOLD),
    (None, "CouldNotFindWalletFromIdError", Remedy.HOLD),
    (None, "Invalid value for", Remedy.HOLD),
    ("INVALID_INPUT", "There is a pending payment", Remedy.RETRY),
    ("INVALID_INPUT", "insufficient fee", Remedy.RETRY),
    ("INVALID_INPUT", "", Remedy.HOLD),
    ("LIGHTNING_PAYMENT_ERROR", "does not exist", Remedy.RENEW),
    ("LIGHTNING_PAYMENT_ERROR", "already expired, or has bad payment hash", Remedy.RENEW),
    ("LIGHTNING_PAYMENT_ERROR", "rejected by destination as invalid", Remedy.RENEW),
    ("LIGHTNING_PAYMENT_ERROR", "invalid feature bits", Remedy.RENEW),
    ("INVOICE_DECODE_ERROR", "", Remedy.RENEW),
    ("NOT_FOUND", "", Remedy.RENEW),
    (EXPIRED, "", Remedy.RENEW),
    (NODE_FAILED, "not enough funds", Remedy.WAIT),
    (NODE_FAILED, "recipient node rejected", Remedy.RENEW),
    # What an expired invoice without a description meets: Blink's node has forgotten it.
    (None, "InvoiceNotFoundError", Remedy.RENEW),
)
