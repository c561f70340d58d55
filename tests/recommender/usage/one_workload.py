"""A usage model with one workload and some workers, fed by lists: what most tests here need."""

from __future__ import annotations

import numpy as np

from recommender.policy.table import policy_table
from recommender.resources import TFLOPS, VRAM
from recommender.state import empty_state
from recommender.usage.model import UsageModel
from recommender.usage.statistics import read_demand, read_statistics
from tests.builders import policy

BEGIN_S = 1_700_006_400
"""A whole day since the epoch, so that hours, blocks and minutes begin here too."""
GIB = 2.0**30
TFLOPS_COLUMN, VRAM_COLUMN = 0, 1
EVER = 2**40
"""Number of a block that never comes."""


class OneWorkload:
    """``workers`` of one workload; times are seconds after ``BEGIN_S``."""

    def __init__(self, workers=1, *, resources=(TFLOPS, VRAM), policies=None):
        self.model = UsageModel(resources)
        self.rows = self.model.workload_rows([("team", "chat", "")])
        names = [f"chat-{i}" for i in range(workers)]
        self.workers = self.model.worker_rows(np.repeat(self.rows, workers), names)
        self.table = policy_table([policies or policy()], self.model.resources)
        self.state = empty_state(np.array(["uid"]), len(self.model.resources))

    def feed(
        self, samples, *, worker=0, resource=0, now=None, step_s=15, known_before=None, **columns
    ):
        """Take (second, value) pairs; ``now`` is the second after the last one by default."""
        ts = BEGIN_S + np.array([second for second, _ in samples], np.int64)
        value = np.array([value for _, value in samples], np.float64)
        now_s = int(ts.max()) + 1 if now is None else BEGIN_S + now
        self.model.ingest(
            resource,
            np.full(len(ts), self.workers[worker]),
            ts,
            value,
            now_s=now_s,
            step_s=step_s,
            known_before_s=0 if known_before is None else BEGIN_S + known_before,
            **{name: np.full(len(ts), column) for name, column in columns.items()},
        )

    def feed_constant(self, value, start, end, *, step_s=15, **arguments):
        self.feed([(t, value) for t in range(start, end, step_s)], step_s=step_s, **arguments)

    def advance(self, now):
        self.model.advance(BEGIN_S + now)

    def set_readiness(self, *, started=None, ready=None, worker=0):
        times = [-1 if t is None else BEGIN_S + t for t in (started, ready)]
        self.model.set_readiness(
            self.workers[worker : worker + 1], np.array(times[:1]), np.array(times[1:])
        )

    def statistics(self, now):
        return read_statistics(self.model, self.rows, self.table, self.state, BEGIN_S + now)

    def statistic(self, name, now, resource=0):
        return getattr(self.statistics(now), name)[0, resource].item()

    def demand(self, now, period_s, worker=0):
        workers = self.workers[worker : worker + 1]
        return read_demand(self.model, workers, np.array([period_s]), BEGIN_S + now)[0]

    def store(self, resource=0):
        return self.model.stores[resource]
