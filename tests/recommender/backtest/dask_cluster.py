"""A real Dask scheduler and workers on loopback, as processes of their own that talk by TCP."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]


@contextmanager
def dask_cluster(workers: int = 2, *, preload: Path | None = None) -> Iterator[str]:
    """Yield HOST:PORT of a scheduler with workers that have this project on their path.

    ``preload`` is run by every worker before it registers.
    """
    with ExitStack() as ending:
        arguments = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        scheduler = _started(ending, "dask_scheduler", *arguments)
        address = _said(scheduler, r"Scheduler at:\s+tcp://(\S+)")
        options = ["--no-nanny", "--nthreads", "1", "--no-dashboard"]
        options += [] if preload is None else ["--preload", str(preload)]
        started = [_started(ending, "dask_worker", address, *options) for _ in range(workers)]
        for worker in started:
            _said(worker, r"(Registered to:)")
        yield address


def _started(ending: ExitStack, module: str, *arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{module}", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    ending.callback(_ended, process)
    return process


def _said(process: subprocess.Popen[str], pattern: str) -> str:
    """Read a process's log until a line matches; return the first group."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        match = re.search(pattern, line)
        if match:
            return match[1]
    raise AssertionError("".join(lines))


def _ended(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.communicate(timeout=30)
