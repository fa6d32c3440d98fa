"""The README tells the truth."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from forwarder.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CI = (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize(
    "command",
    [
        "python3 -m venv .venv",
        ".venv/bin/pip install -q . && .venv/bin/forwarder demo",
        ".venv/bin/pip install -q -e '.[dev]'",
        ".venv/bin/python -m pytest",
    ],
)
def test_the_checks_run_the_commands_that_the_readme_gives(command: str) -> None:
    assert command in README
    assert command in CI


def test_the_readme_names_every_setting_and_no_other() -> None:
    table = README.split("### Settings")[1].split("## HTTP")[0]
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", table))
    assert named == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize(
    "text",
    ["README.md", "CONTRIBUTING.md"]
    + [
        f"docs/{name}.md"
        for name in ("design", "guarantees", "integration", "performance", "runbook")
    ],
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
