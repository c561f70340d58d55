"""Back-tests of whole fleets: parts of the workloads on local cores, or on a Dask cluster.

Every part is replayed and scored where it runs, and only sums come back.  Several policies are
replayed side by side and judged on the same steps: those for which all of them have an amount.
With ``Amounts.NEXT`` each part has a change budget of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from recommender.backtest.contender import Contender
from recommender.backtest.costs import Costs
from recommender.backtest.engine import LOCAL, run_parts
from recommender.backtest.frame import UsageFrame
from recommender.backtest.judging import Judged
from recommender.backtest.notes import absence_notes, late_decision_notes
from recommender.backtest.part import Part, Scored
from recommender.backtest.plan import ReplayPlan
from recommender.backtest.replay import Progress
from recommender.backtest.replayed_fleet import unbounded_workloads
from recommender.backtest.scores import Tally, scores_of, violated_minutes
from recommender.backtest.whatif import Scores
from recommender.decision import Layer
from recommender.errors import ContractError
from recommender.observation import Floats, Ints, Workloads
from recommender.pricing import Prices
from recommender.resources import Resource

WORKLOADS_PER_PART = 64
Columns = TypeVar("Columns", Tally, Scores, Costs)


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestResult:
    """Scores of every workload (rows in the order of ``workloads``) and of the fleet."""

    name: str
    """Of the policy."""
    workloads: tuple[tuple[str, str], ...]
    """(namespace, workload)."""
    resources: tuple[Resource, ...]
    start_s: int
    end_s: int
    step_s: int
    plan: ReplayPlan
    layers: dict[Layer, Judged]
    """``[W, R]``; replicas ``[W, 1]``.  Amounts are of all devices of a worker."""
    costs: Costs
    notes: tuple[str, ...] = ()
    """Which models that the policy asks for by name did not count; which decisions come late."""

    def fleet(self, layer: Layer) -> Scores:
        """Return the scores of all workloads together, ``[R]``; each judged step weighs the same.

        Slack divides all that was allocated by all that was used; changes are per workload.
        """
        of_layer = self.layers[layer]
        changes = of_layer.scores.changes_per_day
        known = ~np.isnan(changes)
        each = np.where(known, changes, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        return scores_of(of_layer.tally.total(), each)

    def denied_vram_minutes(self, layer: Layer) -> Floats:
        """Return the minutes in which VRAM would have been refused, ``[W, R]``; else 0."""
        minutes = violated_minutes(self.layers[layer].tally, self.step_s)
        is_vram = np.array([not resource.is_compressible for resource in self.resources], np.bool_)
        return np.where(is_vram, minutes, 0.0)


def run_backtests(
    frame: UsageFrame,
    contenders: Sequence[Contender],
    plan: ReplayPlan,
    *,
    workloads: Workloads | None = None,
    prices: Sequence[Prices | None] | None = None,
    engine: str = LOCAL,
    jobs: int = 1,
    progress: Progress | None = None,
) -> tuple[BacktestResult, ...]:
    """Replay and score a fleet under several policies, one result for each.

    Policies, ``workloads`` (what is stated and in force, by default nothing) and ``prices`` (by
    default none) are in the order of ``frame.workloads``.  ``engine`` and ``jobs`` are those of
    ``run_parts``.  Raises ``InvalidValueError`` for an engine that cannot be used.
    """
    plan.checked(frame.step_s)
    keys = frame.workloads
    if workloads is None:
        workloads = unbounded_workloads(keys, len(frame.resources))
    counts = {len(each.policies) for each in contenders if each.policies is not None}
    if len(workloads.workload) != len(keys) or not contenders or counts - {len(keys)}:
        given = ", ".join(str(count) for count in sorted(counts)) or "no"
        raise ContractError(f"{len(keys)} workloads in the frame, {given} policies")
    whole = Part(
        frame=frame,
        contenders=tuple(contenders),
        workloads=workloads,
        prices=(None,) * len(keys) if prices is None else tuple(prices),
        plan=plan,
    )
    parts = _parts(len(keys))
    done: list[tuple[Scored, ...]] = []
    for scored in run_parts(_scored, whole.split(parts), engine=engine, jobs=jobs):
        done.append(scored)
        if progress is not None:
            progress(len(done) / len(parts))
    return tuple(
        BacktestResult(
            name=contender.name,
            workloads=keys,
            resources=frame.resources,
            start_s=frame.t0_s,
            end_s=frame.end_s,
            step_s=frame.step_s,
            plan=plan,
            layers=_layers([part[i].layers for part in done]),
            costs=_joined(Costs, [part[i].costs for part in done]),
            notes=_notes(frame, contender, plan, [part[i] for part in done]),
        )
        for i, contender in enumerate(contenders)
    )


def _scored(part: Part) -> tuple[Scored, ...]:
    return part.scored()


def _parts(workloads: int) -> list[Ints]:
    count = max(1, -(-workloads // WORKLOADS_PER_PART))
    return np.array_split(np.arange(workloads), count)


def _layers(parts: Sequence[dict[Layer, Judged]]) -> dict[Layer, Judged]:
    """Put the rows of all parts together."""
    return {
        layer: Judged(
            tally=_joined(Tally, [part[layer].tally for part in parts]),
            scores=_joined(Scores, [part[layer].scores for part in parts]),
        )
        for layer in parts[0]
    }


def _notes(
    frame: UsageFrame, contender: Contender, plan: ReplayPlan, parts: Sequence[Scored]
) -> tuple[str, ...]:
    policies, keys = contender.policies, frame.workloads
    if policies is None:
        return ()
    absences = {
        layer: np.concatenate([part.absences[layer] for part in parts])
        for layer in parts[0].absences
    }
    return (
        *absence_notes(policies, keys, frame.resources, absences),
        *late_decision_notes(policies, keys, plan.steps_s),
    )


def _joined(kind: Callable[..., Columns], parts: Sequence[Columns]) -> Columns:
    names = [f.name for f in fields(parts[0])]
    return kind(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})
