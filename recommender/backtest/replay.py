"""Causal replay of recorded usage through the same ``decide`` that runs live.

A decision at ``t`` sees steps that ended at or before ``t``; it is in force from ``t`` + delay on,
until the next one.  In the closed loop the recommender is shown min(demand, allocation in force):
a limit that is too low hides the demand above it, as it would live.  Scores are in ``scores``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recommender.backtest.actuation import InForce, put_in_force
from recommender.backtest.course import Course
from recommender.backtest.frame import UsageFrame
from recommender.backtest.notes import Absences, absences_of
from recommender.backtest.plan import Amounts, ReplayPlan
from recommender.backtest.replayed_fleet import ReplayedFleet, unbounded_workloads
from recommender.decision import Decisions, Layer
from recommender.errors import ContractError
from recommender.observation import Floats, Workloads
from recommender.policy.model import Policy
from recommender.policy.table import PolicyTable, policy_table

Progress = Callable[[float], None]
"""Told how much is done, 0 to 1."""
_COLUMN_OF_LAYER = {Layer.REQUESTS: "request", Layer.LIMITS: "limit", Layer.REPLICAS: "replicas"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """Amounts in force of every layer that took part: ``[D, W, R]``, replicas ``[D, W]``."""

    in_force: dict[Layer, InForce]
    plan: ReplayPlan
    absences: Absences
    """Where at the end the model did not count that was asked for; of layers that took part."""


def replay(
    frame: UsageFrame,
    policies: Sequence[Policy],
    plan: ReplayPlan,
    *,
    workloads: Workloads | None = None,
    progress: Progress | None = None,
    fits_named: bool = False,
) -> Replayed:
    """Replay all workloads of ``frame`` together.

    ``policies`` and ``workloads`` (what is stated and in force at the start, by default nothing)
    are in the order of ``frame.workloads``.  ``fits_named`` has models that are fitted for one
    series alone fitted each hour; without it ``auto`` stands for them.  Raises
    ``InvalidValueError`` for a plan that does not fit the frame's step, ``ContractError`` for rows
    that do not match.
    """
    plan.checked(frame.step_s)
    keys = frame.workloads
    if workloads is None:
        workloads = unbounded_workloads(keys, len(frame.resources))
    if not len(policies) == len(keys) == len(workloads.workload):
        raise ContractError(f"{len(keys)} workloads in the frame, {len(policies)} policies")
    run = _Run(frame, policies, plan, workloads, fits_named=fits_named)
    ticks = plan.ticks_s(frame.t0_s + frame.step_s, frame.end_s)
    for i, now_s in enumerate(ticks):
        run.tick(now_s)
        if progress is not None:
            progress((i + 1) / len(ticks))
    return Replayed(in_force=run.in_force(), plan=plan, absences=run.absences())


class _Run:
    """One pass over a frame."""

    def __init__(
        self,
        frame: UsageFrame,
        policies: Sequence[Policy],
        plan: ReplayPlan,
        workloads: Workloads,
        *,
        fits_named: bool,
    ) -> None:
        self._frame, self._plan = frame, plan
        self._row = frame.row_of_series
        if Layer.REPLICAS in plan.steps_s:
            workloads = replace(workloads, replicas=self._replicas_at_start(workloads))
        self._fleet = ReplayedFleet(
            frame.resources,
            policies,
            workloads,
            self._row,
            step_s=frame.step_s,
            begin_s=frame.t0_s,
            forecast_layers=frozenset(plan.steps_s),
            fits_named=fits_named,
        )
        self._lower_below = _lower_below(policy_table(policies, frame.resources))
        self._course = Course(frame, plan, workloads.limit)
        self._seen = 0

    def tick(self, now_s: int) -> None:
        """Show what happened since the last tick, decide, and let the decision take force."""
        self._show(now_s)
        due = self._plan.due(now_s)
        workers = None
        if Layer.REPLICAS in due:
            workers = self._fleet.spread_over_replicas(now_s)
        decisions = self._fleet.decide(now_s, due, workers=workers)
        for layer in due:
            amounts = self._applied(layer, decisions)
            self._fleet.put_in_force(**{_COLUMN_OF_LAYER[layer]: amounts})
            self._course.decided(layer, now_s, amounts)

    def in_force(self) -> dict[Layer, InForce]:
        """Return everything that took force."""
        return self._course.in_force()

    def absences(self) -> Absences:
        """Return where the model does not count that was asked for."""
        every = absences_of(self._fleet.evidence())
        return {layer: every[layer] for layer in self._plan.steps_s}

    def _applied(self, layer: Layer, decisions: Decisions) -> Floats:
        name = _COLUMN_OF_LAYER[layer]
        if self._plan.amounts is Amounts.NEXT:
            return np.asarray(getattr(decisions, f"next_{name}"), np.float64)
        target = getattr(decisions, f"target_{name}")
        current = getattr(self._fleet.workloads, name)
        return put_in_force(target, current, self._lower_below[layer])

    def _show(self, now_s: int) -> None:
        frame = self._frame
        until = min(frame.steps, (now_s - frame.t0_s) // frame.step_s)
        begin_s = frame.t0_s + self._seen * frame.step_s
        for r, resource in enumerate(frame.resources):
            demand = frame.values[r, :, self._seen : until].astype(np.float64)
            if not self._plan.is_closed_loop:
                self._fleet.see(r, begin_s, demand, now_s=now_s)
                continue
            share = self._course.share(r, begin_s, demand.shape[1])
            is_cut = demand > share
            self._fleet.see(r, begin_s, np.where(is_cut, share, demand), now_s=now_s, share=share)
            if not resource.is_compressible:
                series, column = np.nonzero(is_cut)
                self._fleet.refuse(series, begin_s + column * frame.step_s)
        self._seen = until

    def _replicas_at_start(self, workloads: Workloads) -> Floats:
        series = np.bincount(self._row, minlength=len(workloads.workload)).astype(np.float64)
        return np.where(np.isnan(workloads.replicas), series, workloads.replicas)


def _lower_below(table: PolicyTable) -> dict[Layer, Floats | float]:
    """Return by which share a target must lie below what is in force to lower it."""
    return {
        Layer.REQUESTS: table.requests.update_threshold,
        Layer.LIMITS: table.limits.ignored_delta,
        Layer.REPLICAS: 0.0,
    }
