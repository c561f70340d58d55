"""Which workloads have less than was decided, by what they wait for.  Thread-safe.

So that what is freed leads to those that may use it, and to no others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from threading import Lock

from autoscaler.kube.store import Key


class CappedWorkloads:
    """An index of workloads by GPU, and by namespace where a quota caps them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waits: dict[Key, frozenset[str]] = {}
        self._on_gpu: dict[str, set[Key]] = defaultdict(set)
        self._on_quota: dict[str, set[Key]] = defaultdict(set)

    def note(self, workload: Key, *, gpus: Iterable[str], waits_for_quota: bool) -> None:
        """Let a workload wait for room on these GPUs, and in its quotas; for nothing else."""
        with self._lock:
            self._forget(workload)
            waits = frozenset(gpus)
            for gpu in waits:
                self._on_gpu[gpu].add(workload)
            if waits:
                self._waits[workload] = waits
            if waits_for_quota:
                self._on_quota[workload[0]].add(workload)

    def on(self, gpus: Iterable[str], namespaces: Iterable[str]) -> set[Key]:
        """Return the workloads that wait for room on one of the GPUs, or in the namespaces."""
        with self._lock:
            on_gpus = (self._on_gpu.get(gpu, ()) for gpu in gpus)
            on_quotas = (self._on_quota.get(namespace, ()) for namespace in namespaces)
            return set().union(*on_gpus, *on_quotas)

    def _forget(self, workload: Key) -> None:
        for gpu in self._waits.pop(workload, ()):
            _discard(self._on_gpu, gpu, workload)
        _discard(self._on_quota, workload[0], workload)


def _discard(index: dict[str, set[Key]], at: str, workload: Key) -> None:
    if at in index:
        index[at].discard(workload)
        if not index[at]:
            del index[at]
