"""All three layers together over days, with use that answers to what they decide."""

import numpy as np
import pytest

from recommender.observation import Workers
from recommender.resources import GIB
from recommender.usage.statistics import read_demand
from tests.builders import policy
from tests.fleets import Fleet

DAY_S = 86400
TICK_S = 600
MOST_WORKERS = 8


class SharedDemand(Fleet):
    """A workload whose demand is shared by as many workers as it has replicas, up to its limit."""

    def use_for(self, seconds, tflops, vram_bytes, *, step_s=60):
        count = int(self.workloads.replicas[0])
        running = self.workers[:count]
        each = min(tflops / count, float(self.workloads.limit[0, 0]))
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
        demand = read_demand(self.model, self.workers[:count], period_s, self.now_s)
        workers = Workers(
            workload_row=np.zeros(count, np.int64), demand=demand, is_ready=np.ones(count, np.bool_)
        )
        return seen.__class__(
            resources=seen.resources, workloads=seen.workloads, workers=workers, usage=seen.usage
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


def stated(request_tflops, limit_tflops, *, replicas=2):
    return SharedDemand(
        [policy(is_enrolled=True)],
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


def test_a_workload_without_history_settles_once_it_is_known_well_enough():
    fleet = stated(20.0, 40.0, replicas=1)
    days = fleet.live(4 * DAY_S, 10.0, 3 * GIB).reshape(4, -1, 5)
    assert (days[0, :, 0] == 20.0).all()  # lowered from half the confidence on, a day
    assert days[1, -1, 0] < 20.0
    assert (days[3] == days[2, -1]).all()
    assert 10.5 <= days[3, -1, 0] <= 14.0
