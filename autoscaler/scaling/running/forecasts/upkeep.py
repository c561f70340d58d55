"""What keeps the forecasts of a loop good, put together: training, and models by name.

Both share one thread beside the loop, so that together they never take more than one core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.scaling.running.counts.forecast_counts import UpkeepSnapshot
from autoscaler.scaling.running.forecasts.aside import Aside
from autoscaler.scaling.running.forecasts.named import NamedModels
from autoscaler.scaling.running.forecasts.training import FleetTraining

if TYPE_CHECKING:
    from autoscaler.clock import Clock
    from autoscaler.scaling.loop import Loop


class ForecastUpkeep:
    """Keeps the forecasts of one loop good; a ``Service`` of the process."""

    def __init__(self, loop: Loop, clock: Clock, *, train_every_s: int) -> None:
        self._loop = loop
        self._clock = clock
        self._aside = Aside()
        resources = loop.model.resources
        self._training = FleetTraining(self._aside, resources, every_s=train_every_s)
        self._named = NamedModels(self._aside, resources)

    def start(self) -> None:
        """Begin; nothing is done before the first ``step``."""
        self._aside.start()

    def stop(self) -> None:
        """End what is being trained and fitted."""
        self._aside.stop()

    def step(self) -> None:
        """Take over what was done beside the loop, and have done what is due; before a tick."""
        model, now_s = self._loop.model, self._clock.now_s()
        self._training.step(model.forecasts, now_s)
        self._named.step(model.forecasts, model.workloads.keys, now_s)

    def snapshot(self) -> UpkeepSnapshot:
        """Return the numbers of now; for any thread."""
        return UpkeepSnapshot(training=self._training.snapshot(), named=self._named.snapshot())
