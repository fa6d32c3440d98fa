"""Whatever Blink answers, the service goes on: a sale is forwarded once, or a person is asked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any, Final

import pytest
from coincurve import PrivateKey

from forwarder.blink.errors import BlinkError
from forwarder.model.actor import Actor
from forwarder.model.forward import ForwardState
from forwarder.sandbox import bolt11
from forwarder.sandbox.bolt11 import Terms
from tests.hostile.answers import TO_ANYTHING, with_parts
from tests.hostile.house import CREATE, LOG_LINE, PAY, House, opened, price_of
from tests.hostile.impostor import Asked, Liar, Said, said
from tests.hostile.mangle import HASH, mangled

STRANGER: Final = PrivateKey(b"\x07" * 32)
FIRST_PRICE: Final = 1_000
FORWARDED_SECONDS: Final = 25.0

Lie = Callable[[bytes], Said]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as house:
        yield house


def once(operation: str, lies: Mapping[int, Lie], times: int = 1) -> Liar:
    """Lie about the first payout calls of each price, and then no more."""
    told: Counter[int] = Counter()

    def lie(asked: Asked, honest: bytes) -> Said | None:
        price = price_of(asked)
        if asked.operation != operation or price is None or told[price] >= times:
            return None
        told[price] += 1
        return lies[price](honest) if price in lies else None

    return lie


def priced(lies: Mapping[str, Lie]) -> tuple[dict[int, str], dict[int, Lie]]:
    """A price for each lie: names and lies by price."""
    names = dict(enumerate(lies, start=FIRST_PRICE))
    return names, {price: lies[name] for price, name in names.items()}


def always(answer: Said) -> Lie:
    return lambda _honest: answer


@pytest.mark.parametrize("operation", [CREATE, PAY])
async def test_a_payout_outlives_every_answer_that_is_none(house: House, operation: str) -> None:
    names, lies = priced({name: always(answer) for name, answer in TO_ANYTHING.items()})
    house.impostor.liar = once(operation, lies)
    await house.sell_and_pay(names)
    left = await house.until(ForwardState.FORWARDED, names, FORWARDED_SECONDS)
    assert not [names[price] for price in left]
    assert house.blink.balance(house.merchant.btc_wallet_id) == sum(names)


async def test_no_answer_of_blinks_fills_the_log(house: House) -> None:
    names, lies = priced({name: always(answer) for name, answer in TO_ANYTHING.items()})
    house.impostor.liar = once(PAY, lies)
    await house.sell_and_pay(names)
    await house.until(ForwardState.FORWARDED, names, FORWARDED_SECONDS)
    assert house.longest_line <= LOG_LINE


def pays(**parts: object) -> Lie:
    return lambda honest: with_parts(honest, PAY, **parts)


def sent(**parts: object) -> Lie:
    """A transaction that is not the one that was made."""
    transaction = {"id": "6" * 24, "direction": "SEND", "status": "SUCCESS", **parts}
    return pays(transaction=transaction)


PAID_BUT: Final[Mapping[str, Lie]] = MappingProxyType(
    {
        "no transaction": pays(transaction=None),
        "no status": pays(status=None),
        "an unknown status": pays(status="MYSTERY"),
        "a status in lower case": pays(status="success"),
        "FAILURE": pays(status="FAILURE", errors=[{"message": "no", "code": "UNKNOWN"}]),
        "FAILURE without a reason": pays(status="FAILURE"),
        "FAILURE that cannot be paid": pays(
            status="FAILURE",
            errors=[{"message": "Invoice is already paid", "code": "LIGHTNING_PAYMENT_ERROR"}],
        ),
        "FAILURE without its message": pays(status="FAILURE", errors=[{"code": "X"}]),
        "PENDING": pays(status="PENDING"),
        "ALREADY_PAID": pays(status="ALREADY_PAID"),
        "ALREADY_PAID by nobody": pays(status="ALREADY_PAID", transaction=None),
        "a receipt": sent(direction="RECEIVE"),
        "a direction that is none": sent(direction="SIDEWAYS"),
        "a pending send": sent(status="PENDING"),
        "a failed send": sent(status="FAILURE"),
        "an id that is a number": sent(id=7),
        "an endless id": sent(id="6" * 100_000),
        "a transaction that is a list": pays(transaction=[]),
        "errors beside success": pays(errors=[{"message": "but", "code": None}]),
    }
)


async def test_a_payout_is_proven_whatever_its_answer_says(house: House) -> None:
    names, lies = priced(PAID_BUT)
    house.impostor.liar = once(PAY, lies)
    await house.sell_and_pay(names)
    left = await house.until(ForwardState.FORWARDED, names, FORWARDED_SECONDS)
    assert not [names[price] for price in left]
    assert len(house.blink.invoices(house.merchant.btc_wallet_id)) == len(names)


def another(change: Callable[[Terms], Terms]) -> Lie:
    """A payout invoice that asks for something else than was asked for, well signed."""

    def lie(honest: bytes) -> Said:
        made = json.loads(honest)["data"][CREATE]["invoice"]
        terms = change(bolt11.decode(made["paymentRequest"]).terms)
        request = bolt11.encode(terms, STRANGER)
        parts = {"paymentRequest": request, "paymentHash": terms.payment_hash}
        return with_parts(honest, CREATE, "invoice", **parts)

    return lie


def makes(**parts: object) -> Lie:
    return lambda honest: with_parts(honest, CREATE, "invoice", **parts)


def misspelt(honest: bytes) -> Said:
    request = json.loads(honest)["data"][CREATE]["invoice"]["paymentRequest"]
    wrong = request[:-1] + ("q" if request[-1] != "q" else "p")
    return with_parts(honest, CREATE, "invoice", paymentRequest=wrong)


LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)
EXPIRED: Final = another(
    lambda terms: replace(terms, created_at=LONG_AGO, expires_in=timedelta(seconds=1))
)

UNFIT: Final[Mapping[str, Lie]] = MappingProxyType(
    {
        "a sat more": another(lambda terms: replace(terms, sats=(terms.sats or 0) + 1)),
        "a sat less": another(lambda terms: replace(terms, sats=(terms.sats or 0) - 1)),
        "a thousand times as much": another(lambda t: replace(t, sats=(t.sats or 0) * 1_000)),
        "any amount": another(lambda terms: replace(terms, sats=None)),
        "another network": another(lambda terms: replace(terms, network="mainnet")),
        "a third network": another(lambda terms: replace(terms, network="signet")),
        "another hash beside it": makes(paymentHash=HASH),
        "one letter wrong": misspelt,
        "no invoice": makes(paymentRequest="lnbcrt1" + "q" * 50),
        "an address": makes(paymentRequest="bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"),
        "a long text": makes(paymentRequest="lnbcrt10u1" + "q" * 8_000),
        "not ASCII": makes(paymentRequest="lnbcrt10u1" + "\u20bf" * 300),
    }
)


async def test_a_payout_invoice_that_is_not_what_was_asked_for_is_never_paid(house: House) -> None:
    names, lies = priced(UNFIT)
    house.impostor.liar = once(CREATE, lies)
    await house.sell_and_pay(names)
    left = await house.until(ForwardState.HELD, names, FORWARDED_SECONDS)
    assert not [names[price] for price in left]
    assert not house.blink.sends(house.pos.btc_wallet_id)
    assert PAY not in [asked.operation for asked in house.impostor.asked]


async def test_a_payout_invoice_that_has_expired_is_not_paid(house: House) -> None:
    house.impostor.liar = once(CREATE, {FIRST_PRICE: EXPIRED})
    await house.sell_and_pay([FIRST_PRICE])
    assert await house.until(ForwardState.FORWARDED, [FIRST_PRICE], seconds=2)
    assert PAY not in [asked.operation for asked in house.impostor.asked]


async def test_what_was_held_for_a_lie_is_forwarded_once_blink_is_honest(house: House) -> None:
    names, lies = priced(UNFIT)
    house.impostor.liar = once(CREATE, lies)
    await house.sell_and_pay(names)
    await house.until(ForwardState.HELD, names, FORWARDED_SECONDS)
    await house.service.desk.replay_all(Actor.HTTP)
    left = await house.until(ForwardState.FORWARDED, names, FORWARDED_SECONDS)
    assert not [names[price] for price in left]
    assert house.blink.balance(house.merchant.btc_wallet_id) == sum(names)


async def test_a_sale_whose_invoice_is_not_what_was_asked_for_is_not_made(house: House) -> None:
    lies = {**UNFIT, **{name: always(answer) for name, answer in TO_ANYTHING.items()}}
    taken = {"another network", "a third network"}  # nothing here says which is right
    for n, name in enumerate(lies.keys() - taken):
        lie = lies[name]
        house.impostor.liar = lambda asked, honest, lie=lie: (  # type: ignore[misc]
            lie(honest) if asked.operation == CREATE else None
        )
        with pytest.raises(BlinkError):
            await house.sell(FIRST_PRICE + n)
    house.impostor.liar = lambda _asked, _honest: None
    await house.sell_and_pay([21])
    assert not await house.until(ForwardState.FORWARDED, [21], FORWARDED_SECONDS)


def looks(change: Callable[[dict[str, Any]], object]) -> Lie:
    """Another answer to the question for the proof."""

    def lie(honest: bytes) -> Said:
        answer = json.loads(honest)
        wallet = answer["data"]["me"]["defaultAccount"]["walletById"]
        for entry in wallet["transactionsByPaymentHash"]:
            change(entry)
        return said(answer)

    return lie


PROOFS: Final[Mapping[str, Lie]] = MappingProxyType(
    {
        "nothing": lambda honest: with_parts(
            honest, "me", "defaultAccount", "walletById", transactionsByPaymentHash=[]
        ),
        "null": lambda honest: with_parts(
            honest, "me", "defaultAccount", "walletById", transactionsByPaymentHash=None
        ),
        "no wallet": lambda honest: with_parts(honest, "me", "defaultAccount", walletById=None),
        "a receipt": looks(lambda entry: entry.update(direction="RECEIVE")),
        "a failure": looks(lambda entry: entry.update(status="FAILURE")),
        "a pending one": looks(lambda entry: entry.update(status="PENDING")),
        "an unknown status": looks(lambda entry: entry.update(status="MAYBE")),
        "dollars": looks(lambda entry: entry.update(settlementCurrency="USD")),
        "shells": looks(lambda entry: entry.update(settlementCurrency="SHELLS")),
        "a fraction": looks(lambda entry: entry.update(settlementAmount=-0.5)),
        "a text": looks(lambda entry: entry.update(settlementAmount="-1000")),
        "no time": looks(lambda entry: entry.update(createdAt=None)),
        "a time beyond time": looks(lambda entry: entry.update(createdAt=10**18)),
        "an unknown beginning": looks(lambda e: e["initiationVia"].update(__typename="ByPigeon")),
        "more than was asked for": looks(lambda entry: entry.update(memo="hello")),
        "less than was asked for": looks(lambda entry: entry.pop("id")),
    }
)


async def test_a_proof_that_is_none_pays_nothing_twice(house: House) -> None:
    """The answer of each payout is lost, and then the first proof is a lie."""
    names, lies = priced(PROOFS)
    by_hash: dict[str, int] = {}
    lose = once(PAY, {price: always(Said(status=502)) for price in names})
    told: Counter[int] = Counter()

    def liar(asked: Asked, honest: bytes) -> Said | None:
        if asked.operation == PAY:
            terms = bolt11.decode(str(asked.input["paymentRequest"])).terms
            by_hash[terms.payment_hash] = terms.sats or 0
        price = by_hash.get(str(asked.variables.get("paymentHash")))
        if price is None or told[price]:
            return lose(asked, honest)
        told[price] += 1
        return lies[price](honest)

    house.impostor.liar = liar
    await house.sell_and_pay(names)
    left = await house.until(ForwardState.FORWARDED, names, FORWARDED_SECONDS)
    assert not [names[price] for price in left]
    assert set(told) == set(names)
    assert len(house.blink.invoices(house.merchant.btc_wallet_id)) == len(names)


async def test_a_list_that_is_throttled_is_asked_for_again_soon(house: House) -> None:
    """A key that may not read will never read; a throttle lifts, and the invoice is found."""
    lose = once(CREATE, {FIRST_PRICE: always(Said(status=502))})
    throttled: list[Asked] = []

    def liar(asked: Asked, honest: bytes) -> Said | None:
        is_list = asked.operation == "me" and b'"invoices"' in honest
        if is_list and not throttled:
            throttled.append(asked)
            return Said(status=429)
        return lose(asked, honest)

    house.impostor.liar = liar
    await house.sell_and_pay([FIRST_PRICE])
    assert not await house.until(ForwardState.FORWARDED, [FIRST_PRICE], FORWARDED_SECONDS)
    assert throttled
    assert len(house.blink.invoices(house.merchant.btc_wallet_id)) == 1


# What leaves it open whether a later call fares better: a refusal may be meant for good.
UNSURE: Final = [answer for answer in TO_ANYTHING.values() if not 400 <= answer.status < 500]


@pytest.mark.parametrize("seed", range(2))
async def test_a_storm_of_mangled_answers_passes(house: House, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - replayable on purpose
    left = [200]

    def liar(asked: Asked, honest: bytes) -> Said | None:
        if not left[0] or random.random() < 0.5 or asked.operation not in (CREATE, PAY, "me"):
            return None
        left[0] -= 1
        if asked.operation == "me":
            return random.choice(UNSURE)
        return said(mangled(random, json.loads(honest), most=1))

    prices = list(range(FIRST_PRICE, FIRST_PRICE + 25))
    for price in prices:
        await house.sell(price)
    house.impostor.liar = liar
    for price in prices:
        await house.blink.pay(house.sold[price].payment_request)
    await house.until(ForwardState.FORWARDED, prices, 3)
    left[0] = 0
    await house.service.desk.replay_all(Actor.HTTP)
    assert not await house.until(ForwardState.FORWARDED, prices, FORWARDED_SECONDS)
    assert house.blink.balance(house.merchant.btc_wallet_id) == sum(prices)
