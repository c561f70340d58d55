"""Which caches cannot be relied on: never filled, or silent for longer than bookmarks take."""

from __future__ import annotations

from collections.abc import Iterable

from autoscaler.kube.reflector import CacheCounts

STALE_S = 300.0
"""A cache that heard nothing for so long is not relied on; bookmarks come every minute."""


def cache_problems(counts: Iterable[CacheCounts]) -> tuple[str, ...]:
    """Return which caches cannot be relied on, and why; the text changes with the reason only."""
    problems = []
    for cache in counts:
        why = f": {cache.last_error}" if cache.last_error else ""
        if not cache.is_synced:
            problems.append(f"{cache.resource} are not listed yet{why}")
        elif cache.age_s > STALE_S:
            problems.append(f"nothing was heard of {cache.resource} for {STALE_S:g} s{why}")
    return tuple(problems)
