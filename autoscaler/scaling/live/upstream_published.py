"""What an upstream operator is told when it asks: decided amounts that are not in force yet.

A decision stands until a tick decides otherwise: what a layer that was due does not ask for again
is withdrawn, so that nobody is told what was right some time ago.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from autoscaler.scaling.cluster import amounts
from recommender.decision import Layer

if TYPE_CHECKING:
    from collections.abc import Collection

    from autoscaler.scaling.cluster import Amounts, Change

Row = tuple[str, str, str]
"""Namespace, workload and GPU model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Amounts that were decided for one workload and GPU model."""

    request: Amounts = field(default_factory=amounts)
    limit: Amounts = field(default_factory=amounts)
    start_request: Amounts = field(default_factory=amounts)
    """For workers that start from now on; the protocol cannot carry it."""
    start_limit: Amounts = field(default_factory=amounts)
    reason: str = ""

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is asked for."""
        return not (self.request or self.limit or self.start_request or self.start_limit)


class Publishing:
    """What is published for a fleet; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._published: dict[Row, Published] = {}

    def publish(self, change: Change) -> bool:
        """Publish the amounts of a change; return whether they are other than before."""
        row = row_of(change)
        with self._lock:
            before = self._published.get(row, Published())
            after = Published(
                request=amounts({**before.request, **change.request}),
                limit=amounts({**before.limit, **change.limit}),
                start_request=amounts({**before.start_request, **change.start_request}),
                start_limit=amounts({**before.start_limit, **change.start_limit}),
                reason=change.reason,
            )
            self._published[row] = after
            return replace(after, reason="") != replace(before, reason="")

    def keep(
        self, changes: Collection[Change], due: Collection[Layer], rows: Collection[Row]
    ) -> None:
        """Withdraw what the layers that were due do not ask for with these changes.

        ``rows`` are all that there are; what was published for others is forgotten.
        """
        asked = {row_of(change): change for change in changes}
        with self._lock:
            kept = {
                row: _kept(published, asked.get(row), due)
                for row, published in self._published.items()
                if row in rows
            }
            self._published = {row: each for row, each in kept.items() if not each.is_empty}

    def of_row(self, row: Row) -> Published:
        """Return what is published for a workload on one GPU model."""
        with self._lock:
            return self._published.get(row, Published())

    def count(self) -> int:
        """Return how many rows have something published."""
        with self._lock:
            return len(self._published)


def row_of(change: Change) -> Row:
    """Return what a change is for."""
    return change.namespace, change.workload, change.gpu_model


def _kept(published: Published, change: Change | None, due: Collection[Layer]) -> Published:
    """Return what is asked for still; amounts at a start are decided once and stand."""
    if Layer.REQUESTS in due:
        names = () if change is None else change.request.keys()
        published = replace(published, request=_of(published.request, names))
    if Layer.LIMITS in due:
        names = () if change is None else change.limit.keys()
        published = replace(published, limit=_of(published.limit, names))
    return published


def _of(values: Amounts, names: Collection[str]) -> Amounts:
    return amounts({name: value for name, value in values.items() if name in names})
