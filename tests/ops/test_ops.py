"""The alert rules and the board ask for metrics that are there, and each alert is explained."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from forwarder.worker import scrape
from forwarder.worker.scrape import Process
from tests.exposition import Exposition
from tests.worker.conftest import Shop

ROOT = Path(__file__).parents[2]
OPS = ROOT / "ops"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((OPS / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
BOARD: dict[str, Any] = json.loads((OPS / "board.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
# `.ci/run` puts it beside Python.
PATH = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
PROMTOOL = shutil.which("promtool", path=PATH) or ""
needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="promtool is not here")
METRIC = re.compile(r"\b(?:forwarder|process)_\w+")


def expressions() -> Iterator[str]:
    """Every query of the rules and the board."""
    yield from (rule["expr"] for rule in RULES)
    yield from (target["expr"] for panel in PANELS for target in panel["targets"])
    yield from (str(one.get("definition", "")) for one in BOARD["templating"]["list"])


async def test_every_metric_that_is_asked_for_is_in_a_scrape(shop: Shop) -> None:
    await shop.reconciler.reconcile()
    metrics = shop.common.metrics
    metrics.requests.labels("GET", "/health", "2xx").inc()
    metrics.request_seconds.labels("/health").observe(0)
    metrics.deaths.labels("watcher").inc()
    process = Process(shop.watcher.watch, pages=0, tasks_down=0, read_key_usable=True)
    names = Exposition((await scrape.exposition(shop.common, process)).decode()).names
    asked = {name for expression in expressions() for name in METRIC.findall(expression)}
    assert len(asked) > 25
    assert asked - names == set()


async def test_every_value_of_a_label_that_is_asked_for_can_come_up(shop: Shop) -> None:
    process = Process(shop.watcher.watch, pages=0, tasks_down=0, read_key_usable=True)
    samples = Exposition((await scrape.exposition(shop.common, process)).decode()).samples
    known = {(name, value) for sample in samples for name, value in sample.labels.items()}
    known |= {("job", "forwarder"), ("job", "$job"), ("status", "5xx")}
    asked = {
        (name, value)
        for expression in expressions()
        for name, values in re.findall(r'(\w+)[!=]~?"([^"]+)"', expression)
        for value in values.split("|")
    }
    assert asked - known == set()


def test_every_alert_is_explained_and_nothing_else_is() -> None:
    headings = set(re.findall(r"^### (\w+)$", RUNBOOK, re.MULTILINE))
    assert headings == {rule["alert"] for rule in RULES}
    for rule in RULES:
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in ("critical", "warning")


def test_the_log_says_what_the_runbook_has_it_say() -> None:
    quoted = {" ".join(words.split()) for words in re.findall(r"`([^`]*)`", RUNBOOK)}
    sentences = {words for words in quoted if re.fullmatch(r"an? \w+( \w+)+|the \w+( \w+)+", words)}
    said = "".join(path.read_text() for path in (ROOT / "forwarder").rglob("*.py"))
    assert len(sentences) > 5
    assert {words for words in sentences if f'"{words}"' not in said} == set()


def test_every_alert_is_tried() -> None:
    tried = yaml.safe_load((OPS / "alerts_test.yml").read_text())["tests"]
    names = {one["alertname"] for test in tried for one in test.get("alert_rule_test", [])}
    assert names == {rule["alert"] for rule in RULES}


@needs_promtool
@pytest.mark.parametrize(
    "command", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")]
)
def test_promtool_accepts_the_rules(command: tuple[str, ...]) -> None:
    done = subprocess.run([PROMTOOL, *command], cwd=OPS, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
async def test_promtool_finds_no_fault_with_the_names(shop: Shop) -> None:
    process = Process(shop.watcher.watch, pages=0, tasks_down=0, read_key_usable=True)
    text = await scrape.exposition(shop.common, process)
    pipe = asyncio.subprocess.PIPE
    promtool = await asyncio.create_subprocess_exec(
        PROMTOOL, "check", "metrics", stdin=pipe, stdout=pipe, stderr=pipe
    )
    said = await promtool.communicate(text)
    assert promtool.returncode == 0, said


def test_the_board_can_be_used_with_any_data_source() -> None:
    names = {one["name"]: one["type"] for one in BOARD["templating"]["list"]}
    assert names == {"datasource": "datasource", "job": "query"}
    for panel in PANELS:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["title"]
        assert panel["description"]


def test_no_two_panels_lie_on_the_same_place() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
