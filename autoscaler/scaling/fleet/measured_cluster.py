"""A cluster that is known by its metrics alone: who was measured lately, looked up now and then.

There is nobody who would carry out a decision, so that everything is recommended and nothing is
applied.  What one look-up makes of the answers is ``measured_fleet``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from autoscaler.errors import SourceError
from autoscaler.scaling.cluster import Outcome
from autoscaler.scaling.fleet.measured_fleet import measured_fleet
from autoscaler.scaling.fleet.measured_inventory import measured_inventory, peaks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from autoscaler.clock import Clock
    from autoscaler.scaling.cards import GpuModels
    from autoscaler.scaling.cluster import Change, WorkloadView
    from autoscaler.scaling.fleet.measured_fleet import MeasuredFleet
    from autoscaler.scaling.fleet.stated import StatedWorkload
    from autoscaler.sources.prometheus.prometheus_source import PrometheusSource
    from autoscaler.sources.recorded_usage import Key

    ReadFleet = Callable[[int], MeasuredFleet]
    """Looks up who was measured before a time; raises ``SourceError``."""

REFRESH_S = 60
NOTHING_APPLIED = "fleets that are known by their metrics alone are only recommended for"
NOBODY = "nobody was measured in the last day; tfa check says more"
_log = logging.getLogger("autoscaler.scaling")


class MeasuredCluster:
    """``Cluster`` of a metrics server; for the loop's thread."""

    def __init__(self, read: ReadFleet, clock: Clock, *, refresh_s: int = REFRESH_S) -> None:
        self._read = read
        self._clock = clock
        self._refresh_s = refresh_s
        self._read_s: int | None = None
        self._fleet: MeasuredFleet | None = None
        self._problem = ""
        """What was logged last of what is wrong with what is known."""

    def snapshot(self) -> Sequence[WorkloadView]:
        """Return the workloads that were measured lately, by name.

        Where they cannot be looked up, those of the last time stay.  Raises ``SourceError`` where
        there was none.
        """
        now_s = self._clock.now_s()
        if self._read_s is None or now_s - self._read_s >= self._refresh_s:
            self._look(now_s)
        return () if self._fleet is None else self._fleet.views

    def reread(self, keys: Sequence[tuple[str, str]]) -> Sequence[WorkloadView]:
        """Return some workloads as they were seen last."""
        wanted = set(keys)
        return [view for view in self.snapshot() if view.key in wanted]

    def apply(self, changes: Sequence[Change]) -> Sequence[Outcome]:
        """Refuse every change."""
        return [Outcome(change=change, applied=False, reason=NOTHING_APPLIED) for change in changes]

    def _look(self, now_s: int) -> None:
        try:
            fleet = self._read(now_s)
        except SourceError as error:
            self._tell(f"who is measured cannot be looked up: {error}")
            if self._fleet is None:
                raise
            return
        self._fleet, self._read_s = fleet, now_s
        self._tell("" if fleet.views else NOBODY)

    def _tell(self, problem: str) -> None:
        """Log a problem each time that it is another one."""
        if problem and problem != self._problem:
            _log.warning("%s", problem)
        self._problem = problem


def fleet_reader(
    source: PrometheusSource, *, stated: Mapping[Key, StatedWorkload], gpu_models: GpuModels
) -> ReadFleet:
    """Return what looks up the workers that were measured in the last day.

    ``stated`` are the rows of a workloads file, resolved.
    """
    peak_tflops = peaks_of(stated, gpu_models)

    def read(now_s: int) -> MeasuredFleet:
        inventory = measured_inventory(source, peak_tflops=peak_tflops, now_s=now_s)
        return measured_fleet(inventory, source.mapping, stated=stated, gpu_models=gpu_models)

    return read
