"""Blink's replies as models that reject what they do not understand."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)
from pydantic.alias_generators import to_camel

from forwarder.model.ledger import Direction, Entry, EntryStatus, Paid, Underway
from forwarder.model.refusal import NOT_SHOWN, Refusal
from forwarder.model.units import MAX_SATS, PaymentHash
from forwarder.model.words import plain

Id = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,64}$")]
ExternalId = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,100}$")]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Request = Annotated[str, StringConstraints(min_length=10, max_length=8192)]
Whole = Annotated[int, Field(strict=True, ge=-MAX_SATS, le=MAX_SATS)]


def _moment(seconds: object) -> datetime:
    """Blink's `Timestamp`: whole seconds since 1970."""
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise ValueError("a Timestamp is a whole number of seconds")
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError) as exc:
        raise ValueError("a Timestamp is out of range") from exc


Timestamp = Annotated[datetime, BeforeValidator(_moment)]


class Reply(BaseModel):
    """A part of a reply: camel case on the wire, no field that was not asked for."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class Error(Reply):
    """A payload error. The code is missing in those of Blink's wallet middleware."""

    message: Annotated[str, AfterValidator(plain)]
    code: Annotated[str, AfterValidator(plain)] | None

    def refusal(self) -> Refusal:
        """This error as a definite no."""
        return Refusal(self.code, self.message)


class CreatedInvoice(Reply):
    """`LnInvoice`, as far as it was asked for."""

    payment_hash: Hash
    payment_request: Request
    satoshis: Whole
    created_at: Timestamp


class CreateReply(Reply):
    """`LnInvoicePayload`."""

    errors: list[Error]
    invoice: CreatedInvoice | None


class CancelReply(Reply):
    """`SuccessPayload`."""

    errors: list[Error]
    success: bool | None


class SendStatus(StrEnum):
    """`PaymentSendResult`."""

    SUCCESS = "SUCCESS"
    PENDING = "PENDING"
    ALREADY_PAID = "ALREADY_PAID"
    FAILURE = "FAILURE"


class SentTransaction(Reply):
    """The transaction in a `PaymentSendPayload`."""

    id: Id
    direction: Direction
    status: EntryStatus


class PayReply(Reply):
    """`PaymentSendPayload`; `status` is null when the input or the key was refused."""

    errors: list[Error]
    status: SendStatus | None
    transaction: SentTransaction | None

    def outcome(self) -> Paid | Underway | Refusal:
        """What Blink says. A `Refusal` is no proof: Blink can say FAILURE after money moved."""
        sent = self._proof()
        match self.status:
            case SendStatus.SUCCESS | SendStatus.ALREADY_PAID if sent is not None:
                return sent
            case SendStatus.SUCCESS | SendStatus.PENDING:
                return Underway()
            case SendStatus.ALREADY_PAID if self.transaction is not None:
                return Underway()
            case SendStatus.ALREADY_PAID:
                return Refusal(NOT_SHOWN, "the payout invoice is paid, and Blink shows no payment")
            case SendStatus.FAILURE | None:
                return self.errors[0].refusal() if self.errors else Refusal(None, "no reason given")

    def _proof(self) -> Paid | None:
        sent = self.transaction
        if sent is None or sent.direction is not Direction.SEND:
            return None
        return Paid(sent.id) if sent.status is EntryStatus.SUCCESS else None


class InitiationViaLn(Reply):
    """Begun by Lightning: has a payment hash."""

    typename: Literal["InitiationViaLn"] = Field(alias="__typename")
    payment_hash: Hash


class InitiationViaOther(Reply):
    """Begun in another way."""

    typename: Literal["InitiationViaIntraLedger", "InitiationViaOnChain"] = Field(
        alias="__typename"
    )


class UpdateTransaction(Reply):
    """A `Transaction` in an event, where its time is broken."""

    id: Id
    direction: Direction
    status: EntryStatus
    settlement_amount: Whole
    settlement_currency: Literal["BTC", "USD"]
    external_id: ExternalId | None
    initiation_via: InitiationViaLn | InitiationViaOther = Field(discriminator="typename")

    @property
    def payment_hash(self) -> PaymentHash | None:
        """The payment hash of what was begun by Lightning."""
        via = self.initiation_via
        return PaymentHash(via.payment_hash) if isinstance(via, InitiationViaLn) else None

    def entry(self, created_at: datetime) -> Entry | None:
        """This transaction as an entry of a BTC wallet; None for dollars."""
        if self.settlement_currency != "BTC":
            return None
        return Entry(
            id=self.id,
            direction=self.direction,
            status=self.status,
            amount=self.settlement_amount,
            payment_hash=self.payment_hash,
            external_id=self.external_id,
            created_at=created_at,
        )


class Transaction(UpdateTransaction):
    """A `Transaction` in the answer to a query."""

    created_at: Timestamp


class ListedInvoice(Reply):
    """An `Invoice` in a list."""

    payment_hash: Hash
    payment_request: Request
    external_id: ExternalId
    created_at: Timestamp


class Wallet(Reply):
    """A wallet; the balance only where it was asked for."""

    id: Id
    wallet_currency: Literal["BTC", "USD"]
    balance: Whole = 0


class Authorization(Reply):
    """What the API key may do."""

    scopes: list[str]


class Globals(Reply):
    """Blink itself."""

    network: str


class Account(Reply):
    """The account behind the API key."""

    wallets: list[Wallet]


class Me(Reply):
    """The user behind the API key."""

    default_account: Account


class CredentialsReply(Reply):
    """Everything that is asked about an API key at once."""

    authorization: Authorization
    globals: Globals
    me: Me
