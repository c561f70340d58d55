"""Forecasts as a plug-in of the replay benchmark: limits, requests, VRAM and replicas.

A replay starts from nothing, reads no series names and sees columns before ``t`` only.  The fleet's
model is trained on the replayed panel alone, first after six hours and then daily.  What is shared
between the knobs of a panel is a model, kept by the content of the table that it was trained on.

Knobs below 0.5 are risk targets, from there to 1 quantiles of the judged window.  What is answered
is what is right to have in force: forecasts made calm, except where quantiles are asked for.  For
replicas it is a count, and the risk that of demand above what so many serve.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recommender.forecast.daily_training import train_table
from recommender.forecast.fleet_model import FleetModel
from recommender.forecast.forecaster import EXPERTS, Forecast
from recommender.forecast.outcome import Outcome, outcome_of
from recommender.forecast.past import Past, average, rings_of
from recommender.forecast.risk import RiskControl
from recommender.forecast.spending import EVENLY, LIMITS_MOST_FACTOR, REQUESTS_MOST_FACTOR
from recommender.forecast.timing import Timing
from recommender.forecast.training_table import table_of
from recommender.forecast.use import (
    HALF_LIVES_S,
    LATEST_OF_BLOCK_S,
    LATEST_OF_HOUR_S,
    percentiles_of,
)
from recommender.observation import Floats
from recommender.usage.histograms import HistogramBank
from recommender.usage.layout import LEARNED_SPAN, Layout
from recommender.usage.peaks import HOUR_S
from recommender.usage.store import DAY_S
from tests.benchmarks.calm import Calm
from tests.benchmarks.replay_plugin import RISK_BELOW
from tests.benchmarks.replica_counts import ReplicaCounts, newest
from tests.benchmarks.side_by_side import SideBySide

DEFAULT_RISK = {"limits": 0.01, "requests": 0.05, "vram": 0.001, "replicas": 0.01}
"""Of knobs from 1 on, which are factors on it."""
MOST_FACTOR = {
    "limits": LIMITS_MOST_FACTOR,
    "requests": REQUESTS_MOST_FACTOR,
    "vram": REQUESTS_MOST_FACTOR,
}
"""Of tasks whose promise is spent where forecasts are wide, as the layers do."""
PARTS = ("calm", "steering", "gate", "model", "spending")
"""What can be left out, beside experts."""
FIRST_FIT_S = 6 * HOUR_S

SATURATED_RATIO = 1.25
"""Demand over use where use reached what was in force."""
UNKNOWN_RATIO = 2.0
"""Of the highest use, for as long as there is no forecast at all."""

_models: dict[str, FleetModel | None] = {}


@dataclass(slots=True)
class _Knob:
    """What depends on the knob."""

    value: float
    risk: Floats
    control: RiskControl
    calm: Calm
    counts: ReplicaCounts | None
    """Of replicas; None for amounts."""
    made: deque[tuple[int, Floats]]
    """Column of each forecast that was not judged yet, and what was in force from then on."""

    @property
    def is_quantile(self) -> bool:
        """Whether quantiles of the judged window are asked for, and nothing else."""
        return RISK_BELOW <= self.value < 1.0

    @property
    def level(self) -> Floats:
        """Quantile to ask for, ``[S]``."""
        return self.control.level(self.risk)

    @property
    def nominal(self) -> Floats:
        """The same without steering."""
        return np.asarray(1.0 - self.risk, np.float64)


class Forecasting:
    """One replay of one panel; the benchmark makes a fresh object per knob."""

    saturated: Any = None
    """Set by the benchmark: [series, t], True where a sample reached the allocation in force."""
    without: tuple[str, ...] = ()
    """Experts that do not count, and ``PARTS`` that are left out."""

    def __init__(self, panel: Mapping[str, Any]) -> None:
        self._panel = panel
        self._is_of_replicas = panel["task"] == "replicas"
        self._hold = int(panel["hold_steps"])
        # A replica that is asked for serves once it has started.
        self._delay = int(panel["startup_steps" if self._is_of_replicas else "delay_steps"])
        self._series = len(panel["series"])
        block_s = self._hold * int(panel["step_s"])
        lead = -(-(self._delay + self._hold) // self._hold)
        self._timing = Timing(block_s=block_s, lead=lead)
        self._top, self._mean = rings_of(block_s, self._series)
        self._histograms = HistogramBank(Layout(LEARNED_SPAN)), HistogramBank(Layout(LEARNED_SPAN))
        for bank, half_life_s in zip(self._histograms, HALF_LIVES_S, strict=True):
            bank.grow(self._series, half_life_s)
        self._knobs: list[_Knob] = []
        self._seen = self._block = 0
        self._fitted_s = 0

    def allocate(self, t: int, hist: Floats, knob: float) -> Floats:
        """Return the allocation from column ``t`` on, ``[series]``."""
        return np.asarray(self.allocate_each(t, hist, (knob,))[0], np.float64)

    def allocate_each(self, t: int, hist: Floats, knobs: Sequence[float]) -> Floats:
        """Return what ``allocate`` would with each of the knobs, ``[knobs, series]``."""
        if not self._knobs:
            self._begin(knobs)
        self._see(t, hist)
        self._fit(t)
        past = Past(
            top=self._top, mean=self._mean, block=self._block - 1, latest=self._latest(t, hist)
        )
        percentiles = percentiles_of(*self._histograms, np.arange(self._series))
        outcomes = self._outcomes(hist)
        is_steered = "steering" not in self.without
        levels = [knob.level if is_steered else knob.nominal for knob in self._knobs]
        forecasts = self._forecaster.answer(past, percentiles, levels, outcomes)
        asked = zip(self._knobs, forecasts, strict=True)
        if self._is_of_replicas:
            latest = newest(self._demand(hist, t - self._hold, t))
            return np.stack([self._counted(t, *each, latest) for each in asked])
        return np.stack([self._in_force(t, *each) for each in asked])

    def _begin(self, knobs: Sequence[float]) -> None:
        if len({RISK_BELOW <= value < 1.0 for value in knobs}) > 1:
            raise ValueError(f"knobs {knobs}: quantiles and risk targets are not replayed together")
        self._forecaster = SideBySide(self._series, self._timing, len(knobs))
        left_out = np.isin(EXPERTS, self.without)
        self._forecaster.allowed[left_out] = False
        if "spending" not in self.without and not any(RISK_BELOW <= each < 1.0 for each in knobs):
            self._forecaster.most = MOST_FACTOR.get(self._panel["task"], EVENLY)
        for value in knobs:
            self._knobs.append(
                _Knob(
                    value=value,
                    risk=np.full(self._series, self._risk(value)),
                    control=RiskControl.empty(self._series),
                    calm=Calm.empty(self._series, self._timing.day),
                    counts=self._counts(),
                    made=deque(),
                )
            )

    def _in_force(self, t: int, knob: _Knob, forecast: Forecast) -> Floats:
        """Return what a forecast puts in force, and keep it to be judged."""
        answer = self._chosen(knob, forecast)
        if not knob.is_quantile and "calm" not in self.without:
            answer = knob.calm.settle(answer, self._timing.day)
        knob.made.append((t, answer))
        return answer

    def _counted(self, t: int, knob: _Knob, forecast: Forecast, latest: Floats) -> Floats:
        """Return the replicas that a forecast puts in force, and keep what they serve."""
        assert knob.counts is not None, "it has them where replicas are asked for"
        count = knob.counts.settle(self._chosen(knob, forecast), latest)
        knob.made.append((t, count * knob.counts.capacity))
        return count

    def _chosen(self, knob: _Knob, forecast: Forecast) -> Floats:
        """Return what counts of a forecast, and something where there is none."""
        chosen = forecast.value if "gate" in self.without else forecast.chosen
        unknown = UNKNOWN_RATIO * self._forecaster.standing.highest
        return np.where(np.isnan(chosen), unknown, chosen * max(knob.value, 1.0))

    def _counts(self) -> ReplicaCounts | None:
        if not self._is_of_replicas:
            return None
        capacity = np.asarray(self._panel["capacity"], np.float64)
        return ReplicaCounts.of(capacity, self._timing.block_s)

    def _risk(self, knob: float) -> float:
        if knob >= 1.0:
            return DEFAULT_RISK[self._panel["task"]]
        return knob if knob < RISK_BELOW else 1.0 - knob

    def _see(self, t: int, hist: Floats) -> None:
        """Take the columns since the last call: the histogram all, the rings the last block."""
        new = self._demand(hist, self._seen, t)
        column, series = np.nonzero(~np.isnan(new))
        stamp_s = (self._seen + column) * int(self._panel["step_s"])
        for bank in self._histograms:
            bank.add(series, new[column, series], stamp_s)
        self._seen = t
        block = self._demand(hist, t - self._hold, t)
        self._top.set(self._block, self._statistic(block))
        known = ~np.isnan(block)
        total = np.where(known, block, 0.0).sum(axis=0)
        count = known.sum(axis=0)
        self._mean.set(self._block, np.where(count, total / np.maximum(count, 1), np.nan))
        self._block += 1

    def _latest(self, t: int, hist: Floats) -> Floats | None:
        """Return the mean use of the end of the newest block, as the layers are told it.

        None where that is all of the block, and for replicas.
        """
        is_longer = self._timing.block_s > LATEST_OF_HOUR_S
        latest_s = LATEST_OF_HOUR_S if is_longer else LATEST_OF_BLOCK_S
        columns = max(latest_s // int(self._panel["step_s"]), 1)
        if columns >= self._hold or self._is_of_replicas:
            return None
        return average(self._demand(hist, t - columns, t))

    def _demand(self, hist: Floats, first: int, last: int) -> Floats:
        """Return what was wanted, ``[N, S]``: more than a saturated sample shows."""
        use = hist[:, first:last]
        if self.saturated is not None:
            use = np.where(self.saturated[:, first:last], SATURATED_RATIO * use, use)
        return np.ascontiguousarray(use.T)

    def _statistic(self, block: Floats) -> Floats:
        """Return what the panel judges a window by, of ``[N, S]``; NaN where it has no sample."""
        if self._panel["agg"] == "max":
            return np.asarray(np.fmax.reduce(block, axis=0, initial=np.nan), np.float64)
        known = ~np.isnan(block).all(axis=0)
        top = np.full(block.shape[1], np.nan)
        top[known] = np.nanquantile(block[:, known], 0.95, axis=0)
        return top

    def _outcomes(self, hist: Floats) -> list[Outcome] | None:
        """Return what came of the oldest forecasts, whose window has ended; None: there are none.

        One per knob: where quantiles of the window are asked for, it is its statistic alone.
        """
        if len(self._knobs[0].made) < self._timing.lead:
            return None
        first = self._knobs[0].made[0][0] + self._delay
        minutes = self._demand(hist, first, first + self._hold)
        top = self._statistic(minutes)
        of_minutes = replace(outcome_of(minutes), top=top)
        of_window = replace(outcome_of(top[None]), top=top)
        outcomes = [of_window if knob.is_quantile else of_minutes for knob in self._knobs]
        for knob, outcome in zip(self._knobs, outcomes, strict=True):
            _, in_force = knob.made.popleft()
            above = outcome.use > outcome.of_each(in_force) * (1 + 1e-6)
            violated = np.nan_to_num(outcome.mean(above.astype(np.float64))) * outcome.count
            is_free = ~np.isnan(in_force)
            knob.control.observe(outcome.count, violated, knob.risk, is_free)
        return outcomes

    def _fit(self, t: int) -> None:
        now_s = t * int(self._panel["step_s"])
        due_s = self._fitted_s + DAY_S if self._fitted_s else FIRST_FIT_S
        if now_s < due_s or "model" in self.without:
            return
        table = table_of(self._forecaster.examples)
        if table.version not in _models:
            _models[table.version] = train_table(table)
        model = _models[table.version]
        if model is not None:
            self._fitted_s = now_s
            self._forecaster.model = model


def forget_models() -> None:
    """Begin as a new process does."""
    _models.clear()
