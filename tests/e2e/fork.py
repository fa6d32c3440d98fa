"""The command `forwarder` in a process of its own, forked from one that has read the program.

Python takes longer to read all of it than most tests take. Those that count on a start from nothing
run it as a person does: the kills, the benchmarks, and whatever looks at what a terminal shows.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

from forwarder.cli import main

_SERVER: Final = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload([__name__, "forwarder.worker.service"])


@dataclass(frozen=True, slots=True)
class Fork:
    """A process that was forked, with as much of `asyncio.subprocess.Process` as is needed here."""

    stdout: asyncio.StreamReader
    _process: BaseProcess

    @classmethod
    async def start(cls, *words: str, cwd: Path, env: Mapping[str, str]) -> Fork:
        """Begin with `forwarder` and these words; `stdout` gets all that it says."""
        ours, theirs = os.pipe()
        said = Connection(theirs, readable=False)
        process = _SERVER.Process(target=_become, args=(words, cwd, dict(env), said))
        process.start()
        said.close()
        output = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(output), os.fdopen(ours, "rb", buffering=0)
        )
        return cls(output, process)

    @property
    def returncode(self) -> int | None:
        """The exit status, or the negative number of a signal; None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal and do not wait."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    async def wait(self) -> int:
        """Wait for its end."""
        while self.returncode is None:
            await asyncio.sleep(0.005)
        return self.returncode


def _become(words: tuple[str, ...], cwd: Path, env: dict[str, str], said: Connection) -> None:
    """Be what `python -W default -m forwarder` would be."""
    for stream in (sys.stdout, sys.stderr):
        os.dup2(said.fileno(), stream.fileno())
    said.close()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    warnings.simplefilter("default")
    sys.argv = ["forwarder", *words]
    main()
