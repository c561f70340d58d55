"""All three layers together over days, with use that answers to what they decide."""

import numpy as np
import pytest

from recommender.observation import Workers
from recommender.resources import GIB
from recommender.usage.statistics import read_demand
from tests.builders import policy
from tests.fleets import Fleet, forecasts

DAY_S = 86400
TICK_S = 600
MOST_WORKERS = 8
FORECAST_FROM_S = 6 * 3600
SEGMENT_S = 6 * 3600
PREDICTS = {
    block: {"enable": True, "prediction": {"enable": True}}
    for block in ("autoSetRequests", "autoSetLimits", "autoSetReplicas")
}


class SharedDemand(Fleet):
    """A workload whose demand is shared by as many workers as it has replicas, up to its limit."""

    def __post_init__(self):
        super().__post_init__()
        self.used = []

    def use_for(self, seconds, tflops, vram_bytes, *, step_s=60):
        count = int(self.workloads.replicas[0])
        running = self.workers[:count]
        each = min(tflops / count, float(self.workloads.limit[0, 0]))
        self.used += [(each, vram_bytes, each * count)] * max(1, seconds // TICK_S)
        ts = self.now_s + np.arange(0, seconds, step_s)
        for resource, value in ((0, each), (1, vram_bytes)):
            self.model.ingest(
                resource,
                np.repeat(running, len(ts)),
                np.tile(ts, count),
                np.full(len(ts) * count, value),
                now_s=self.now_s + seconds,
                step_s=step_s,
                share=np.full(len(ts) * count, self.workloads.limit[0, resource]),
            )
        self.pass_time(seconds)

    def observe(self):
        seen = super().observe()
        count = int(self.workloads.replicas[0])
        period_s = np.full(count, self.table.replicas.evaluation_s[0])
        is_known = len(self.used) * TICK_S >= FORECAST_FROM_S
        demand = read_demand(self.model, self.workers[:count], period_s, self.now_s)
        workers = Workers(
            workload_row=np.zeros(count, np.int64), demand=demand, is_ready=np.ones(count, np.bool_)
        )
        return seen.__class__(
            resources=seen.resources,
            workloads=seen.workloads,
            workers=workers,
            usage=seen.usage,
            forecasts=self.forecast() if is_known else None,
        )

    def forecast(self):
        """Return forecasts that see what limits leave of the demand, and lie a little above it."""
        used = np.array(self.used[-6:])
        each, vram_bytes = 1.02 * used[:, 0].max(), used[:, 1].max()
        level = (each, vram_bytes)
        return forecasts(
            1,
            2,
            limit=level,
            request=level,
            segment=level,
            segment_since_s=self.now_s // SEGMENT_S * SEGMENT_S,
            replica_demand=1.02 * used[:, 2].max(),
        )

    def live(self, seconds, tflops, vram_bytes):
        """Return (request, limit, replicas) after each tick."""
        seen = []
        for _ in range(seconds // TICK_S):
            self.use_for(TICK_S, tflops, vram_bytes)
            self.tick()
            in_force = self.workloads
            seen.append([*in_force.request[0], *in_force.limit[0], in_force.replicas[0]])
        return np.array(seen)


def stated(request_tflops, limit_tflops, *, replicas=2, config=None):
    return SharedDemand(
        [policy(config, is_enrolled=True)],
        workers_per_workload=MOST_WORKERS,
        columns={
            "request": np.array([[request_tflops, 4 * GIB]]),
            "stated_request": np.array([[request_tflops, 4 * GIB]]),
            "limit": np.array([[limit_tflops, 8 * GIB]]),
            "stated_limit": np.array([[limit_tflops, 8 * GIB]]),
            "card": np.array([[312.0, 80 * GIB]]),
            "replicas": np.array([float(replicas)]),
            "stated_replicas": np.array([float(replicas)]),
        },
    )


@pytest.mark.parametrize(
    ("request_tflops", "limit_tflops", "demand_tflops", "replicas"),
    [(10.0, 20.0, 30.0, 2), (2.0, 20.0, 60.0, 4), (20.0, 40.0, 20.0, 1), (5.0, 6.0, 20.0, 5)],
)
def test_a_constant_demand_settles_within_a_day_and_stays(
    request_tflops, limit_tflops, demand_tflops, replicas
):
    fleet = stated(request_tflops, limit_tflops)
    fleet.use_for(2 * DAY_S, 2 * demand_tflops / 8, 3 * GIB, step_s=60)
    first_day = fleet.live(DAY_S, demand_tflops, 3 * GIB)
    second_day = fleet.live(DAY_S, demand_tflops, 3 * GIB)
    settled = first_day[-1]
    assert (second_day == settled).all()
    assert settled[4] == replicas
    each = demand_tflops / replicas
    assert 1.05 * each <= settled[0] <= 1.4 * each
    assert settled[0] <= settled[2]


@pytest.mark.parametrize("risk", [None, "1%"])
@pytest.mark.parametrize(
    ("request_tflops", "limit_tflops", "demand_tflops", "replicas"),
    [(10.0, 20.0, 30.0, 2), (2.0, 20.0, 60.0, 4), (20.0, 40.0, 20.0, 1), (5.0, 6.0, 20.0, 5)],
)
def test_with_forecasts_in_all_layers_it_settles_as_well(
    request_tflops, limit_tflops, demand_tflops, replicas, risk
):
    config = {
        block: rule if block == "autoSetReplicas" else {**rule, "riskTarget": risk}
        for block, rule in PREDICTS.items()
    }
    fleet = stated(request_tflops, limit_tflops, config=config)
    fleet.use_for(2 * DAY_S, 2 * demand_tflops / 8, 3 * GIB, step_s=60)
    first_day = fleet.live(DAY_S, demand_tflops, 3 * GIB)
    second_day = fleet.live(DAY_S, demand_tflops, 3 * GIB)
    settled = first_day[-1]
    assert (second_day == settled).all()
    assert settled[4] == replicas
    each = demand_tflops / replicas
    assert each <= settled[0] <= 1.4 * each
    assert settled[0] <= settled[2] <= 1.7 * each


def test_a_workload_without_history_settles_once_it_is_known_well_enough():
    fleet = stated(20.0, 40.0, replicas=1)
    days = fleet.live(4 * DAY_S, 10.0, 3 * GIB).reshape(4, -1, 5)
    assert (days[0, :, 0] == 20.0).all()  # lowered from half the confidence on, a day
    assert days[1, -1, 0] < 20.0
    assert (days[3] == days[2, -1]).all()
    assert 10.5 <= days[3, -1, 0] <= 14.0
