"""What an upstream operator is told when it asks: decided amounts that are not in force yet.

A decision stands until a tick decides otherwise: what is not asked for again when its layer is
evaluated is withdrawn, so that nobody is told what was right some time ago.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from autoscaler.scaling.cluster import amounts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from autoscaler.scaling.cluster import Amounts, Change
    from recommender.decision import Decisions
    from recommender.observation import Bools
    from recommender.resources import Resource

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


@dataclass(frozen=True, slots=True)
class Turns:
    """Of which amounts a tick decided; of the others an earlier decision stands."""

    resources: Sequence[Resource]
    decisions: Decisions

    def requests(self, row: int) -> frozenset[str]:
        """Return the resources of a row whose requests were decided."""
        return self._names(self.decisions.is_decided_request[row])

    def limits(self, row: int) -> frozenset[str]:
        """Return the resources of a row whose limits were decided."""
        return self._names(self.decisions.is_decided_limit[row])

    def _names(self, decided: Bools) -> frozenset[str]:
        pairs = zip(self.resources, decided.tolist(), strict=True)
        return frozenset(resource.name for resource, is_decided in pairs if is_decided)


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

    def keep(self, changes: Collection[Change], rows: Mapping[Row, int], turns: Turns) -> None:
        """Withdraw what was decided in this tick and is not asked for with these changes.

        ``rows`` are all that there are; what was published for others is forgotten.
        """
        asked = {row_of(change): change for change in changes}
        with self._lock:
            kept = {
                row: _kept(published, asked.get(row), turns, rows[row])
                for row, published in self._published.items()
                if row in rows
            }
            self._published = {row: each for row, each in kept.items() if not each.is_empty}

    def of_row(self, row: Row) -> Published:
        """Return what is published for a workload on one GPU model."""
        with self._lock:
            return self._published.get(row, Published())


def row_of(change: Change) -> Row:
    """Return what a change is for."""
    return change.namespace, change.workload, change.gpu_model


def _kept(published: Published, change: Change | None, turns: Turns, row: int) -> Published:
    """Return what is asked for still; amounts at a start are decided once and stand."""
    request, limit = (None, None) if change is None else (change.request, change.limit)
    return replace(
        published,
        request=_asked(published.request, request or {}, turns.requests(row)),
        limit=_asked(published.limit, limit or {}, turns.limits(row)),
    )


def _asked(values: Amounts, again: Mapping[str, float], decided: Collection[str]) -> Amounts:
    return amounts({n: value for n, value in values.items() if n in again or n not in decided})
