"""What a replay has put in force so far, and what that leaves to the workloads.

In the closed loop a limit hides the demand above it, so each step is shown as it would have been
under the amounts in force at its time.
"""

from __future__ import annotations

import numpy as np

from recommender.backtest.actuation import InForce
from recommender.backtest.frame import UsageFrame
from recommender.backtest.plan import ReplayPlan
from recommender.decision import Layer
from recommender.observation import Floats


class Course:
    """Amounts of all decisions of one replay, in the order of time."""

    def __init__(self, frame: UsageFrame, plan: ReplayPlan, limit_at_start: Floats) -> None:
        """``limit_at_start`` is ``[W, R]``; NaN: none."""
        self._frame, self._plan = frame, plan
        self._row = frame.row_of_series
        self._limit_at_start = limit_at_start
        self._since_s: dict[Layer, list[int]] = {layer: [] for layer in plan.steps_s}
        self._amounts: dict[Layer, list[Floats]] = {layer: [] for layer in plan.steps_s}

    def decided(self, layer: Layer, now_s: int, amounts: Floats) -> None:
        """Let amounts, ``[W, R]`` (replicas ``[W]``), take force after the delay."""
        self._since_s[layer].append(now_s + self._plan.delay_s)
        self._amounts[layer].append(amounts)

    def in_force(self) -> dict[Layer, InForce]:
        """Return everything that took force."""
        shape = (0, len(self._frame.workloads), len(self._frame.resources))
        return {
            layer: InForce(
                since_s=np.array(self._since_s[layer], np.int64),
                amounts=np.stack(amounts)
                if amounts
                else np.empty(shape[:2] if layer is Layer.REPLICAS else shape),
            )
            for layer, amounts in self._amounts.items()
        }

    def share(self, resource: int, begin_s: int, columns: int) -> Floats:
        """Return what each series could use at most in some steps, ``[S, columns]``.

        The limit in force; where limits take no part and none is in force, the request.
        """
        limit = self._limit_at_start[self._row, resource][:, None]
        layer = Layer.LIMITS if Layer.LIMITS in self._plan.steps_s else Layer.REQUESTS
        if not self._amounts.get(layer):
            return np.broadcast_to(limit, (len(self._row), columns))
        needed = -(3 + self._plan.delay_s // self._plan.steps_s[layer])
        held = InForce(
            since_s=np.array(self._since_s[layer][needed:], np.int64),
            amounts=np.stack([a[:, resource] for a in self._amounts[layer][needed:]]),
        )
        times_s = begin_s + np.arange(columns) * self._frame.step_s
        decided = held.at(times_s, self._row).astype(np.float64)
        if layer is Layer.REQUESTS:
            return np.where(np.isnan(limit), decided, limit)
        return np.where(np.isnan(decided), limit, decided)
