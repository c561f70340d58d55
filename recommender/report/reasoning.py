"""Decision steps of many items, found without searching the whole table for each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from recommender.decision import CODES_BY_NUMBER, REPLICAS_COLUMN, Layer, Step
from recommender.observation import Ints
from recommender.report.blocks import ReasonStep
from recommender.report.rounding import rounded
from recommender.sentences import sentence

if TYPE_CHECKING:
    from recommender.decision import StepTable
    from recommender.resources import Resource

_DIGITS = 6


class StepIndex:
    """A step table sorted once by (row, resource), steps of an item in the order taken."""

    def __init__(self, table: StepTable) -> None:
        self._table = table
        self._order = np.lexsort((table.layer, table.resource, table.row))  # stable within a layer
        self._keys = _key(table.row[self._order], table.resource[self._order])

    def of(self, row: int, column: int, resource: Resource | None) -> tuple[ReasonStep, ...]:
        """Return the steps of one item, layer by layer; column -1 and None are the replicas."""
        key = _key(row, column)
        first, end = np.searchsorted(self._keys, (key, key + 1))
        return tuple(self._steps(self._order[first:end], resource))

    def replicas(self, row: int) -> tuple[ReasonStep, ...]:
        """Return the steps of the replicas layer of one row."""
        return self.of(row, REPLICAS_COLUMN, None)

    def _steps(self, positions: Iterable[int], resource: Resource | None) -> Iterable[ReasonStep]:
        table = self._table
        for i in positions:
            step = Step(
                code=CODES_BY_NUMBER[int(table.code[i])],
                before=float(table.before[i]),
                after=float(table.after[i]),
                arg=float(table.arg[i]),
            )
            yield ReasonStep(
                layer=Layer(int(table.layer[i])).name.lower(),
                code=step.code.name,
                before=rounded(step.before, _DIGITS),
                after=rounded(step.after, _DIGITS),
                sentence=sentence(step, resource),
            )


def _key(row: ArrayLike, column: ArrayLike) -> Ints:
    """One sortable number per (row, column); columns are -1 to 32 000."""
    return np.asarray(row, np.int64) * 65_536 + np.asarray(column, np.int64) + 1
