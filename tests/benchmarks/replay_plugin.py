"""The recommender as a plug-in of the replay benchmark.

It drives the usage model and ``decide`` as the loop does, with one layer due, and answers with that
layer's ``target``: what is right, without pace and budgets, which are the benchmark's to model.  A
replay starts from nothing, reads no series names and sees columns before ``t`` only.  It is what
percentiles alone decide: forecasts, and risks that are calibrated, are of ``forecast_plugin``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from recommender.backtest.replayed_fleet import ReplayedFleet, unbounded_workloads
from recommender.decision import Layer
from recommender.observation import Floats
from recommender.policy.model import Buffer, Dimension, Policy
from recommender.policy.parse import parse_auto_scaling_config
from recommender.resources import Resource, resource_named

EPOCH_S = 20_000 * 86_400
"""Where column 0 lies: any fixed midnight, so that no calendar can be read from it."""
RISK_BELOW = 0.5
"""Knobs below it are risk targets, from 1 on factors; between them there is no meaning."""
LAYER_OF_TASK = {
    "limits": Layer.LIMITS,
    "requests": Layer.REQUESTS,
    "vram": Layer.REQUESTS,
    "replicas": Layer.REPLICAS,
}


class Method:
    """One replay of one panel; the benchmark makes a fresh object per knob."""

    saturated: Any = None
    """Set by the benchmark: [series, t], True where a sample reached the allocation in force."""

    def __init__(self, panel: Mapping[str, Any]) -> None:
        self._panel = panel
        self._layer = LAYER_OF_TASK[panel["task"]]
        self._capacity = panel.get("capacity")
        self._fleet: ReplayedFleet | None = None
        self._knob: Floats = np.empty(0)
        self._seen = 0
        self._answer: Floats = np.full(len(panel["series"]), np.nan)

    def allocate(self, t: int, hist: Floats, knob: float | Floats) -> Floats:
        """Return the allocation (or the wanted replicas) from column ``t`` on, ``[series]``.

        ``knob`` is one number, or one per series.
        """
        if self._fleet is None:
            self._fleet, self._knob = self._new_fleet(knob), np.array(knob)
        if not np.array_equal(knob, self._knob):
            raise ValueError(f"knob: {knob} after {self._knob}; allowed: one knob per replay")
        self._see(self._fleet, t, hist)
        now_s = EPOCH_S + t * self._panel["step_s"]
        if self._layer is Layer.REPLICAS:
            self._answer = self._wanted_replicas(self._fleet, now_s)
        else:
            self._answer = self._target(self._fleet, now_s)
        return self._answer

    def _new_fleet(self, knob: float | Floats) -> ReplayedFleet:
        rows = len(self._panel["series"])
        resource = resource_of(self._panel["task"], self._panel["resource"])
        columns = {}
        if self._capacity is not None:
            columns = {
                "stated_limit": np.asarray(self._capacity, np.float64)[:, None],
                "replicas": np.ones(rows),
                "stated_replicas": np.full(rows, np.nan),
            }
        names = [("replay", str(i)) for i in range(rows)]
        knobs = np.broadcast_to(np.asarray(knob, np.float64), (rows,)).tolist()
        policies = {each: policy_of(self._layer, each) for each in set(knobs)}
        return ReplayedFleet(
            [resource],
            [policies[each] for each in knobs],
            unbounded_workloads(names, 1, **columns),
            np.arange(rows),
            step_s=self._panel["step_s"],
            begin_s=EPOCH_S,
            forecast_layers=frozenset(),
        )

    def _see(self, fleet: ReplayedFleet, t: int, hist: Floats) -> None:
        """Hand over the columns since the last call; a saturated sample used all that it had."""
        new = slice(self._seen, t)
        values, share = np.array(hist[:, new], np.float64), None
        if self.saturated is not None:
            share = np.where(self.saturated[:, new], values, np.nan)
            if self._layer is Layer.LIMITS:
                self._note_limit(fleet, values, share)
        begin_s = EPOCH_S + self._seen * self._panel["step_s"]
        now_s = EPOCH_S + t * self._panel["step_s"]
        fleet.see(0, begin_s, values, now_s=now_s, share=share)
        self._seen = t

    def _note_limit(self, fleet: ReplayedFleet, values: Floats, share: Floats) -> None:
        """Tell what is in force: the last answer, or more where a saturated sample shows it."""
        shown = np.fmax.reduce(share, axis=1, initial=np.nan)
        fleet.put_in_force(limit=np.fmax(self._answer, shown)[:, None])

    def _target(self, fleet: ReplayedFleet, now_s: int) -> Floats:
        decisions = fleet.decide(now_s, frozenset({self._layer}))
        target = decisions.target_limit if self._layer is Layer.LIMITS else decisions.target_request
        return target[:, 0]

    def _wanted_replicas(self, fleet: ReplayedFleet, now_s: int) -> Floats:
        """Decide on each service's demand, spread evenly over the replicas wanted last."""
        workers = fleet.spread_over_replicas(now_s)
        target = fleet.decide(now_s, frozenset({Layer.REPLICAS}), workers=workers).target_replicas
        wanted = np.where(np.isnan(target), fleet.workloads.replicas, target)
        fleet.put_in_force(replicas=wanted)
        return wanted


def resource_of(task: str, name: str) -> Resource:
    """Return how the panel's resource is bucketed; memory under a foreign name never shrinks."""
    resource = resource_named(name)
    if task == "vram" and resource.is_compressible:
        return replace(resource, is_compressible=False)
    return resource


def policy_of(layer: Layer, knob: float) -> Policy:
    """Return the default policy with the knob in it.

    From 1 on it replaces (1 + buffer), below 0.5 it is the layer's ``riskTarget``; for replicas it
    multiplies demand / capacity.
    """
    policy = parse_auto_scaling_config({})
    if layer is Layer.REPLICAS:
        rule = replace(
            policy.replicas, target_of_limit=1.0 / knob, min_replicas=1, max_replicas=10**6
        )
        return replace(policy, replicas=rule)
    if knob < RISK_BELOW:
        change: dict[str, Any] = {"risk_target": knob}
    elif knob >= 1.0:
        change = {"buffer": Buffer(knob)}
    else:
        raise ValueError(f"knob: {knob} has no meaning; allowed: below 0.5, or 1 and more")
    name = "limits" if layer is Layer.LIMITS else "requests"
    rules = getattr(policy, name)
    changed = {dimension: replace(rules[dimension], **change) for dimension in Dimension}
    return replace(policy, **{name: MappingProxyType(changed)})
