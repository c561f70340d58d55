"""Some workloads of a fleet, replayed under one or several policies and scored in one process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recommender.backtest.actuation import InForce
from recommender.backtest.contender import Contender, known_to_all, stated_amounts
from recommender.backtest.costs import Costs, costs_of
from recommender.backtest.frame import UsageFrame
from recommender.backtest.judging import Judged, judged, judged_replicas
from recommender.backtest.notes import Absences
from recommender.backtest.plan import ReplayPlan
from recommender.backtest.replay import replay
from recommender.backtest.replayed_fleet import rows_of
from recommender.backtest.rule_replay import replay_rule
from recommender.decision import Layer
from recommender.observation import Floats, Ints, Workloads
from recommender.pricing import Prices
from recommender.resources import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What one policy did to the workloads of one part."""

    layers: dict[Layer, Judged]
    costs: Costs
    absences: Absences
    """Empty where forecasts are no part of the policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some workloads of a fleet; travels to the process that replays it."""

    frame: UsageFrame
    contenders: tuple[Contender, ...]
    workloads: Workloads
    prices: tuple[Prices | None, ...]
    plan: ReplayPlan

    def split(self, parts: Sequence[Ints]) -> Iterator[Part]:
        """Yield parts of the workloads, each made when it is taken."""
        for rows, frame in zip(parts, self.frame.in_parts(parts), strict=True):
            yield replace(
                self,
                frame=frame,
                contenders=tuple(each.of_rows(rows.tolist()) for each in self.contenders),
                workloads=rows_of(self.workloads, rows),
                prices=tuple(self.prices[i] for i in rows),
            )

    def scored(self) -> tuple[Scored, ...]:
        """Replay and judge."""
        replayed = [self._replayed(contender) for contender in self.contenders]
        amounts = [in_force for in_force, _ in replayed]
        costs = costs_of(self.frame, self.workloads, self.prices, amounts)
        return tuple(
            Scored(
                layers={layer: self._judged(layer, each) for layer, each in own.items()},
                costs=own_costs,
                absences=absences,
            )
            for own, own_costs, (_, absences) in zip(
                known_to_all(amounts), costs, replayed, strict=True
            )
        )

    def _replayed(self, contender: Contender) -> tuple[dict[Layer, InForce], Absences]:
        """Return what a policy would have put in force (NaN: it sizes nothing there).

        And where its models by name did not count.
        """
        frame, plan = self.frame, self.plan
        if contender.rule is not None:
            return replay_rule(frame, contender.rule, plan, self.workloads), {}
        if contender.policies is not None:
            done = replay(
                frame, contender.policies, plan, workloads=self.workloads, fits_named=True
            )
            return done.in_force, done.absences
        return {layer: self._stated(layer) for layer in plan.steps_s}, {}

    def _stated(self, layer: Layer) -> InForce:
        """Return what is stated, from the first decision of others on."""
        frame, plan = self.frame, self.plan
        ticks_s = plan.ticks_s(frame.t0_s + frame.step_s, frame.end_s)
        since_s = [now_s + plan.delay_s for now_s in ticks_s if layer in plan.due(now_s)]
        stated = stated_amounts(self.workloads, layer)
        return InForce(
            since_s=np.array(since_s, np.int64),
            amounts=np.broadcast_to(stated, (len(since_s), *stated.shape)),
        )

    def _judged(self, layer: Layer, in_force: InForce) -> Judged:
        if layer is Layer.REPLICAS:
            stated = _stated_limit(self.workloads, self.frame.resources)
            done = judged_replicas(self.frame, in_force, stated)
        else:
            done = judged(self.frame, in_force)
        return replace(done, tally=done.tally.of_devices(self.workloads.gpu_count))


def _stated_limit(workloads: Workloads, resources: Sequence[Resource]) -> Floats:
    for r, resource in enumerate(resources):
        if resource.is_compressible:
            return workloads.stated_limit[:, r]
    return np.full(len(workloads.workload), np.nan)
