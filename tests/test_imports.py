"""The rooms of the house, and which way one may look into another."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "forwarder"

# What each room may import of the package, beside itself.
MAY_SEE = {
    "model": set[str](),
    "settings": {"model"},
    "logs": set[str](),
    "failpoints": set[str](),
    "bounds": set[str](),
    "blink": {"model", "bounds"},
    "phoenixd": {"model", "bounds"},
    "store": {"model", "failpoints"},
    "sandbox": set[str](),
    "worker": {"model", "blink", "phoenixd", "store", "settings", "failpoints", "__init__"},
    "web": {"model", "blink", "phoenixd", "store", "worker", "settings", "__init__"},
    "demo": {"model", "sandbox", "worker", "web", "settings"},
    "cli": {"__init__", "model", "blink", "store", "sandbox", "worker", "web", "settings"}
    | {"demo", "logs"},
    "__init__": set[str](),
    "__main__": {"cli"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def seen_by(path: Path) -> set[str]:
    """The rooms that a module imports, whether at its top, in a function, or for its types."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            inside = node.module == "forwarder"
            names += [f"forwarder.{a.name}" for a in node.names] if inside else [str(node.module)]
    return {_room(name) for name in names if name.split(".")[0] == "forwarder"}


def _room(name: str) -> str:
    part = name.split(".")[1] if "." in name else "__init__"
    return part if (PACKAGE / part).is_dir() or (PACKAGE / f"{part}.py").exists() else "__init__"


def test_every_room_is_known() -> None:
    assert {room_of(path) for path in MODULES} == set(MAY_SEE)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    room = room_of(path)
    assert seen_by(path) - {room} <= MAY_SEE[room]


@pytest.mark.parametrize(
    ("library", "room"),
    [("sqlalchemy", "store"), ("gql", "blink"), ("alembic", "store"), ("websockets", "blink")],
)
def test_each_foreign_language_is_spoken_in_one_room(library: str, room: str) -> None:
    allowed = {"settings", "worker/service", "web/errors"} if library == "sqlalchemy" else set()
    speakers = {
        str(path.relative_to(PACKAGE)).removesuffix(".py")
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Import) and node.names[0].name.split(".")[0] == library)
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == library)
    }
    assert {name for name in speakers if not name.startswith(f"{room}/")} <= allowed
