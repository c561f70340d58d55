"""What the last tick left for the metrics of the process; scrapes read it on other threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.scaling.loop_snapshot import LoopSnapshot, loop_snapshot
from autoscaler.scaling.running.counts.fleet_table import FleetTable, fleet_table
from autoscaler.scaling.running.counts.promise_counts import PromiseSnapshot, promise_snapshot

if TYPE_CHECKING:
    from autoscaler.scaling.loop import Loop, Tick
    from autoscaler.scaling.running.checkpoints import Checkpoints
    from recommender.forecast.promises import ForecastEvidence


class Exported:
    """The newest numbers of a loop; called with each tick, on the loop's thread."""

    def __init__(self, loop: Loop, checkpoints: Checkpoints) -> None:
        self._loop = loop
        self._checkpoints = checkpoints
        self._table: FleetTable | None = None
        self._snapshot = loop_snapshot(loop)
        self._promises = PromiseSnapshot()

    def __call__(self, tick: Tick) -> None:
        """Take over what a tick left."""
        self._snapshot = loop_snapshot(
            self._loop,
            checkpoint_bytes=self._checkpoints.size_bytes,
            checkpoint_saved_s=self._checkpoints.saved_s,
        )
        evidence = self._evidence(tick)
        if evidence is not None:
            self._promises = promise_snapshot(evidence, self._loop.model.resources)
        elif tick.observed is not None:
            self._promises = PromiseSnapshot()
        table = fleet_table(tick, evidence)
        if table is not None:
            self._table = table
        elif not tick.errors:
            # There is no workload any more.
            self._table = None

    def loop(self) -> LoopSnapshot:
        """Return what the loop holds and has done."""
        return self._snapshot

    def promises(self) -> PromiseSnapshot:
        """Return what forecasts promised and kept."""
        return self._promises

    def table(self) -> FleetTable | None:
        """Return what is in force and recommended; None where nothing was decided."""
        return self._table

    def _evidence(self, tick: Tick) -> ForecastEvidence | None:
        """Return the evidence of the forecasts of a tick; None where nobody asks for any."""
        forecasts = self._loop.model.forecasts
        if tick.observed is None or not forecasts.streams:
            return None
        return forecasts.evidence(tick.observed.usage_rows)
