"""A real Dask scheduler and worker on loopback, as processes of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]


@contextmanager
def dask_cluster() -> Iterator[str]:
    """Yield HOST:PORT of a scheduler with one worker that has this project on its path."""
    scheduler = _started("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    try:
        address = _said(scheduler, r"Scheduler at:\s+tcp://(\S+)")
        worker = _started("dask_worker", address, "--no-nanny", "--nthreads", "1", "--no-dashboard")
        try:
            _said(worker, r"(Registered to:)")
            yield address
        finally:
            _ended(worker)
    finally:
        _ended(scheduler)


def _started(module: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{module}", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


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
