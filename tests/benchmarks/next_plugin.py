"""What may be written, as a plug-in of the replay benchmark: limits and requests.

Usage model, forecasts and ``decide`` run as in the loop, tick by tick, and what a tick answers as
``next``, with pace and budgets, is in force at the one after it.  Nobody stated anything, so that
no bound is in the way.  A knob is the ``riskTarget`` of a policy with ``prediction``, which looks
as far ahead as what is decided is in force.

``Paced`` sends somebody else's amounts through the same ticks, in the place of the forecasts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from recommender.backtest.replayed_fleet import ReplayedFleet, unbounded_workloads
from recommender.decision import Layer
from recommender.forecast.gate import Gate
from recommender.observation import Floats, Forecasts
from recommender.policy.model import Policy
from recommender.policy.parse import parse_auto_scaling_config
from recommender.resources import resource_named
from recommender.usage.minutes import MINUTE_S
from recommender.usage.store import CLOSE_AFTER_S
from tests.benchmarks.replay_plugin import EPOCH_S, LAYER_OF_TASK, RISK_BELOW

TICK_S = {Layer.LIMITS: 60, Layer.REQUESTS: 300}
"""The loop ticks each 15 s; limits fall by a share a minute, requests move a few times a day.
Samples of a longer step are shown at its end, as one of each minute, and ticks are as far apart."""
BEGIN_S = {
    Layer.LIMITS: EPOCH_S + CLOSE_AFTER_S,
    Layer.REQUESTS: EPOCH_S + CLOSE_AFTER_S + MINUTE_S,
}
"""The loop forecasts whenever an hour (or five minutes) has closed, a while after its end, and the
benchmark asks as often: then.  Asked at the end itself, all forecasts would be an hour old."""
LEAST_AHEAD_S = 600
"""How far limits look ahead by default."""


class Enrolled:
    """One replay of one panel, the workloads of which are enrolled for one layer."""

    def __init__(self, panel: Mapping[str, Any]) -> None:
        self._panel = panel
        self._layer = LAYER_OF_TASK[panel["task"]]
        self._begin_s = BEGIN_S[self._layer]
        self._in_force_s = int(panel["step_s"]) * (panel["delay_steps"] + panel["hold_steps"])
        self._fleet: ReplayedFleet | None = None
        self._seen = 0

    def allocate(self, t: int, hist: Floats, knob: float) -> Floats:
        """Return what is in force from column ``t`` on, ``[series]``; NaN: nothing yet."""
        if self._fleet is None:
            self._fleet = self._fleet_of(policy_of(self._layer, knob, self._in_force_s))
        fleet, step_s = self._fleet, int(self._panel["step_s"])
        begin_s, end_s = (self._begin_s + column * step_s for column in (self._seen, t))
        tick_s = max(TICK_S[self._layer], step_s)
        for now_s in range(begin_s + tick_s, end_s, tick_s):
            self._see((now_s - self._begin_s) // step_s, hist, now_s)
            self._tick(fleet, now_s)
        self._see(t, hist, end_s)
        self._last_tick(fleet, end_s)
        column = "limit" if self._layer is Layer.LIMITS else "request"
        return np.asarray(getattr(fleet.workloads, column)[:, 0], np.float64)

    def _see(self, until: int, hist: Floats, now_s: int) -> None:
        """Hand over the columns up to ``until``."""
        assert self._fleet is not None, "it is made before anything is shown"
        if until > self._seen:
            begin_s = self._begin_s + self._seen * int(self._panel["step_s"])
            values = np.array(hist[:, self._seen : until], np.float64)
            each_minute = np.repeat(values, int(self._panel["step_s"]) // MINUTE_S, axis=1)
            self._fleet.see(0, begin_s, each_minute, now_s=now_s)
            self._seen = until

    def _last_tick(self, fleet: ReplayedFleet, now_s: int) -> None:
        """Tick at the time of a decision."""
        self._tick(fleet, now_s)

    def _tick(self, fleet: ReplayedFleet, now_s: int) -> None:
        decisions = fleet.decide(now_s, frozenset({self._layer}))
        if self._layer is Layer.LIMITS:
            fleet.put_in_force(limit=decisions.next_limit)
        else:
            fleet.put_in_force(request=decisions.next_request)

    def _fleet_of(self, policy: Policy) -> ReplayedFleet:
        return _fleet(ReplayedFleet, self._panel, policy, frozenset(Layer))


class Paced(Enrolled):
    """Somebody else's amounts in the place of the forecasts: the ticks let the same through."""

    def __init__(self, panel: Mapping[str, Any], amounts: Iterable[Floats]) -> None:
        """``amounts`` are those of each decision, ``[series]``, which its last tick knows."""
        super().__init__(panel)
        self._amounts = iter(amounts)

    def _fleet_of(self, policy: Policy) -> ReplayedFleet:
        return _fleet(_Given, self._panel, policy, frozenset())

    def _last_tick(self, fleet: ReplayedFleet, now_s: int) -> None:
        assert isinstance(fleet, _Given), "no other is made here"
        fleet.given = next(self._amounts)
        self._tick(fleet, now_s)


class _Given(ReplayedFleet):
    """A fleet that believes amounts which it is given."""

    given: Floats | None = None
    """[W]; None before the first decision of whose they are."""

    def forecasts(self, now_s: int) -> Forecasts | None:
        """Return the amounts as forecasts of both layers; their gates are open."""
        if self.given is None:
            return None
        amount, unknown = self.given[:, None], np.full((len(self.given), 1), np.nan)
        is_open = np.full(amount.shape, int(Gate.OPEN))
        return Forecasts(
            limit=amount,
            limit_histogram=amount,
            limit_gate=is_open,
            request=amount,
            request_histogram=amount,
            request_gate=is_open,
            segment=unknown,
            segment_since_s=np.full(amount.shape, -1),
            replica_demand=unknown[:, 0],
            replica_gate=np.full(len(self.given), int(Gate.NOT_ASKED)),
        )


def _fleet(
    kind: type[ReplayedFleet],
    panel: Mapping[str, Any],
    policy: Policy,
    forecast_layers: frozenset[Layer],
) -> ReplayedFleet:
    rows = len(panel["series"])
    return kind(
        [resource_named(panel["resource"])],
        [policy] * rows,
        unbounded_workloads([("replay", str(row)) for row in range(rows)], 1),
        np.arange(rows),
        step_s=MINUTE_S,
        begin_s=BEGIN_S[LAYER_OF_TASK[panel["task"]]],
        forecast_layers=forecast_layers,
    )


def policy_of(layer: Layer, risk: float, in_force_s: int) -> Policy:
    """Return the policy of a workload that is enrolled with ``riskTarget`` and ``prediction``.

    Limits look ahead to ``in_force_s`` from now, when what is decided ends to be in force: where
    samples are ten minutes apart, that is further than by default.
    Raises ``ValueError`` for a knob that is none: from 0.5 on knobs mean something else elsewhere.
    """
    if not 0.0 < risk < RISK_BELOW:
        raise ValueError(f"knob {risk}: a riskTarget is above 0 and below {RISK_BELOW}")
    prediction: dict[str, object] = {"enable": True}
    if layer is Layer.LIMITS:
        prediction["predictionPeriod"] = f"{max(in_force_s, LEAST_AHEAD_S)}s"
    block = "autoSetLimits" if layer is Layer.LIMITS else "autoSetRequests"
    asked = {"enable": True, "riskTarget": risk, "prediction": prediction}
    policy = parse_auto_scaling_config({block: asked})
    assert policy.problems == (), policy.problems
    return policy
