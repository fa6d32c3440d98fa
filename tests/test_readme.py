"""The README tells the truth."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from forwarder.settings import Settings
from forwarder.web.routes import ROUTES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted((ROOT / "docs").glob("*.md"))
CI = (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize(
    "command",
    [
        "python3 -m venv .venv",
        ".venv/bin/pip install -q . && .venv/bin/forwarder demo",
        ".venv/bin/pip install -q -e '.[dev]'",
        ".venv/bin/python -m pytest --cov",
    ],
)
def test_the_checks_run_the_commands_that_the_readme_gives(command: str) -> None:
    assert command in README
    assert command in CI


def test_the_readme_names_every_setting_and_no_other() -> None:
    table = README.split("### Settings")[1].split("## HTTP")[0]
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", table))
    assert named == {name.upper() for name in Settings.model_fields}


def test_the_readme_names_every_call() -> None:
    table = README.split("## HTTP")[1].split("## WebSocket")[0]
    calls = {route.path for route in ROUTES if route.answer is not None}
    shown = {re.sub("_([a-z])", lambda found: found[1].upper(), path) for path in calls}
    assert {path for path in shown if path not in table} == set()


@pytest.mark.parametrize(
    "text", ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in PAGES)]
)
def test_links_lead_somewhere(text: str) -> None:
    page = ROOT / text
    links = re.findall(r"\]\((?!http|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_module_that_the_design_names_is_there() -> None:
    named = re.findall(
        r"`((?:worker|store|web|model)/\w+\.py)`", (ROOT / "docs/design.md").read_text()
    )
    assert named
    assert [name for name in named if not (ROOT / "forwarder" / name).exists()] == []
