"""The page of all workers of a large cluster as a process, and the past that a server has of it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

import urllib3

from tests.benchmarks.live_cells import Placed
from tests.benchmarks.live_usage import past_families
from tests.benchmarks.own_process import ROOT
from tests.cluster.child_processes import start_child
from tests.components.openmetrics import blocks, write_openmetrics
from tests.components.processes import LOOPBACK, free_port, status_of, until

DEADLINE_S = 120.0
GAP_S = 60
"""Between the past and the first scrape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """A running exporter."""

    target: str

    def saturate(self, workloads: Sequence[str]) -> None:
        """Have the workers of these workloads, and no others, at their share from now on."""
        urllib3.request("POST", self._url, json=list(workloads), timeout=DEADLINE_S)

    def shown_s(self) -> float:
        """Return when a scrape first saw who is saturated, in UTC seconds; 0: none has yet."""
        return float(urllib3.request("GET", self._url, timeout=DEADLINE_S).data)

    @property
    def _url(self) -> str:
        return f"http://{self.target}/saturated"


@contextmanager
def exported(folder: Path, workers: Sequence[Placed]) -> Iterator[Exporter]:
    """Have an exporter of all workers within a block."""
    path = folder / "workers.json"
    path.write_text(json.dumps([astuple(worker) for worker in workers]), encoding="utf-8")
    target = f"{LOOPBACK}:{free_port()}"
    command = [sys.executable, "-m", "tests.benchmarks.live_exporter"]
    command += [target.rpartition(":")[2], str(path)]
    with start_child(command, folder / "exporter.log", folder=ROOT) as process:
        until(
            lambda: process.has_ended or status_of(f"http://{target}/saturated") == 200,
            what="the exporter answers",
            deadline_s=DEADLINE_S,
        )
        yield Exporter(target=target)


def write_past(folder: Path, workers: Sequence[Placed], minutes: int) -> Path:
    """Write the last minutes as blocks of a database and return its folder."""
    end_s = int(time.time() - GAP_S) // 60 * 60
    text = folder / "past.om"
    write_openmetrics(text, past_families(workers, end_s=end_s, minutes=minutes))
    made = blocks(text, folder / "tsdb")
    text.unlink()
    return made
