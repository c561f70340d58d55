"""Why a change is made: the steps of a decision that say most about it.

A decision has ten steps or more; an event, a line of a history or a log needs one or two.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from recommender.decision import CODES_BY_NUMBER, Code, Layer, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recommender.decision import StepTable

_SAME_AMOUNT = 1e-3
"""Steps are told before amounts are rounded."""
_ORIGINS = (
    *(code for code in Code if code.number < 10),
    Code.Forecast,
    Code.ReplicaForecast,
)
_TURNS = (
    Code.RolledBack,
    Code.VramDenied,
    Code.Saturated,
    Code.VramPressure,
    Code.CronFloor,
    Code.ExternalRecommendation,
    Code.SafeLimit,
    Code.SegmentBegins,
    Code.ForecastFloor,
    Code.DayFloor,
)
"""Steps that turn a decision, the strongest first."""


def decisive_steps(steps: Sequence[Step], after: float) -> list[Step]:
    """Return the steps that say most about a change to ``after``, at most two.

    The first is its cause: a turn, else where the value comes from.  The second is the step that
    made the amount what it is, where that is another one.
    """
    strength = {code: rank for rank, code in enumerate((*_TURNS, *_ORIGINS))}
    causes = sorted(
        (step for step in steps if step.code in strength), key=lambda step: strength[step.code]
    )
    made = [step for step in steps if math.isclose(step.after, after, rel_tol=_SAME_AMOUNT)]
    chosen = [*causes[:1], *made[-1:]] or list(steps[-1:])
    return list(dict.fromkeys(chosen))


class StepIndex:
    """Steps by row, without searching the whole table for each of them."""

    def __init__(self, table: StepTable) -> None:
        self._table = table
        self._order = np.argsort(table.row, kind="stable")
        self._row = table.row[self._order]

    def of(self, row: int, layer: Layer, resource: int) -> list[Step]:
        """Return the steps of one row, layer and resource column in order."""
        first, last = np.searchsorted(self._row, [row, row + 1])
        table = self._table
        rows = self._order[first:last]
        mine = rows[(table.layer[rows] == layer) & (table.resource[rows] == resource)]
        return [
            Step(
                CODES_BY_NUMBER[int(table.code[i])],
                float(table.before[i]),
                float(table.after[i]),
                float(table.arg[i]),
            )
            for i in mine
        ]
