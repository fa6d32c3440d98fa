"""Two processes on one PostgreSQL: one is killed, and the other finishes everything."""

from __future__ import annotations

import asyncio
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

TOGETHER: Final = (1.0, 4.0)  # seconds that both live
# A lease of the dead one runs out first, and they last for a minute.
FINAL_SECONDS: Final = 120.0
ALONE: Final = (1.0, 3.0)  # seconds before the dead one is started again


@dataclass
class Pair:
    """The two processes; tills go to whichever lives."""

    children: Sequence[Child]
    sessions: Sequence[aiohttp.ClientSession]
    random: Random

    def session(self) -> aiohttp.ClientSession:
        """One that leads to a living process."""
        alive = [n for n, child in enumerate(self.children) if child.is_running]
        return self.sessions[self.random.choice(alive)]

    async def kill_one(self, campaign: Campaign) -> Child:
        """Let both live for a while, and kill either, rather while money is on its way."""
        await asyncio.sleep(self.random.uniform(*TOGETHER))
        await campaign.see("lnInvoicePaymentSend")
        await asyncio.sleep(self.random.uniform(0, 0.15))
        victim = self.random.choice(self.children)
        await victim.kill()
        return victim


async def run(folder: Path, seed: int, kills: int, report: Report) -> Outcome:
    """Kill one of two `kills` times while both sell; at last the survivor is alone."""
    async with AsyncExitStack() as stack:
        cluster = stack.enter_context(serve_postgres())
        url = cluster.url(cluster.create())
        blink = await stack.enter_async_context(Sandbox.serve(seed=seed))
        campaign = Campaign(blink, folder, seed, report, url)
        children = [campaign.child(RUN, name) for name in ("one", "two")]
        sessions = [
            await stack.enter_async_context(aiohttp.ClientSession(child.url)) for child in children
        ]
        pair = Pair(children, sessions, campaign.random)
        await campaign.enrol(children[0])
        for child in children:
            await child.start()
        shops = campaign.open_shops(pair.session)
        campaign.break_things()
        async with trading(shops):
            await _rounds(pair, campaign, kills)
        campaign.mend_things()
        await asyncio.sleep(3.5)  # the last customers are slow
        return await _close(pair, campaign)


async def _rounds(pair: Pair, campaign: Campaign, kills: int) -> None:
    for n in range(1, kills + 1):
        victim = await pair.kill_one(campaign)
        campaign.note(victim.folder.name)
        campaign.report(
            f"kill {n}/{kills} of process {victim.folder.name}, {len(campaign.sales)} sales"
        )
        if n < kills:
            await asyncio.sleep(pair.random.uniform(*ALONE))
            await victim.start()


async def _close(pair: Pair, campaign: Campaign) -> Outcome:
    """The survivor alone has to bring everything to its end."""
    await campaign.settle(FINAL_SECONDS)
    await campaign.look()
    await campaign.compare_figures()
    for shop in campaign.shops:
        await shop.leave()
    for child in pair.children:
        status = await child.hang_up()
        campaign.outcome.verdict.claim(status == 0, f"SIGTERM was answered with status {status}")
        campaign.search(child)
    return campaign.judge()
