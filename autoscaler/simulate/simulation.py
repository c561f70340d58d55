"""Days of a fleet in seconds: the loop over a cluster in memory with a virtual clock.

Layers 1 and 2 tick every minute, and every 15 s in one hour that is shown closely; layer 3 every
ten minutes.  Nothing here decides anything: it moves time, calls the loop, and has the models of
the fleet trained daily in that time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.clock import VirtualClock
from autoscaler.errors import UsageError
from autoscaler.scaling.loop import Loop, LoopSettings
from autoscaler.simulate.cluster import SAMPLE_S, SimulatedCluster
from autoscaler.simulate.fleet import RESOURCES, Fleet
from recommender.decision import Layer
from recommender.forecast.daily_training import TrainingTimes, train_due
from recommender.policy.model import Mode
from recommender.usage.model import UsageModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.scaling.loop import Tick
    from recommender.decision import Decisions
    from recommender.forecast.promises import ForecastEvidence
    from recommender.observation import Observation
    from recommender.policy.model import Policy
    from recommender.report.blocks import HistoryEntry
    from recommender.usage.evidence import Evidence

DAY_S = 86400
HOUR_S = 3600
START_S = 1_767_571_200
"""Monday, 5 January 2026, 00:00 UTC: a fixed day, so that a seed gives the same run again."""
TICK_S = 60
CLOSE_TICK_S = SAMPLE_S
REQUESTS_PERIOD_S = 600

Progress = Callable[[int, int], None]
"""Called with (seconds simulated, seconds in all)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationResult:
    """The end of a simulation, ready for a report; rows of all parts agree."""

    loop: Loop
    cluster: SimulatedCluster
    views: Sequence[WorkloadView]
    observation: Observation
    decisions: Decisions
    """What all layers would decide at the end; not applied."""
    policies: tuple[Policy, ...]
    evidence: Evidence
    forecasts: ForecastEvidence
    history: Mapping[tuple[str, str], Sequence[HistoryEntry]]
    start_s: int
    now_s: int
    ticks: int


def simulate(
    fleet: Fleet,
    *,
    days: float = 3.0,
    seed: int = 7,
    burst_hour: int | None = None,
    mode: Mode = Mode.APPLY,
    start_s: int = START_S,
    progress: Progress | None = None,
) -> SimulationResult:
    """Run a fleet for some days and return its end.

    ``burst_hour`` is the hour from the start that ticks every 15 s.  Raises ``UsageError`` for
    arguments that cannot be simulated.
    """
    length_s = round(days * DAY_S)
    if length_s < TICK_S or not fleet.workloads:
        raise UsageError(
            f"{days} days of {len(fleet.workloads)} workloads cannot be simulated; "
            "allowed: at least one minute and one workload"
        )
    cluster = SimulatedCluster(
        fleet, start_s=start_s, length_s=length_s, rng=np.random.default_rng(seed)
    )
    clock = VirtualClock(start_s)
    loop = Loop(
        cluster,
        cluster.metrics,
        clock,
        UsageModel(RESOURCES),
        LoopSettings(mode=mode, period_s=_periods(), step_s=SAMPLE_S),
    )
    end_s = start_s + length_s
    ticks, trainings = 0, TrainingTimes()
    while clock.now_s() < end_s:
        run_once(
            loop, cluster, clock, min(clock.now_s() + _step_s(clock, start_s, burst_hour), end_s)
        )
        train_due(loop.model.forecasts, trainings, clock.now_s())
        ticks += 1
        if progress is not None:
            progress(clock.now_s() - start_s, length_s)
    return _result(loop, cluster, start_s, clock.now_s(), ticks)


def run_once(loop: Loop, cluster: SimulatedCluster, clock: VirtualClock, now_s: int) -> Tick:
    """Let the cluster run until ``now_s``, then tick."""
    cluster.run_until(now_s)
    clock.advance_to(now_s)
    return loop.tick()


def _periods() -> dict[Layer, int]:
    return {
        Layer.REQUESTS: REQUESTS_PERIOD_S,
        Layer.LIMITS: CLOSE_TICK_S,
        Layer.REPLICAS: CLOSE_TICK_S,
    }


def _step_s(clock: VirtualClock, start_s: int, burst_hour: int | None) -> int:
    hour = (clock.now_s() - start_s) // HOUR_S
    return CLOSE_TICK_S if hour == burst_hour else TICK_S


def _result(
    loop: Loop, cluster: SimulatedCluster, start_s: int, now_s: int, ticks: int
) -> SimulationResult:
    last = loop.preview()
    evidence = loop.evidence()
    assert last.observed is not None
    assert last.decisions is not None
    assert evidence is not None
    return SimulationResult(
        loop=loop,
        cluster=cluster,
        views=last.views,
        observation=last.observed.observation,
        decisions=last.decisions,
        policies=tuple(view.policy for view in last.views),
        evidence=evidence,
        forecasts=loop.model.forecasts.evidence(last.observed.usage_rows),
        history=loop.records.histories(),
        start_s=start_s,
        now_s=now_s,
        ticks=ticks,
    )
