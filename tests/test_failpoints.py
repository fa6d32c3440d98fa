"""Each failpoint stands once, where its name says, and does what a test has set there."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from forwarder import failpoints
from forwarder.failpoints import POINTS, failpoint

PACKAGE = Path(failpoints.__file__).parent


def placed() -> Iterator[tuple[str, str]]:
    """The module and the name of every failpoint in the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id == "failpoint":
                (name,) = node.args
                assert isinstance(name, ast.Constant), f"{path}: a failpoint's name is a constant"
                yield path.stem, str(name.value)


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    failpoints.disarm()


def test_every_point_stands_exactly_once_and_none_is_unknown() -> None:
    assert Counter(name for _, name in placed()) == Counter(list(POINTS))


def test_every_point_stands_in_the_module_that_its_name_says() -> None:
    assert {name: module for module, name in placed()} == {n: n.split(".")[0] for n in POINTS}


class Reached(Exception):
    """A point was passed while it was armed."""


async def act() -> None:
    raise Reached


def test_a_point_that_nobody_knows_cannot_be_armed() -> None:
    with pytest.raises(KeyError):
        failpoints.arm("sales.nowhere", act)


async def test_a_point_passes_unless_it_is_armed() -> None:
    await failpoint("sales.kept")
    failpoints.arm("sales.kept", act)
    await failpoint("sales.asked")
    with pytest.raises(Reached):
        await failpoint("sales.kept")
    failpoints.disarm("sales.kept")
    await failpoint("sales.kept")


async def test_all_points_can_be_let_pass_again_at_once() -> None:
    for name in POINTS:
        failpoints.arm(name, act)
    failpoints.disarm()
    for name in POINTS:
        await failpoint(name)
