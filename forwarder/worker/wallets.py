"""Which wallet each source is: BlinkPOS, and a phoenixd node where one is set up."""

from __future__ import annotations

from typing import Final

from forwarder.model.source import Source
from forwarder.model.units import WalletId
from forwarder.phoenixd.client import PhoenixdClient
from forwarder.phoenixd.errors import NeverSent
from forwarder.worker.accounts import Accounts
from forwarder.worker.blink_wallet import BlinkWallet
from forwarder.worker.clock import Clock
from forwarder.worker.node_wallet import NodeWallet
from forwarder.worker.wallet import Wallet

_ID_LENGTH: Final = 36  # as much of a node's public key as a wallet's id of Blink's is long


class Wallets:
    """The wallets that this installation has."""

    def __init__(self, accounts: Accounts, node: PhoenixdClient | None, clock: Clock) -> None:
        self._accounts = accounts
        self._node = node
        self._clock = clock

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources that are set up."""
        return (Source.BLINK,) if self._node is None else (Source.BLINK, Source.PHOENIXD)

    async def of(self, source: Source) -> Wallet:
        """The wallet of a source, as it is now. Raises `CallError`."""
        if source is Source.BLINK:
            return BlinkWallet(await self._accounts.pos())
        if self._node is None:
            raise NeverSent("no phoenixd node is set up: set PHOENIXD_HOST and PHOENIXD_TOKEN")
        info = await self._node.info()
        return NodeWallet(self._node, WalletId(info.node_id[:_ID_LENGTH]), self._clock)
