"""Forecasts as a plug-in of the replay benchmark: limits, requests and VRAM.

A replay starts from nothing, reads no series names and sees columns before ``t`` only.  The fleet's
model is trained on the replayed panel alone, first after six hours and then daily.  What is shared
between the knobs of a panel is a model, kept by the content of all columns that it was trained on.

Knobs below 0.5 are risk targets, from there to 1 quantiles of the judged window.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from recommender.backtest.actuation import put_in_force
from recommender.forecast.experts.histogram import LEVELS
from recommender.forecast.fleet_model import FleetModel, train
from recommender.forecast.forecaster import Forecaster
from recommender.forecast.outcome import Outcome, outcome_of
from recommender.forecast.past import Past, rings_of
from recommender.forecast.risk import RiskControl
from recommender.forecast.timing import Timing
from recommender.observation import Floats
from recommender.usage.histograms import HistogramBank
from recommender.usage.layout import LEARNED_SPAN, Layout
from recommender.usage.peaks import HOUR_S
from recommender.usage.store import DAY_S, LIMITS_HALF_LIFE_S
from tests.benchmarks.replay_plugin import RISK_BELOW

DEFAULT_RISK = {"limits": 0.01, "requests": 0.05, "vram": 0.001}
"""Of knobs from 1 on, which are factors on it."""
FIRST_FIT_S = 6 * HOUR_S
LOWERED_BELOW = 0.1
"""A lower value takes force where it is so much below: the policy of the benchmark."""

_models: dict[bytes, FleetModel | None] = {}


class Forecasting:
    """One replay of one panel; the benchmark makes a fresh object per knob."""

    saturated: Any = None
    """Set by the benchmark: [series, t], True where a sample reached the allocation in force."""

    def __init__(self, panel: Mapping[str, Any]) -> None:
        self._panel = panel
        self._hold, self._delay = int(panel["hold_steps"]), int(panel["delay_steps"])
        self._series = len(panel["series"])
        block_s = self._hold * int(panel["step_s"])
        lead = -(-(self._delay + self._hold) // self._hold)
        self._forecaster = Forecaster(self._series, Timing(block_s=block_s, lead=lead))
        self._top, self._mean = rings_of(block_s, self._series)
        self._histogram = HistogramBank(Layout(LEARNED_SPAN))
        self._histogram.grow(self._series, LIMITS_HALF_LIFE_S)
        self._control = RiskControl.empty(self._series)
        self._made: deque[tuple[int, Floats]] = deque()
        """Column of each forecast that was not judged yet, and what was in force from then on."""
        self._amount: Floats = np.full(self._series, np.nan)
        self._seen = self._block = 0
        self._fitted_s = 0

    def allocate(self, t: int, hist: Floats, knob: float) -> Floats:
        """Return the allocation from column ``t`` on, ``[series]``."""
        self._see(t, hist)
        self._fit(t, hist)
        risk = np.full(self._series, self._risk(knob))
        outcome = self._outcome(hist, knob, risk)
        level = self._control.level(risk) if knob < RISK_BELOW else 1.0 - risk
        past = Past(top=self._top, mean=self._mean, block=self._block - 1)
        forecast = self._forecaster.advance(past, self._percentiles(), level, outcome)
        answer = forecast.chosen * max(knob, 1.0)
        unknown = 2.0 * self._forecaster.standing.highest
        answer = np.where(np.isnan(answer), unknown, answer)
        self._amount = put_in_force(answer, self._amount, LOWERED_BELOW)
        self._made.append((t, self._amount))
        return answer

    def _risk(self, knob: float) -> float:
        if knob >= 1.0:
            return DEFAULT_RISK[self._panel["task"]]
        return knob if knob < RISK_BELOW else 1.0 - knob

    def _see(self, t: int, hist: Floats) -> None:
        """Take the columns since the last call: the histogram all, the rings the last block."""
        new = np.ascontiguousarray(hist[:, self._seen : t].T)
        column, series = np.nonzero(~np.isnan(new))
        stamp_s = (self._seen + column) * int(self._panel["step_s"])
        self._histogram.add(series, new[column, series], stamp_s)
        self._seen = t
        block = np.ascontiguousarray(hist[:, t - self._hold : t].T)
        self._top.set(self._block, self._statistic(block))
        known = ~np.isnan(block)
        total = np.where(known, block, 0.0).sum(axis=0)
        count = known.sum(axis=0)
        self._mean.set(self._block, np.where(count, total / np.maximum(count, 1), np.nan))
        self._block += 1

    def _statistic(self, block: Floats) -> Floats:
        """Return what the panel judges a window by, of ``[N, S]``; NaN where it has no sample."""
        if self._panel["agg"] == "max":
            return np.asarray(np.fmax.reduce(block, axis=0, initial=np.nan), np.float64)
        known = ~np.isnan(block).all(axis=0)
        top = np.full(block.shape[1], np.nan)
        top[known] = np.nanquantile(block[:, known], 0.95, axis=0)
        return top

    def _outcome(self, hist: Floats, knob: float, risk: Floats) -> Outcome | None:
        """Return what came of the oldest forecast whose window has ended; None: there is none."""
        if len(self._made) < self._forecaster.timing.lead:
            return None
        made, in_force = self._made.popleft()
        first = made + self._delay
        minutes = np.ascontiguousarray(hist[:, first : first + self._hold].T)
        top = self._statistic(minutes)
        if RISK_BELOW <= knob < 1.0:
            return replace(outcome_of(top[None]), top=top)
        outcome = replace(outcome_of(minutes), top=top)
        if knob < RISK_BELOW:
            self._control.observe(outcome, in_force, risk, np.ones(self._series, np.bool_))
        return outcome

    def _percentiles(self) -> Floats:
        rows = np.arange(self._series)
        levels = np.broadcast_to(np.array(LEVELS), (self._series, len(LEVELS)))
        return np.ascontiguousarray(self._histogram.percentiles(rows, levels).T)

    def _fit(self, t: int, hist: Floats) -> None:
        now_s = t * int(self._panel["step_s"])
        due_s = self._fitted_s + DAY_S if self._fitted_s else FIRST_FIT_S
        if now_s < due_s:
            return
        self._fitted_s = now_s
        settings = repr((self._panel["step_s"], self._hold, self._delay, self._panel["agg"]))
        seen = hashlib.sha256(settings.encode())
        seen.update(np.ascontiguousarray(hist[:, :t]).tobytes())
        key = seen.digest()
        if key not in _models:
            _models[key] = train(*self._forecaster.examples.table())
        self._forecaster.model = _models[key] or self._forecaster.model


def forget_models() -> None:
    """Begin as a new process does."""
    _models.clear()
