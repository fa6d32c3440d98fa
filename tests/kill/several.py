"""Three processes on one PostgreSQL: one is killed or frozen, and the others go on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import aiohttp

from forwarder.sandbox import Sandbox
from tests.databases import serve_postgres
from tests.kill.campaign import Campaign, Outcome, Report, trading
from tests.kill.child import RUN, Child

NAMES: Final = ("one", "two", "three")
TOGETHER: Final = (1.0, 4.0)  # seconds that all live
FINAL_SECONDS: Final = 120.0
DEAD: Final = (1.0, 3.0)  # seconds before the dead one is started again
FROZEN: Final = (5.0, 9.0)  # seconds, in which its leases and its transaction end


@dataclass
class Several:
    """The processes; tills go to those that live."""

    children: Sequence[Child]
    sessions: Sequence[aiohttp.ClientSession]
    random: Random
    out: Child | None = None

    def session(self) -> aiohttp.ClientSession:
        """One that leads to a living process."""
        alive = [n for n, child in enumerate(self.children) if child is not self.out]
        return self.sessions[self.random.choice(alive)]

    async def choose(self, campaign: Campaign) -> Child:
        """Let all live for a while, and choose any, rather while money is on its way."""
        await asyncio.sleep(self.random.uniform(*TOGETHER))
        await campaign.see("lnInvoicePaymentSend")
        await asyncio.sleep(self.random.uniform(0, 0.15))
        self.out = self.random.choice(self.children)
        return self.out

    async def kill(self, victim: Child) -> None:
        """No last word; and it is started again in a while."""
        await victim.kill()
        await asyncio.sleep(self.random.uniform(*DEAD))
        await victim.start()
        self.out = None

    async def freeze(self, victim: Child) -> None:
        """It stands still for longer than its leases last, and goes on as if nothing had been."""
        victim.send(signal.SIGSTOP)
        await asyncio.sleep(self.random.uniform(*FROZEN))
        victim.send(signal.SIGCONT)
        self.out = None


async def run(folder: Path, seed: int, kills: int, report: Report) -> Outcome:
    """Kill or freeze one of them `kills` times while all sell; at last one is killed for good."""
    async with AsyncExitStack() as stack:
        cluster = stack.enter_context(serve_postgres())
        url = cluster.url(cluster.create())
        blink = await stack.enter_async_context(Sandbox.serve(seed=seed))
        campaign = Campaign(blink, folder, seed, report, url)
        children = [campaign.child(RUN, name) for name in NAMES]
        sessions = [
            await stack.enter_async_context(aiohttp.ClientSession(child.url)) for child in children
        ]
        several = Several(children, sessions, campaign.random)
        await campaign.enrol(children[0])
        for child in children:
            await child.start()
        shops = campaign.open_shops(several.session)
        campaign.break_things()
        async with trading(shops):
            await _rounds(several, campaign, kills)
        campaign.mend_things()
        await asyncio.sleep(3.5)  # the last customers are slow
        return await _close(several, campaign)


async def _rounds(several: Several, campaign: Campaign, kills: int) -> None:
    for n in range(1, kills + 1):
        victim = await several.choose(campaign)
        campaign.note(victim.folder.name)
        way = "kill" if n % 2 else "freeze"
        about = f"{n}/{kills}: {way} process {victim.folder.name}"
        campaign.report(f"{about}, {len(campaign.sales)} sales")
        await (several.kill(victim) if way == "kill" else several.freeze(victim))
    await (await several.choose(campaign)).kill()


async def _close(several: Several, campaign: Campaign) -> Outcome:
    """The survivors have to bring everything to its end."""
    await campaign.settle(FINAL_SECONDS)
    await campaign.look()
    await campaign.compare_figures()
    for shop in campaign.shops:
        await shop.leave()
    for child in several.children:
        status = await child.hang_up()
        campaign.outcome.verdict.claim(status == 0, f"SIGTERM was answered with status {status}")
        campaign.search(child)
    return campaign.judge()
