"""What the last tick left for the metrics of the process; scrapes read it on other threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.scaling.loop_snapshot import LoopSnapshot, loop_snapshot
from autoscaler.scaling.running.counts.fleet_table import FleetTable, fleet_table

if TYPE_CHECKING:
    from autoscaler.scaling.loop import Loop, Tick
    from autoscaler.scaling.running.checkpoints import Checkpoints


class Exported:
    """The newest numbers of a loop; called with each tick, on the loop's thread."""

    def __init__(self, loop: Loop, checkpoints: Checkpoints) -> None:
        self._loop = loop
        self._checkpoints = checkpoints
        self._table: FleetTable | None = None
        self._snapshot = loop_snapshot(loop)

    def __call__(self, tick: Tick) -> None:
        """Take over what a tick left."""
        self._snapshot = loop_snapshot(
            self._loop,
            checkpoint_bytes=self._checkpoints.size_bytes,
            checkpoint_saved_s=self._checkpoints.saved_s,
        )
        table = fleet_table(tick)
        if table is not None:
            self._table = table
        elif not tick.errors:
            # There is no workload any more.
            self._table = None

    def loop(self) -> LoopSnapshot:
        """Return what the loop holds and has done."""
        return self._snapshot

    def table(self) -> FleetTable | None:
        """Return what is in force and recommended; None where nothing was decided."""
        return self._table
