"""Random schedules: a busy day of several tills, with two to six things that go wrong in it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from tests.faults import judge
from tests.faults.disk import Files
from tests.faults.matrix import POINTS, Case, Outcome, check_house, until
from tests.faults.troubles import TROUBLES
from tests.faults.world import Sale, World, opened

MOST_SALES: Final = 50
REST_SECONDS: Final = 30.0  # the faults go on for so long after the last sale
MOST_SECONDS: Final = 3_600.0

Happening = Callable[[World], Awaitable[None]]


async def play(seed: int, files: Files) -> Outcome:
    """One day, up to the verdict."""
    async with opened(files, seed, shops=1 + seed % 3, has_node=seed % 2 == 1) as world:
        happenings = [_happening(world) for _ in range(world.random.randint(2, 6))]
        names = ", ".join(name for name, _ in happenings)
        broken = story = ""
        try:
            await _play(world, [deed for _, deed in happenings])
        except Exception as exc:
            broken, story = f"{type(exc).__name__}: {exc}", judge.story(world)
        case = Case(names, f"{len(world.sales)} sales", seed)
        struck = world.faults_have_fired
        seconds = asyncio.get_running_loop().time()
        return Outcome(case, True, struck, broken, story, seconds, judge.fingerprint(world))


async def _play(world: World, happenings: list[Happening]) -> None:
    # Most days are short, for most mistakes need few sales.
    count = 1 + int((MOST_SALES - 1) * world.random.random() ** 4)
    day = 3 + count * world.random.uniform(0.1, 1.5)
    tills = [_till(world, number, count, day) for number in range(min(count, 3))]
    async with asyncio.timeout(MOST_SECONDS):
        await asyncio.gather(*tills, *(_at_some_time(world, deed, day) for deed in happenings))
    await until(lambda: not judge.unfinished(world), REST_SECONDS)
    await world.calm()
    await check_house(world)
    await judge.settle(world)
    await judge.judge(world)


async def _till(world: World, number: int, count: int, day: float) -> None:
    """One till's share of the sales, each at its time; customers are quick, slow, or do not pay."""
    customers: list[asyncio.Task[None]] = []
    for _ in range(number, count, 3):
        await asyncio.sleep(world.random.expovariate(count / day))
        shop = world.random.choice(world.shops)
        source = world.random.choice(world.sources)
        seconds = world.random.choice((20, 60, 900))
        sale = await world.sell(shop, world.random.randint(1, 9_999), seconds, "tea", source)
        pause = world.random.choice((0.0, 0.1, 1.0, 5.0, 25.0))
        match world.random.randrange(12):
            case 0:
                deed = world.cancel(sale)
            case 1:
                deed = _pay_late(world, sale)
            case 2:
                continue
            case 3:
                deed = _pay(world, sale, extra=world.random.randint(1, 99))
            case _:
                deed = _pay(world, sale)
        customers.append(asyncio.create_task(_after(pause, deed)))
    await asyncio.gather(*customers)


async def _after(seconds: float, deed: Awaitable[None]) -> None:
    await asyncio.sleep(seconds)
    await deed


async def _at_some_time(world: World, deed: Happening, day: float) -> None:
    await asyncio.sleep(world.random.uniform(0, day))
    await deed(world)


async def _pay(world: World, sale: Sale, extra: int = 0) -> None:
    await world.pay(sale, extra)


async def _pay_late(world: World, sale: Sale) -> None:
    await asyncio.sleep(sale.order.expires_in_seconds % 100)
    await world.pay_anyway(sale)


# What happens


def _happening(world: World) -> tuple[str, Happening]:
    kind = world.random.randrange(10)
    if kind < 5:
        trouble = world.random.choice(list(TROUBLES.values()))
        return trouble.name, _deed(trouble.strike)
    if kind < 8:
        point = world.random.choice(POINTS)
        return f"crash at {point}", _deed(lambda world: world.crash_at(point))
    name, deed = world.random.choice(_HAPPENINGS)
    return name, deed


def _deed(strike: Callable[[World], None]) -> Happening:
    async def happen(world: World) -> None:
        strike(world)

    return happen


async def _kill(world: World) -> None:
    world.kill()


async def _stop(world: World) -> None:
    if world.life is not None:
        world.life.stop()


async def _restore(world: World) -> None:
    if world.files.has_backup:
        return
    world.files.back_up()
    await asyncio.sleep(world.random.uniform(0.5, 20))
    await world.restore()


async def _lose(world: World) -> None:
    await world.lose_database()


async def _replay(world: World) -> None:
    await world.replay()


async def _reconcile(world: World) -> None:
    await world.reconcile()


async def _rotate(world: World) -> None:
    world.rotate()
    world.kill()


_HAPPENINGS: Final[list[tuple[str, Happening]]] = [
    ("SIGKILL", _kill),
    ("SIGTERM", _stop),
    ("older database", _restore),
    ("lost database", _lose),
    ("replay", _replay),
    ("reconcile", _reconcile),
    ("new secret key", _rotate),
]
