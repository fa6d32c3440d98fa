"""What is asked of Blink, and what its answers and events are worth by the letter of its schema."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from random import Random
from types import MappingProxyType
from typing import Any, Final

from pydantic import SecretStr

from forwarder.blink import updates
from forwarder.blink.client import BlinkClient, Credentials
from forwarder.blink.errors import BlinkError
from forwarder.blink.replies import ListedInvoice
from forwarder.blink.updates import Gap, Settled, SignOfLife
from forwarder.model.invoice import Issued
from forwarder.model.ledger import Entry, Paid, Underway
from forwarder.model.refusal import Refusal
from forwarder.model.units import MAX_SATS, PaymentHash, Sats, WalletId
from tests.hostile.frames import receipt
from tests.hostile.mangle import HASH, SPECIMENS, mangled

WALLET: Final = WalletId("0" * 36)
BEGINNING: Final = datetime.fromtimestamp(0, UTC)
REASON: Final = 2_000  # characters of a reason that a person can still read

Method = Callable[[BlinkClient], Awaitable[object]]


async def newest_entries(client: BlinkClient) -> object:
    """The first page of entries: a mangled answer may claim that there is always another."""
    async for page in client.entries_since(WALLET, BEGINNING):
        return page
    return None


async def newest_invoices(client: BlinkClient) -> object:
    """The first page of invoices."""
    async for page in client.invoices_since(WALLET, BEGINNING):
        return page
    return None


METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        "create": lambda client: client.create_invoice(WALLET, Sats(1_000), "memo", 60, "fwd-1"),
        "cancel": lambda client: client.cancel_invoice(WALLET, PaymentHash(HASH)),
        "pay": lambda client: client.pay_invoice(WALLET, "lnbcrt1"),
        "entries_of": lambda client: client.entries_of(WALLET, PaymentHash(HASH)),
        "entries": newest_entries,
        "invoice_of": lambda client: client.invoice_of(WALLET, PaymentHash(HASH)),
        "invoices": newest_invoices,
        "wallets": lambda client: client.btc_wallet(),
        "credentials": lambda client: client.credentials(),
    }
)


class Reader:
    """Stands in for gql's session, and gives back whatever it is told to."""

    def __init__(self) -> None:
        self.answer: object = None

    async def execute(self, _request: object, **_more: object) -> object:
        """The answer."""
        return self.answer


def is_proof(answer: Any) -> bool:  # noqa: ANN401 - any JSON
    """Whether an answer to a payment, by the letter of Blink's schema, proves that it was made."""
    try:
        reply = answer["lnInvoicePaymentSend"]
        sent = reply["transaction"]
        settled = (sent["direction"], sent["status"]) == ("SEND", "SUCCESS")
        return settled and reply["status"] in ("SUCCESS", "ALREADY_PAID")
    except (TypeError, KeyError, IndexError):
        return False


async def read_answer(random: Random) -> None:
    """Mangled data is read, or refused with a `BlinkError`; none of it proves what it does not."""
    name = random.choice(_NAMES)
    reader = Reader()
    reader.answer = answer = mangled(random, SPECIMENS[name], most=2)
    client = BlinkClient(reader, SecretStr("canary-key"))  # type: ignore[arg-type]
    try:
        heard = await METHODS[name](client)
    except BlinkError as exc:
        return judge_reason(exc)
    judge_value(heard, answer)


def judge_reason(exc: Exception) -> None:
    """A reason goes into the log and into the journal: a person is to read it."""
    assert len(str(exc)) <= REASON


def judge_value(heard: object, answer: object) -> None:
    """What a call has returned is of a kind that it may return, and small enough to be kept."""
    match heard:
        case Paid():
            assert is_proof(answer), "paid, by no proof"
        case list():
            for one in heard:
                judge_listed(one)
        case Issued():
            assert is_hash(heard.payment_hash)
        case None | str() | Credentials() | Underway() | Refusal():
            pass
        case _:
            raise AssertionError(f"a call has returned {type(heard).__name__}")


def judge_listed(one: object) -> None:
    """A part of a list can be kept in any database."""
    match one:
        case Entry():
            assert -MAX_SATS <= one.amount <= MAX_SATS
            assert type(one.amount) is int
            assert one.payment_hash is None or is_hash(one.payment_hash)
            assert "\x00" not in (one.external_id or "")
        case ListedInvoice():
            assert is_hash(one.payment_hash)
        case _:
            raise AssertionError(f"a list of {type(one).__name__}")


def is_hash(text: str) -> bool:
    """Whether this is a payment hash, as it is written everywhere."""
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


async def read_event(random: Random) -> None:
    """A mangled event is income only if it says so; otherwise it is a gap, or of no interest."""
    data = mangled(random, receipt(), most=2)
    update = updates._read(data)
    if isinstance(update, Settled):
        judge_listed(update.entry)
        told = data["myUpdates"]["update"]["transaction"]
        assert update.entry.amount == told["settlementAmount"]
        assert update.entry.direction == told["direction"]
    else:
        assert isinstance(update, Gap | SignOfLife)


_NAMES: Final = tuple(METHODS)
