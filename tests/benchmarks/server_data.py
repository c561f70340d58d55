"""Fleets that a real Prometheus is filled with for benchmarks: written once, kept, served again.

A fleet is written as text and made into blocks piece by piece, so that neither the text nor
``promtool`` needs much room.  A folder of blocks is named by all that decides what is in it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tests.components import histories, openmetrics, worker_metrics, worker_series
from tests.components.histories import START_S, large_history
from tests.components.openmetrics import Family, Series, blocks, write_openmetrics
from tests.components.servers import start_prometheus
from tests.components.worker_metrics import (
    EFFECTIVE_SHARE,
    MEMORY_BYTES,
    TFLOPS,
    THROTTLED_SECONDS,
    VRAM_DENIED,
    WorkerMetric,
)
from tests.components.worker_series import History

ALL_METRICS = (TFLOPS, MEMORY_BYTES, EFFECTIVE_SHARE, THROTTLED_SECONDS, VRAM_DENIED)
"""What the usage model takes of a fleet that is measured in TFLOPS."""
SAMPLES_PER_PIECE = 4_000_000
"""About 1.1 GB of text."""
NO_COMPACTION = ("--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=2h")
"""Else a server merges the pieces while it is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Plain workers, scraped every ``step_s`` since ``START_S``."""

    name: str
    workloads: int
    workers_each: int = 10
    step_s: int
    history_s: int
    """What is read as history."""
    later_s: int = 0
    """How long it goes on after that, for increments."""
    metrics: tuple[WorkerMetric, ...] = ALL_METRICS

    @property
    def workers(self) -> int:
        return self.workloads * self.workers_each

    @property
    def history_end_s(self) -> int:
        return START_S + self.history_s

    @property
    def end_s(self) -> int:
        return self.history_end_s + self.later_s

    def samples(self, seconds: int) -> int:
        """Return how many samples of one metric the server has of so long a time."""
        return self.workers * seconds // self.step_s

    def series(self) -> History:
        """Return the series that are to be written."""
        history = large_history(
            self.metrics,
            workloads=self.workloads,
            workers_each=self.workers_each,
            step_s=self.step_s,
        )
        return replace(history, end_s=self.end_s)


@contextmanager
def serving(fleet: Fleet, cache: Path) -> Iterator[str]:
    """Serve a fleet; yields the URL.  Raises ``ServerError`` and ``ProgramMissingError``."""
    kept = filled(fleet, cache)
    with tempfile.TemporaryDirectory(dir=cache) as name:
        folder = Path(name)
        # A server writes beside its blocks, never into them.
        shutil.copytree(kept, folder / "tsdb", copy_function=os.link)
        with start_prometheus(folder, tsdb=folder / "tsdb", flags=NO_COMPACTION) as server:
            yield server.url


def filled(fleet: Fleet, cache: Path) -> Path:
    """Return the folder with the blocks of a fleet; writes them where they are missing.

    Raises ``ProgramMissingError``.
    """
    folder = cache / f"{fleet.name}-{_key(fleet)}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as name:
        staging = Path(name)
        _write(fleet, staging)
        (staging / "tsdb").rename(folder)
    return folder


def _key(fleet: Fleet) -> str:
    key = hashlib.sha256(repr(fleet).encode())
    for module in (histories, openmetrics, worker_metrics, worker_series):
        key.update(Path(str(module.__file__)).read_bytes())
    return key.hexdigest()[:16]


def _write(fleet: Fleet, staging: Path) -> None:
    history = fleet.series()
    spans = pieces(fleet)
    millions = len(fleet.metrics) * fleet.samples(fleet.end_s - START_S) / 1e6
    for number, span_s in enumerate(spans, start=1):
        print(
            f"filling a server with {fleet.name}: {millions:.3g} M samples, "
            f"piece {number} of {len(spans)} (once; about 10 s per million)",
            file=sys.stderr,
            flush=True,
        )
        text = staging / "series.om"
        write_openmetrics(text, _families_within(history, span_s))
        blocks(text, staging / "tsdb")
        text.unlink()


def pieces(fleet: Fleet) -> list[tuple[int, int]]:
    """Return the times ``[from, until)`` that are written at once."""
    per_step = fleet.workers * len(fleet.metrics)
    length_s = max(SAMPLES_PER_PIECE // per_step, 1) * fleet.step_s
    starts_s = range(START_S, fleet.end_s, length_s)
    return [(start_s, min(start_s + length_s, fleet.end_s)) for start_s in starts_s]


def _families_within(history: History, span_s: tuple[int, int]) -> Iterator[Family]:
    for metric in history.metrics:
        yield Family(
            name=metric.name,
            kind=metric.kind,
            series=within(history.series(metric), span_s),
        )


def within(series: Iterator[Series], span_s: tuple[int, int]) -> Iterator[Series]:
    """Cut series; equal stamps stay one array, whose text is then made once."""
    whole_ms, cut_ms, part = None, np.empty(0, np.int64), slice(0)
    for one in series:
        if one.ts_ms is not whole_ms:
            whole_ms = one.ts_ms
            part = slice(*np.searchsorted(whole_ms, [1000 * time_s for time_s in span_s]))
            cut_ms = whole_ms[part]
        yield Series(labels=one.labels, ts_ms=cut_ms, value=one.value[part])
