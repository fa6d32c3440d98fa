"""The judge: what Blink's own ledger, and Blink's own doorkeeper, say of a run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr

from forwarder.model.keyring import Keyring
from forwarder.model.units import PaymentHash
from forwarder.sandbox import Sandbox
from forwarder.sandbox.accounts import Account
from forwarder.sandbox.locks import WalletLocks
from tests.kill.shop import Sale, Shop

MINUTE: Final = timedelta(seconds=60)
HANDSHAKES: Final = 10
CREATIONS: Final = 60
# The service counts a handshake when it begins one, Blink when it arrives there.
ON_THE_WAY: Final = timedelta(seconds=1)

_NAME: Final = re.compile(r"fwd-[0-9a-f]{40}-0-\d+")


class WatchedLocks(WalletLocks):
    """Blink's wallet locks, which also notice when two come for one wallet at once."""

    def __init__(self, locks: WalletLocks) -> None:
        super().__init__(locks._timing, locks._entropy)
        self._present: Counter[str] = Counter()
        self.crowded = 0

    @asynccontextmanager
    async def hold(self, wallet_id: str) -> AsyncIterator[None]:
        """Own the wallet, as ever."""
        self._present[wallet_id] += 1
        self.crowded += self._present[wallet_id] > 1
        try:
            async with super().hold(wallet_id):
                yield
        finally:
            self._present[wallet_id] -= 1


@dataclass
class Verdict:
    """What was found wrong, and the figures that it was found from."""

    wrong: list[str] = field(default_factory=list)
    sales: int = 0
    paid: int = 0
    received: int = 0
    forwarded: int = 0
    handshakes: int = 0
    creations: int = 0

    def claim(self, holds: bool, otherwise: str) -> None:
        """Note something that does not hold."""
        if not holds:
            self.wrong.append(otherwise)


def judge(
    blink: Sandbox, pos: Account, shops: Sequence[Shop], secret: str, locks: WatchedLocks
) -> Verdict:
    """Everything that must hold once a run is over."""
    blink.verify()
    verdict = Verdict()
    paid = {sale.payment_hash: sale for shop in shops for sale in shop.sales if sale.paid}
    verdict.sales, verdict.paid = sum(len(shop.sales) for shop in shops), len(paid)
    _judge_income(verdict, blink, pos, paid)
    _judge_sends(verdict, blink, pos, paid, Keyring((SecretStr(secret),)))
    _judge_shops(verdict, blink, shops)
    verdict.claim(locks.crowded == 0, f"{locks.crowded} sends came while another was under way")
    _judge_limits(verdict, blink)
    return verdict


def _judge_income(verdict: Verdict, blink: Sandbox, pos: Account, paid: dict[str, Sale]) -> None:
    received = {str(r.payment_hash): r.amount for r in blink.receipts(pos.btc_wallet_id)}
    verdict.received = sum(received.values())
    same = received == {name: sale.paid for name, sale in paid.items()}
    verdict.claim(same, "the customers have paid something else than BlinkPOS has received")


def _judge_sends(
    verdict: Verdict, blink: Sandbox, pos: Account, paid: dict[str, Sale], keys: Keyring
) -> None:
    """One SEND for each sale, under the sale's own name, of the sale's own amount."""
    sends = blink.sends(pos.btc_wallet_id)
    verdict.forwarded = -sum(send.amount for send in sends)
    names = Counter(str(send.external_id) for send in sends)
    stems = Counter(_stem(name) for name in names.elements())
    amounts = {_stem(str(send.external_id)): -send.amount for send in sends}
    verdict.claim(all(map(_NAME.fullmatch, names)), "a SEND has a name that is not a forward's")
    twice = [stem for stem, count in stems.items() if count > 1]
    verdict.claim(not twice, f"sales forwarded twice: {twice}")
    hashes = Counter(send.payment_hash for send in sends)
    verdict.claim(max(hashes.values(), default=0) <= 1, "a payout invoice was paid twice")
    for payment_hash, sale in paid.items():
        stem = keys.forward_prefixes(PaymentHash(payment_hash), position=0)[0]
        sent = amounts.pop(stem, None)
        verdict.claim(sent == sale.paid, f"{payment_hash}: paid {sale.paid}, forwarded {sent}")
    verdict.claim(not amounts, f"SENDs that belong to no sale: {sorted(amounts)}")


def _judge_shops(verdict: Verdict, blink: Sandbox, shops: Iterable[Shop]) -> None:
    for shop in shops:
        earned, due = blink.balance(shop.account.btc_wallet_id), sum(s.paid for s in shop.sales)
        verdict.claim(earned == due, f"{shop.name} has {earned} sat and is due {due} sat")


def _judge_limits(verdict: Verdict, blink: Sandbox) -> None:
    verdict.handshakes = len(blink.handshakes)
    most = most_within(blink.handshakes, MINUTE - ON_THE_WAY)
    verdict.claim(most <= HANDSHAKES, f"{most} websocket handshakes in a minute")
    creations = [call for call in blink.calls if call.operation == "lnInvoiceCreate"]
    verdict.creations = len(creations)
    for account in {call.account_id for call in creations}:
        most = most_within([c.at for c in creations if c.account_id == account], MINUTE)
        verdict.claim(most <= CREATIONS, f"{most} invoices of one account in a minute")


def most_within(moments: Sequence[datetime], window: timedelta) -> int:
    """The largest number of moments that lie within one window; they come in order."""
    first = most = 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - window:
            first += 1
        most = max(most, last - first + 1)
    return most


def _stem(name: str) -> str:
    return name.rpartition("-")[0] + "-"
