"""What strangers can do with BlinkPOS's account, without any key of ours."""

from __future__ import annotations

from functools import partial
from typing import Final, Literal

from forwarder.sandbox import TransactionView
from forwarder.sandbox.invoices import InvoiceOrder
from tests.faults.world import World

Way = Literal["gift", "transfer", "mystery", "second_receipt"]
WAYS: Final[tuple[Way, ...]] = ("gift", "transfer", "mystery", "second_receipt")


def come(way: Way, world: World) -> None:
    """Send something that no sale explains; it has to come to light."""
    match way:
        case "transfer":
            world.strange[_transfer(world).id] = 0
        case "gift":
            world.strange[_give(world).id] = 0
        case "mystery":
            given = _give(world)
            world.sandbox.mystify(given.id)
            world.strange[given.id] = 0
        case "second_receipt":
            world.network.spawn(world.soon(partial(pay_again, world)))


def _transfer(world: World) -> TransactionView:
    bank = world.sandbox.bank
    payer = bank.accounts.wallet(world.stranger.btc_wallet_id)
    payee = bank.accounts.wallet(world.pos.btc_wallet_id)
    bank.settlement.transfer(payer, payee, 300, "\x00", notify=True)
    return world.sandbox.receipts(payee.id)[0]


def _give(world: World) -> TransactionView:
    """A sat for an invoice that looks like a sale's, and says what no database takes."""
    name = f"pos-{'0' * 16}-{world.random.randbytes(20).hex()}"
    order = InvoiceOrder(world.pos.btc_wallet_id, 1, "\x00\x1b]0;x\x07", 15, name)
    made = world.sandbox.bank.invoices.create(order)
    return world.sandbox.bank.settlement.receive(made, 1)


async def pay_again(world: World) -> bool:
    """Blink locks a wallet for its own users, and a hash for all others: two can come through."""
    sold = {sale.invoice.payment_hash for sale in world.sales if sale.invoice is not None}
    paid = [tx for tx in world.sandbox.receipts(world.pos.btc_wallet_id) if tx.payment_hash in sold]
    if not paid or paid[0].payment_hash is None:
        return False
    invoice = world.sandbox.bank.invoices.find(paid[0].payment_hash)
    assert invoice is not None
    again = world.sandbox.bank.settlement.receive(invoice, paid[0].amount)
    world.strange[again.id] = again.amount
    return True
