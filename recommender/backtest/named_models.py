"""Models that are fitted for one series alone, in a replay: as often as live, where it runs.

Live they are fitted in processes of their own, for 20 workloads at most and with a time limit.  In
a replay there is none of that: scores must not depend on how fast a machine is, and a worker of a
Dask cluster may start no process.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from recommender.forecast.absence import Absence
from recommender.forecast.asked import StreamKey
from recommender.forecast.fleet_forecasts import FleetForecasts
from recommender.forecast.named.fit import fit_forecast
from recommender.forecast.named_wish import FITTED_EVERY_S


@dataclass(slots=True)
class ReplayedModels:
    """Fits what policies ask for, once an hour of the replay."""

    _next_s: int = 0
    _why: dict[tuple[StreamKey, int], Absence] = field(default_factory=dict)

    def step(self, forecasts: FleetForecasts, now_s: int) -> None:
        """Fit all series that ask for a model of their own, where it is time."""
        if now_s < self._next_s:
            return
        self._next_s = now_s + FITTED_EVERY_S
        self._why.clear()
        for wish in forecasts.named_wanted():
            fit = wish.fit
            forecast = fit_forecast(
                fit.history,
                model=fit.model,
                season_blocks=fit.season_blocks,
                horizon_blocks=fit.horizon_blocks,
                levels=fit.levels,
            )
            if forecast.reason is None:
                forecasts.install_named(wish, forecast.mean)
            else:
                self._why[wish.series] = Absence.of(forecast.reason)
        forecasts.tell_unfitted(dict(self._why))
