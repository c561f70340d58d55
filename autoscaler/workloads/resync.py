"""Everything is looked at again, and the books are checked against the pods, once in a while.

Nothing relies on it: it mends what a defect, or a lost event, has left behind.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

from autoscaler.api.names import COMPONENT, WORKLOAD_LABEL, Component
from autoscaler.kube.resource import CONNECTIONS, GPUS, PODS, POOLS, QUOTAS, WORKLOADS
from autoscaler.kube.store import key_of
from autoscaler.workloads.books.claim import Claim
from autoscaler.workloads.books.observed_claims import observed_claims
from autoscaler.workloads.cluster import Cluster
from autoscaler.workloads.dispatch import urgency_of
from autoscaler.workloads.tools import Tools
from autoscaler.workloads.work import WorkKey, WorkKind

FIRST_CHECK_S = 10.0
"""After the start, when the caches show what the books took over."""
NEXT_LOOK_S = 1.0
"""A change that is just being told to the books differs for less than that."""
LOOKS = 4
"""At a GPU whose pods come and go all the time two looks may meet two such changes."""
_KINDS = (
    (GPUS, WorkKind.GPU),
    (POOLS, WorkKind.POOL),
    (QUOTAS, WorkKind.QUOTA),
    (WORKLOADS, WorkKind.WORKLOAD),
    (CONNECTIONS, WorkKind.CONNECTION),
)
_log = logging.getLogger(__name__)


class Resync:
    """The regular look at everything; for one thread."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def look_at_everything(self) -> None:
        """Let every object be looked at, pods first."""
        for key in all_keys(self._tools.cluster):
            self._tools.work.add(key, urgency_of(key.kind))

    def check_books(self, wait: Callable[[float], object]) -> tuple[str, ...]:
        """Put the books right where they differ from the pods; return the GPUs that differed.

        While the cache of pods fails it is behind, and the books, which know of our own writes, are
        not: then nothing is judged, and the next look at everything tells.
        """
        failures, drift = self._failures_of_pods(), self._drift()
        books = self._tools.books
        for look in range(1, LOOKS):
            if not drift or failures is None:
                return ()
            wait(NEXT_LOOK_S)
            if self._failures_of_pods() != failures:
                return ()
            with books.deciding():
                drift = tuple(gpu for gpu in self._drift() if gpu in drift)
                if drift and look == LOOKS - 1:
                    books.repair(self._claims())
        if drift:
            _log.error("the books of %s differed from the pods, and were put right", drift)
            self._tools.counts.drifted(len(drift))
        return drift

    def rebuild_books(self) -> None:
        """Make the books what the caches say."""
        with self._tools.books.deciding():
            self._tools.books.repair(self._claims())

    def run(self, stop: threading.Event) -> None:
        """Look again and again until ``stop`` is set; the books are checked early once."""
        if not stop.wait(min(FIRST_CHECK_S, self._tools.rules.resync_s)):
            self._survive(lambda: self.check_books(stop.wait))
        while not stop.wait(self._tools.rules.resync_s):
            self._survive(self.look_at_everything)
            self._survive(lambda: self.check_books(stop.wait))

    def _survive(self, look: Callable[[], object]) -> None:
        try:
            look()
        except Exception:  # noqa: BLE001 - ended, nothing would mend what is wrong any more
            _log.exception("the regular look at everything: a defect")
            self._tools.counts.resync_failed()

    def _failures_of_pods(self) -> int | None:
        """Return how often the cache of pods has failed; None where it fails now."""
        [pods] = (each for each in self._tools.cluster.counts() if each.resource == PODS.plural)
        return None if pods.last_error else pods.failures

    def _drift(self) -> tuple[str, ...]:
        with self._tools.books.deciding():
            return self._tools.books.drift(self._claims())

    def _claims(self) -> list[Claim]:
        pods = self._tools.cluster.store(PODS).items()
        return list(observed_claims(pods, self._tools.books.card))


def all_keys(cluster: Cluster) -> Iterator[WorkKey]:
    """Return the keys of all objects that are looked at, pods first."""
    clients = []
    workloads = set()
    for pod in cluster.store(PODS).items():
        labels = pod["metadata"].get("labels") or {}
        component = labels.get(COMPONENT)
        if component == Component.WORKER:
            yield WorkKey(WorkKind.POD, *key_of(pod))
        elif component == Component.CLIENT:
            clients.append(WorkKey(WorkKind.CONNECTION, *key_of(pod)))
        name = labels.get(WORKLOAD_LABEL)
        if component and name:
            workloads.add(WorkKey(WorkKind.WORKLOAD, pod["metadata"]["namespace"], name))
    yield from clients
    yield from sorted(workloads)
    for resource, kind in _KINDS:
        for obj in cluster.store(resource).items():
            yield WorkKey(kind, *key_of(obj))
