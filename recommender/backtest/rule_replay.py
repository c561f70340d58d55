"""Causal replay of a rule of another autoscaler, on the usage that policies are replayed on.

All workloads are replayed together: one histogram per workload and resource.  A worker's samples
enter its workload's histogram with equal weight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recommender.backtest.actuation import put_in_force
from recommender.backtest.course import Course
from recommender.decision import Layer
from recommender.policy.table import dimension_of
from recommender.resources import TFLOPS
from recommender.usage.histograms import HistogramBank
from recommender.usage.layout import LEARNED_SPAN, Layout

if TYPE_CHECKING:
    from recommender.backtest.actuation import InForce
    from recommender.backtest.frame import UsageFrame
    from recommender.backtest.plan import ReplayPlan
    from recommender.backtest.rules import Rule
    from recommender.observation import Floats, Ints, Workloads
    from recommender.resources import Resource


def replay_rule(
    frame: UsageFrame, rule: Rule, plan: ReplayPlan, workloads: Workloads
) -> dict[Layer, InForce]:
    """Return what a rule puts in force: ``[D, W, R]``, replicas ``[D, W]`` all NaN.

    ``workloads`` (what is stated and in force at the start) are in the order of the frame's.
    """
    run = _Run(frame, rule, plan, workloads)
    for now_s in plan.ticks_s(frame.t0_s + frame.step_s, frame.end_s):
        run.tick(now_s)
    return run.course.in_force()


class _Run:
    """One pass over a frame."""

    def __init__(
        self, frame: UsageFrame, rule: Rule, plan: ReplayPlan, workloads: Workloads
    ) -> None:
        self._frame, self._rule, self._plan, self._workloads = frame, rule, plan, workloads
        self._sizing = [
            _Sizing(rule, resource, workloads, frame.row_of_series, r)
            for r, resource in enumerate(frame.resources)
        ]
        self._in_force = {Layer.REQUESTS: workloads.request, Layer.LIMITS: workloads.limit}
        self.course = Course(frame, plan, workloads.limit)
        self._seen = 0

    def tick(self, now_s: int) -> None:
        """Show what happened since the last tick, and let the rule decide."""
        self._show(now_s)
        for layer in self._plan.due(now_s):
            self.course.decided(layer, now_s, self._decided(layer))

    def _decided(self, layer: Layer) -> Floats:
        """Return what comes into force; what did before is no amount of a rule that has none."""
        if layer is Layer.REPLICAS:
            return np.full(len(self._workloads.workload), np.nan)
        is_request = layer is Layer.REQUESTS
        targets = np.column_stack(
            [each.request() if is_request else each.limit() for each in self._sizing]
        )
        current = self._in_force[layer]
        amounts = put_in_force(targets, current, self._rule.lower_below)
        self._in_force[layer] = amounts
        return np.where(np.isnan(targets), np.nan, amounts)

    def _show(self, now_s: int) -> None:
        frame = self._frame
        until = min(frame.steps, (now_s - frame.t0_s) // frame.step_s)
        begin_s = frame.t0_s + self._seen * frame.step_s
        times_s = begin_s + np.arange(until - self._seen) * frame.step_s
        for r, sizing in enumerate(self._sizing):
            use = frame.values[r, :, self._seen : until].astype(np.float64)
            if self._plan.is_closed_loop:
                share = self.course.share(r, begin_s, use.shape[1])
                use = self._cut(use, share, frame.resources[r])
            sizing.see(use, times_s)
        self._seen = until

    def _cut(self, use: Floats, share: Floats, resource: Resource) -> Floats:
        """Return use as it is seen below an amount in force; NaN amounts hide nothing."""
        if resource.is_compressible:
            return np.where(use > share, share, use)
        rule = self._rule
        refused = np.maximum(share * rule.refused_factor, share + rule.refused_least_bytes)
        return np.where(use > share, refused, use)


class _Sizing:
    """One resource of all workloads."""

    def __init__(
        self, rule: Rule, resource: Resource, workloads: Workloads, row: Ints, r: int
    ) -> None:
        self._rule, self._resource = rule, resource
        self._row = row
        self._stated_request = workloads.stated_request[:, r]
        self._stated_limit = workloads.stated_limit[:, r]
        dimension = dimension_of(resource)
        self._request_level = np.array(rule.request_levels[dimension])[workloads.qos]
        levels = rule.limit_levels
        self._limit_level = None if levels is None else levels[dimension]
        self._bank = _bank(resource)
        self._bank.grow(len(workloads.workload), rule.half_life_s)
        self._peaks: _Peaks | None = None
        if rule.vram_peak_s is not None and not resource.is_compressible:
            self._peaks = _Peaks(rule.vram_peak_s, len(row))

    def see(self, use: Floats, times_s: Ints) -> None:
        """Take some steps of every series, ``[S, n]``; NaN: no sample."""
        if self._peaks is not None:
            self._peaks.see(self._bank, self._row, use, times_s)
            return
        series, column = np.nonzero(~np.isnan(use))
        self._bank.add(self._row[series], use[series, column], times_s[column])

    def request(self) -> Floats:
        """Return the request of every workload, ``[W]``; NaN without a sample."""
        return self._with_margin(self._request_level)

    def limit(self) -> Floats:
        """Return the limit of every workload, ``[W]``; NaN where the rule has none."""
        if self._limit_level is None:
            ratio = self._stated_limit / self._stated_request
            return np.asarray(self.request() * ratio, np.float64)
        limit = self._with_margin(np.full(len(self._request_level), self._limit_level))
        if self._rule.keeps_stated_compute_limit and self._resource.is_compressible:
            limit = np.where(np.isnan(limit), np.nan, np.fmax(limit, self._stated_limit))
        return limit

    def _with_margin(self, levels: Floats) -> Floats:
        rows = np.arange(len(levels))
        amount = self._bank.percentiles(rows, levels[:, None])[:, 0] * (1 + self._rule.margin)
        if self._rule.has_whole_tflops and self._resource.name == TFLOPS.name:
            amount = np.maximum(np.floor(amount), 1.0)
        return np.asarray(amount, np.float64)


class _Peaks:
    """The open window of every series: its peak so far is in the histogram, at the window's start.

    A higher peak replaces the earlier one of its window, as the VPA does with memory.
    """

    def __init__(self, window_s: int, series: int) -> None:
        self._window_s = window_s
        self._start_s = -1
        self._peak = np.full(series, np.nan)

    def see(self, bank: HistogramBank, row: Ints, use: Floats, times_s: Ints) -> None:
        """Take some steps of every series, later than those before."""
        starts_s = times_s // self._window_s * self._window_s
        for start_s in np.unique(starts_s).tolist():
            self._see(bank, row, use[:, starts_s == start_s], start_s)

    def _see(self, bank: HistogramBank, row: Ints, use: Floats, start_s: int) -> None:
        """Take steps of one window."""
        if start_s != self._start_s:
            self._start_s = start_s
            self._peak[:] = np.nan
        higher = np.fmax.reduce(use, axis=1, initial=-np.inf)
        is_higher = higher > np.nan_to_num(self._peak, nan=-np.inf)
        replaced = np.flatnonzero(is_higher & ~np.isnan(self._peak))
        bank.subtract(row[replaced], self._peak[replaced], np.full(len(replaced), start_s))
        added = np.flatnonzero(is_higher)
        bank.add(row[added], higher[added], np.full(len(added), start_s))
        self._peak[added] = higher[added]


def _bank(resource: Resource) -> HistogramBank:
    if resource.first_bucket is None or resource.largest_value is None:
        return HistogramBank(Layout(LEARNED_SPAN))
    layout = Layout(resource.largest_value / resource.first_bucket)
    return HistogramBank(layout, first_bucket=resource.first_bucket)
