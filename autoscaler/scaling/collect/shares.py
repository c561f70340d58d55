"""What each sample could have used at most, from what is in force and from the share measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from autoscaler.scaling.cards import card_of
from autoscaler.scaling.collect.joining import values_at
from recommender.resources import COMPUTE_PERCENT, TFLOPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.scaling.collect.joining import Columns
    from autoscaler.scaling.collect.series import RowKey
    from recommender.observation import Floats, Ints
    from recommender.resources import Resource


class Shares:
    """Cards and limits in force by workload row, as the fleet said last."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        self._resources = tuple(resources)
        self._card: list[Floats] = [np.empty(0) for _ in resources]
        self._limit: list[Floats] = [np.empty(0) for _ in resources]

    def see(self, views: Sequence[WorkloadView], keys: Sequence[RowKey], rows: Ints) -> None:
        """Take over what is in force; ``rows`` are the usage rows of the views."""
        cards = [card_of(view, key[2]) for view, key in zip(views, keys, strict=True)]
        length = int(rows.max(initial=-1)) + 1
        for i, resource in enumerate(self._resources):
            for table, amounts in (
                (self._card, [card.get(resource.name, np.nan) for card in cards]),
                (self._limit, [view.limit.get(resource.name, np.nan) for view in views]),
            ):
                column = np.full(max(length, len(table[i])), np.nan)
                column[: len(table[i])] = table[i]
                column[rows] = amounts
                table[i] = column

    def of(
        self, i: int, samples: Columns, percent: Columns | None, *, known_before_s: int
    ) -> Floats:
        """Return the share that bounded each sample, in the resource's unit; NaN: unknown.

        ``percent`` is the share of the card that was measured.  Where it was not, the limit in
        force now stands for it, but not for samples before ``known_before_s``: those were judged
        by the limit of their own time when they were read first.
        """
        resource = self._resources[i]
        limit = _looked_up(self._limit[i], samples.workload)
        if not resource.is_compressible:
            return limit
        limit[samples.ts < known_before_s] = np.nan
        if percent is None or resource.name not in {COMPUTE_PERCENT.name, TFLOPS.name}:
            return limit
        share = values_at(samples, percent)
        if resource.name == TFLOPS.name:
            share = share / 100.0 * _looked_up(self._card[i], samples.workload)
        return np.where(np.isnan(share), limit, share)


def _looked_up(column: Floats, rows: Ints) -> Floats:
    known = rows < len(column)
    values = np.full(len(rows), np.nan)
    values[known] = column[rows[known]]
    return values
