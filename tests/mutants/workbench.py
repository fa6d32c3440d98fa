"""Puts a mistake into a copy of the code, and lets a few tests look for it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.mutants.mistakes import Mistake, Patch

ROOT: Final = Path(__file__).parents[2]
COPIED: Final = ("forwarder", "migrations", "tests", "alembic.ini", "pyproject.toml")
# What takes long, or makes copies itself, catches nothing here.
LEFT_OUT: Final = ("__pycache__", "kill", "sandbox", ".hypothesis")
SECONDS: Final = 100.0
# Most of pytest's start is spent on plugins that no test in here needs.
QUICKLY: Final = {"PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
PLUGINS: Final = (
    *("-o", "addopts=--import-mode=importlib"),
    *("-p", "pytest_asyncio.plugin", "-p", "pytest_timeout", "-p", "pytest_cov.plugin"),
)

ALL_PASSED, SOME_FAILED = 0, 1  # pytest's exit statuses


class Outdated(Exception):
    """The code is not as the mistake expects it: the mistake has to be written anew."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the tests said about a copy."""

    status: int
    output: str

    @property
    def is_caught(self) -> bool:
        """Whether a test has failed; anything else that goes wrong is no catch."""
        return self.status == SOME_FAILED and bool(self.caught_by)

    @property
    def caught_by(self) -> list[str]:
        """The tests that failed."""
        return re.findall(r"^(?:FAILED|ERROR) (\S+)", self.output, re.MULTILINE)


def snapshot(folder: Path) -> Path:
    """A copy of the code as it is now, and of the tests that may be used on it."""
    folder.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            # Blink's stand-in is a part of the package, while its tests are left out.
            left_out = LEFT_OUT if name == "tests" else LEFT_OUT[:1]
            ignore = shutil.ignore_patterns(*left_out)
            shutil.copytree(source, folder / name, ignore=ignore)
        else:
            shutil.copy(source, folder / name)
    return folder


def apply(patch: Patch, folder: Path) -> None:
    """Replace a text by another. Raises `Outdated` if it is not there exactly once."""
    path = folder / patch.file
    text = path.read_text()
    count = text.count(patch.old)
    if count != 1:
        raise Outdated(f"{patch.file} has this {count} times, not once: {patch.old!r}")
    path.write_text(text.replace(patch.old, patch.new))


def make(mistake: Mistake, original: Path, folder: Path) -> Path:
    """A copy of the code with a mistake in it. Raises `Outdated`."""
    shutil.copytree(original, folder)
    for patch in mistake.patches:
        apply(patch, folder)
        compile((folder / patch.file).read_text(), patch.file, "exec")
    return folder


async def look(
    mistake: Mistake, original: Path, folder: Path, tests: Sequence[str], *options: str
) -> Finding:
    """What some tests say about a mistake. Raises `Outdated`."""
    try:
        return await ask(make(mistake, original, folder), tests, *options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def ask(folder: Path, tests: Sequence[str], *options: str) -> Finding:
    """Run tests on a copy."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider", "-rfE", *PLUGINS, *options),
        f"--basetemp={folder.parent / f'tmp-{folder.name}'}",
        *tests,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), **QUICKLY},
        start_new_session=True,  # so that what the tests have started ends with them
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(SECONDS):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            # A child of theirs that lived on would keep the pipe open, and we would wait for ever.
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    assert process.returncode is not None
    return Finding(process.returncode, output.decode(errors="replace"))
