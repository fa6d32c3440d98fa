"""The judge sees what it is there for: otherwise a green run means nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import pytest
import structlog
from pydantic import SecretStr

from forwarder.model.keyring import Keyring
from forwarder.sandbox.invoices import InvoiceOrder
from tests.faults import clock, judge, runs
from tests.faults.disk import Files
from tests.faults.judge import Verdict
from tests.faults.world import SECRETS, Sale, World, opened

Deed = Callable[[World, Sale], Awaitable[None]]


@pytest.fixture(scope="module")
def files() -> Iterator[Files]:
    with runs.room() as folder, runs.staged(folder) as files:
        yield files


def verdict_on(deed: Deed, files: Files) -> None:
    """A sale that went well, and something that must not happen after it."""

    async def play() -> None:
        async with opened(files, seed=1) as world:
            sale = await world.sell(world.shops[0], 1_000)
            await world.pay(sale)
            await judge.settle(world)
            await deed(world, sale)
            await judge.judge(world)

    clock.run(play, seed=1)


async def nothing(_: World, __: Sale) -> None: ...


async def pay_again(world: World, sale: Sale) -> None:
    assert sale.invoice is not None
    keyring = Keyring((SecretStr(SECRETS[0]),))
    name = keyring.forward_name(sale.invoice.payment_hash, 0, attempt=2)
    wallet_id = world.shops[0].account.btc_wallet_id
    order = InvoiceOrder(wallet_id, 1_000, "again", external_id=name)
    made = world.sandbox.bank.invoices.create(order)
    await world.sandbox.pay_from(world.pos, made.payment_request)


async def lose_a_payment(world: World, _: Sale) -> None:
    other = await world.sell(world.shops[0], 2_000)
    await world.rest()
    await world.pay(other)


async def go_back(world: World, _: Sale) -> None:
    world.files.update("UPDATE forwards SET state = 'invoiced'")


async def invent_a_send(world: World, _: Sale) -> None:
    world.files.update("UPDATE forwards SET transaction_id = 'invented'")


async def forget_the_page(_: World, sale: Sale) -> None:
    sale.told.clear()


async def say_a_secret(world: World, _: Sale) -> None:
    structlog.get_logger().info("a key is used", key=world.pos_key)


async def keep_a_secret(world: World, _: Sale) -> None:
    world.files.update("UPDATE journal SET detail = ?", world.shops[0].token)


async def take_no_refunds(world: World, _: Sale) -> None:
    world.files.update(
        "CREATE TRIGGER deaf BEFORE INSERT ON refunds BEGIN SELECT RAISE(IGNORE); END"
    )
    await world.refund()


async def ask_too_often(world: World, _: Sale) -> None:
    for _again in range(11):
        world.sandbox._websocket.handshakes.admit(clock.now())


def test_a_good_day_is_not_objected_to(files: Files) -> None:
    verdict_on(nothing, files)


@pytest.mark.parametrize(
    ("deed", "rule"),
    [
        (pay_again, "I2"),
        (pay_again, "I4"),
        (lose_a_payment, "I1"),
        (go_back, "I5"),
        (invent_a_send, "I6"),
        (forget_the_page, "I7"),
        (say_a_secret, "I9: .* was logged"),
        (keep_a_secret, "I9: .* is in the database"),
        (take_no_refunds, "I3: refund"),
        (ask_too_often, "I10"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_what_must_not_happen_is_found(deed: Deed, rule: str, files: Files) -> None:
    with pytest.raises(Verdict, match=rule):
        verdict_on(deed, files)
