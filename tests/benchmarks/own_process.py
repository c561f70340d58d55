"""A measurement in a process of its own: what it spends there, and the line of JSON it prints.

A process of its own has a peak of memory that is the measurement's.  The peak is read from Linux's
``VmHWM``: the ``ru_maxrss`` of a child begins with the size of the process that started it.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one measurement took."""

    wall_s: float
    cpu_s: float
    """Of this process, all threads; a server's is not in it."""
    grown_bytes: int
    """By how much the peak of resident memory passed what was resident before."""


class Meter:
    """Measures from when it was made."""

    def __init__(self) -> None:
        gc.collect()
        self._resident_bytes = memory_bytes("VmRSS")
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()

    def spent(self) -> Spent:
        """Return what was spent until now."""
        return Spent(
            wall_s=time.perf_counter() - self._wall_s,
            cpu_s=time.process_time() - self._cpu_s,
            grown_bytes=memory_bytes("VmHWM") - self._resident_bytes,
        )


def memory_bytes(name: str, pid: int | str = "self") -> int:
    """Return a figure of a process: ``VmRSS`` is resident now, ``VmHWM`` the peak of it."""
    path = Path(f"/proc/{pid}/status")
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * KIB
    raise ValueError(f"{path} has no {name}")


def process_cpu_s(pid: int) -> float:
    """Return the CPU seconds, of all threads, that another process has spent since its start."""
    # The name of the program is in brackets and may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    user, system = fields[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def answer_of(module: str, *arguments: object) -> dict[str, Any]:
    """Run a module with one thread of linear algebra; return the JSON that it prints."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def best_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the fastest of some runs that printed ``Spent``, with the least of CPU and memory."""
    best = min(runs, key=lambda run: run["wall_s"])
    return {**best, **{key: min(run[key] for run in runs) for key in ("cpu_s", "grown_bytes")}}
