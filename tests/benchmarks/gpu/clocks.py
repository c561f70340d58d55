"""At which clock a card works while a rate is measured.

Under full load a card lowers its clock to keep to its power limit (H100: matrix products draw 700 W
and run some 15 % slower than at a quarter of the load).  So a quarter of the time does more than a
quarter of the work, and rates are compared at one clock.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from statistics import mean
from types import TracebackType
from typing import Self

from tests.benchmarks.gpu.facts import Nvml

NS = 1_000_000_000
READ_EVERY_S = 0.02
KEPT = 60_000
"""Readings: more than an experiment has time for."""


class Clocks:
    """Reads the clock of the multiprocessors beside an experiment; a context that ends that."""

    def __init__(self, nvml: Nvml) -> None:
        self._nvml = nvml
        self._max_mhz = nvml.max_sm_clock_mhz()
        self._read: deque[tuple[int, int]] = deque(maxlen=KEPT)
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def mean_mhz(self, from_ns: int, until_ns: int) -> float:
        """Return the mean between two times of ``CLOCK_MONOTONIC``.

        Without a reading it is the highest clock.
        """
        within = [mhz for at_ns, mhz in list(self._read) if from_ns <= at_ns <= until_ns]
        return mean(within) if within else float(self._max_mhz)

    def latest_mhz(self, duration_s: float) -> float:
        """Return the mean of the time that has just passed."""
        now_ns = time.monotonic_ns()
        return self.mean_mhz(now_ns - round(duration_s * NS), now_ns)

    def ratio_to_highest(self, from_ns: int, until_ns: int) -> float:
        """Return that mean in parts of the highest clock."""
        return self.mean_mhz(from_ns, until_ns) / self._max_mhz

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._has_ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._has_ended.wait(READ_EVERY_S):
            mhz = self._nvml.sm_clock_mhz()
            self._read.append((time.monotonic_ns(), mhz))
