"""The queries that repeat the evidence of each workload, found on the loop's thread.

Only that thread may ask the source for them, and finding them takes time where many series are
known.  So each look spends a moment on those that are missing, and keeps what it found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from autoscaler.scaling.page.about import Promql
from autoscaler.scaling.page.live_state import Key

WITHIN_S = 0.1
"""Spent by one look."""
KEPT_S = 3600.0
"""Names of series change when the exporter does."""

Found = Mapping[Key, Mapping[str, Sequence[str]]]


class Queries:
    """Queries by workload and resource."""

    def __init__(self, promql: Promql, monotonic_s: Callable[[], float]) -> None:
        self._promql = promql
        self._monotonic_s = monotonic_s
        self._kept: dict[Key, tuple[float, Mapping[str, Sequence[str]]]] = {}

    def of(self, keys: Iterable[Key], resources: Sequence[str]) -> Found:
        """Return the queries of some workloads, as far as they are known by now."""
        begin_s = self._monotonic_s()
        kept: dict[Key, tuple[float, Mapping[str, Sequence[str]]]] = {}
        for key in keys:
            found = self._kept.get(key)
            now_s = self._monotonic_s()
            if (found is None or now_s - found[0] > KEPT_S) and now_s - begin_s <= WITHIN_S:
                found = now_s, self._find(key, resources)
            if found is not None:
                kept[key] = found
        self._kept = kept
        return {key: queries for key, (_, queries) in kept.items()}

    def _find(self, key: Key, resources: Sequence[str]) -> Mapping[str, Sequence[str]]:
        found = {name: tuple(self._promql(name, *key)) for name in resources}
        return MappingProxyType({name: queries for name, queries in found.items() if queries})
