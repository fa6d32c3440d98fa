"""Killed with SIGKILL while a webhook is being kept: what it told is not lost, and pays once."""

from __future__ import annotations

import signal
from typing import Any, Final

import pytest

from forwarder.sandbox import Fault
from forwarder.sandbox.phoenixd import NodeFault
from tests.e2e.conftest import BLINK_WEBHOOK_SECRET, NodeWorld, World
from tests.e2e.test_blink_webhook import sell_watched, witnesses
from tests.kill.child import Child

# The real service, which dies when it comes to a point.
MORTAL: Final = """
import os, signal, sys
from forwarder import failpoints

async def die():
    os.kill(os.getpid(), signal.SIGKILL)

failpoints.arm(sys.argv.pop(1), die)
from forwarder.cli import main
main()
"""


async def mortal(world: World, point: str) -> Child:
    """The service, in whose place one runs that dies at a point."""
    await world.forwarder.stop()
    living = world.forwarder
    child = Child(living.environment, living.folder, living.port)
    child.program = ("-c", MORTAL, point, "run")
    await child.start()
    return child


async def is_killed(world: World, child: Child) -> None:
    assert await child.wait() == -signal.SIGKILL, child.output.decode()
    await world.forwarder.start()


async def is_forwarded_once(world: World, sale: dict[str, Any]) -> None:
    await world.till.until(sale, "forwarded", seconds=45)
    assert world.earned == 1_000
    assert len(world.payouts()) == 1


async def test_what_the_node_told_before_it_was_kept_is_found_without_it(house: NodeWorld) -> None:
    """The node tells a thing once, and nobody was there to hear it."""
    child = await mortal(house.world, "hints.verified")
    house.node.faults.add(NodeFault("incoming_list", "http_500", times=None))
    sale = await house.sell()
    house.node.pay(sale["invoice"])
    house.node.faults.clear()
    await is_killed(house.world, child)
    await is_forwarded_once(house.world, sale)
    assert [one.status for one in house.node.webhooks.deliveries] == [None]


async def test_what_the_node_told_is_known_after_a_kill_as_soon_as_it_was_kept(
    house: NodeWorld,
) -> None:
    """The list of the node is dark, so only what was kept can tell of the payment."""
    child = await mortal(house.world, "hints.kept")
    house.node.faults.add(NodeFault("incoming_list", "http_500", times=None))
    sale = await house.sell()
    house.node.pay(sale["invoice"])
    await is_killed(house.world, child)
    await house.world.till.until(sale, "paid")
    assert await witnesses(house.world, "phoenixd") == {"webhook": 1}
    assert not house.node.sends  # nothing leaves before the node's list was read
    house.node.faults.clear()
    await is_forwarded_once(house.world, sale)
    assert [one.status for one in house.node.webhooks.deliveries] == [None]


@pytest.mark.parametrize("point", ["hints.verified", "hints.kept"])
async def test_what_blink_told_is_told_again_and_pays_once(world: World, point: str) -> None:
    """It was not answered, kept or not: so Svix tells it again, after all is done."""
    child = await mortal(world, point)
    sale = await told_by_webhook(world)
    await is_killed(world, child)
    await is_forwarded_once(world, sale)
    await world.until(lambda: received(world) == [None, 200], seconds=30)
    await is_forwarded_once(world, sale)


async def told_by_webhook(world: World) -> dict[str, Any]:
    """A sale of whose payment nothing else tells."""
    url = f"{world.forwarder.url}/api/webhook/blink"
    world.blink.call_back(world.pos, url, BLINK_WEBHOOK_SECRET)
    world.blink.faults.add(Fault("event", "drop", times=None))
    sale = await sell_watched(world)
    await world.blink.pay(sale["invoice"])
    return sale


def received(world: World) -> list[int | None]:
    """How each attempt to tell of the receipt was answered."""
    told = [one for one in world.blink.callbacks if one.message.event_type == "receive.lightning"]
    return [one.status for one in told]
