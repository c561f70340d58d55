"""Amounts in force against a frame of use: one tally per workload and resource."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from recommender.backtest.actuation import InForce
from recommender.backtest.frame import UsageFrame
from recommender.backtest.scores import Tally, changes_per_day, scores_of, tally
from recommender.backtest.whatif import Scores
from recommender.observation import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One layer's back-test, ``[W, R]`` (replicas: ``[W, 1]``, in units of demand)."""

    tally: Tally
    scores: Scores


def judged(frame: UsageFrame, in_force: InForce) -> Judged:
    """Judge every series of the frame on its workload's amounts, and pool them by workload.

    Steps before the first amount are not judged, nor are those without a measured worker.
    """
    row, rows = frame.row_of_series, len(frame.workloads)
    columns, steps = [], []
    for r in range(len(frame.resources)):
        use, amount = frame.values[r], in_force.column(r).at(frame.times_s(), row)
        columns.append(tally(use, amount, frame.means[r]).pooled(row, rows))
        is_judged = _of_any_worker(~(np.isnan(use) | np.isnan(amount)), row, rows)
        steps.append(np.count_nonzero(is_judged, axis=1))
    whole = _stacked(columns)
    per_day = changes_per_day(in_force.changes(), np.stack(steps, axis=1) * frame.step_s)
    return Judged(tally=whole, scores=scores_of(whole, per_day))


def judged_replicas(frame: UsageFrame, in_force: InForce, stated_limit: Floats) -> Judged:
    """Judge the capacity of replicas on the demand of all workers of a workload.

    A replica carries its stated limit (``[W]``) of the first compressible resource; without one
    there is nothing to judge.
    """
    row, rows = frame.row_of_series, len(frame.workloads)
    r = next((i for i, resource in enumerate(frame.resources) if resource.is_compressible), None)
    if r is None:
        demand = np.full((rows, frame.steps), np.nan)
    else:
        demand = np.zeros((rows, frame.steps))
        np.add.at(demand, row, np.nan_to_num(frame.values[r]))
        demand[~_of_any_worker(~np.isnan(frame.values[r]), row, rows)] = np.nan
    replicas = in_force.at(frame.times_s(), np.arange(rows)).astype(np.float64)
    whole = _stacked([tally(demand, replicas * stated_limit[:, None])])
    per_day = changes_per_day(in_force.changes()[:, None], whole.judged * frame.step_s)
    return Judged(tally=whole, scores=scores_of(whole, per_day))


def unchanged(amounts: Floats, like: InForce) -> InForce:
    """Return constant ``[W, R]`` amounts, judged over the same time as ``like``.

    Where ``like`` has no amount yet there is none either, so that both see the same steps.
    """
    return replace(like, amounts=np.where(np.isnan(like.amounts), np.nan, amounts))


def _stacked(columns: list[Tally]) -> Tally:
    return Tally(
        **{f.name: np.stack([getattr(c, f.name) for c in columns], axis=1) for f in fields(Tally)}
    )


def _of_any_worker(holds: Bools, row: Ints, rows: int) -> Bools:
    """Return where something holds of any worker, ``[rows, T]`` of ``[S, T]``."""
    found = np.zeros((rows, holds.shape[1]), np.bool_)
    np.logical_or.at(found, row, holds)
    return found
