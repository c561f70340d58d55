"""What every layer of one tick reads, and the step log that it writes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.decision import Layer, StepLog
from recommender.observation import Bools, Observation, UsageStatistics, Workloads
from recommender.policy.table import PolicyTable
from recommender.state import DecisionState

EARLY_S = 10.0
"""A tick may come so much early."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Arguments of one call of ``decide``."""

    observation: Observation
    policies: PolicyTable
    state: DecisionState
    now_s: int
    log: StepLog
    due: frozenset[Layer] = frozenset(Layer)

    @property
    def usage(self) -> UsageStatistics:
        """Statistics of use."""
        return self.observation.usage

    @property
    def workloads(self) -> Workloads:
        """What is stated and in force."""
        return self.observation.workloads

    @property
    def is_vram(self) -> Bools:
        """[W, R] columns of incompressible resources."""
        columns = np.array([not r.is_compressible for r in self.observation.resources], np.bool_)
        return np.broadcast_to(columns, self.observation.shape)

    def is_evaluated(self, layer: Layer) -> Bools:
        """[W, R] whether the evaluation period of a rule has passed since its last evaluation.

        A tenth of it, at most ``EARLY_S``, may be missing, or a tick that comes a little early
        would double the period.
        """
        if layer is Layer.REQUESTS:
            last_s, period_s = self.state.request_evaluated_s, self.policies.requests.evaluation_s
        else:
            last_s, period_s = self.state.limit_evaluated_s, self.policies.limits.evaluation_s
        early_s = np.minimum(0.1 * period_s, EARLY_S)
        return np.asarray(self.now_s - last_s >= period_s - early_s, np.bool_)

    @property
    def is_paused(self) -> Bools:
        """[W, R] whether the workload is paused."""
        return np.broadcast_to(self.workloads.is_paused[:, None], self.observation.shape)
