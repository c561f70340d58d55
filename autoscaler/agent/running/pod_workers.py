"""The workers of this node from its pods, kept up to date by a watch.

A pod is read again only when it, or the GPUs of the node, changed: the roster is asked for ten
times a second.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoscaler.agent.mapping.pod_identity import STATUSES, identity_of
from autoscaler.agent.pages.errors import PageError
from autoscaler.agent.pages.folders import folders_of_pod
from autoscaler.agent.running.roster import Roster, Served
from autoscaler.agent.workers.from_pods import worker_of
from autoscaler.api.names import COMPONENT, Component
from autoscaler.errors import InputError
from autoscaler.kube.cache_problems import cache_problems
from autoscaler.kube.event import Reference, reference_of
from autoscaler.kube.reflector import CacheCounts, Reflector
from autoscaler.kube.resource import PODS
from autoscaler.kube.store import Store

if TYPE_CHECKING:
    from autoscaler.agent.workers.worker import Card
    from autoscaler.kube.api_server import ApiServer
    from autoscaler.kube.store import Change, Object

KEPT_OF_STATUS = ("phase", "conditions", *STATUSES)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What was read of one version of a pod."""

    version: str
    served: Served | None = None
    problem: str = ""


class PodWorkers:
    """Workers from pods; ``roster`` is for one thread."""

    def __init__(
        self,
        api: ApiServer,
        *,
        node: str,
        pods_folder: Path,
        store: Store | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._pods_folder = pods_folder
        self._monotonic_ns = monotonic_ns
        self._store = Store() if store is None else store
        self._reflector = Reflector(
            api,
            PODS,
            store=self._store,
            label_selector=f"{COMPONENT}={Component.WORKER}",
            field_selector=f"spec.nodeName={node}",
            keep=self._keep,
        )
        self._came_ns: dict[str, int] = {}
        """When the newest version of each pod came, by UID."""
        self._cards: Mapping[str, Card] = {}
        self._read: dict[str, _Read] = {}
        self._roster = Roster()
        self._is_changed = True
        """Whether a pod came, went or changed since the roster was made."""
        self._store.on_change(self._note_change)

    def start(self, on_change: Callable[[], None]) -> None:
        """Begin to watch."""
        self._store.on_change(lambda _change: on_change())
        self._reflector.start()

    def stop(self) -> None:
        """End within about a second."""
        self._reflector.stop()

    def problems(self) -> Sequence[str]:
        """Return why the pods cannot be relied on."""
        return cache_problems(self.counts())

    def counts(self) -> tuple[CacheCounts, ...]:
        """Return the numbers of the cache."""
        return (self._reflector.snapshot(),)

    def reference(self, uid: str) -> Reference | None:
        """Return the pod of a UID, as events and evictions name it; None where it is gone."""
        found = (pod for pod in self._store.items() if pod["metadata"]["uid"] == uid)
        pod = next(found, None)
        return None if pod is None else reference_of(PODS, pod)

    def roster(self, cards: Mapping[str, Card]) -> Roster:
        """Return the workers among the pods, by namespace and name."""
        is_other = cards != self._cards
        if not (self._is_changed or is_other):
            return self._roster
        self._is_changed = False
        if is_other:
            self._cards = dict(cards)
            self._read = {uid: replace(each, version="") for uid, each in self._read.items()}
        pods = {pod["metadata"]["uid"]: pod for pod in self._store.sorted()}
        self._read = {uid: self._look(pod) for uid, pod in pods.items()}
        for uid in self._came_ns.keys() - pods.keys():
            self._came_ns.pop(uid, None)
        self._roster = Roster(
            served=tuple(each.served for each in self._read.values() if each.served is not None),
            unserved={
                _name_of(pods[uid]): each.problem
                for uid, each in self._read.items()
                if each.problem
            },
        )
        return self._roster

    def _note_change(self, _change: Change) -> None:
        self._is_changed = True

    def _look(self, pod: Object) -> _Read:
        uid, version = pod["metadata"]["uid"], pod["metadata"]["resourceVersion"]
        kept = self._read.get(uid, _Read(version=""))
        if kept.version == version:
            return kept
        try:
            served = self._served(pod, kept.served)
        except (InputError, PageError) as error:
            if str(error) != kept.problem:
                _log.warning("%s; it is not served", error)
            return _Read(version=version, problem=str(error))
        return _Read(version=version, served=served)

    def _served(self, pod: Object, before: Served | None) -> Served | None:
        """Return a worker, the one before where it is the same.  Raises as both readers do."""
        worker = worker_of(pod, self._cards)
        if worker is None:
            return None
        is_same = before is not None and before.worker == worker
        return Served(
            worker=worker,
            folders=folders_of_pod(worker.uid, self._pods_folder),
            identity=identity_of(pod),
            seen_ns=before.seen_ns
            if before is not None and is_same
            else self._came_ns.get(worker.uid, self._monotonic_ns()),
        )

    def _keep(self, pod: dict[str, Any]) -> dict[str, Any]:
        """Note when a pod came, and keep what a worker is read from; the rest is most of it."""
        self._came_ns[pod["metadata"]["uid"]] = self._monotonic_ns()
        pod["metadata"].pop("managedFields", None)
        pod["spec"] = {}
        status = pod.get("status") or {}
        pod["status"] = {key: status[key] for key in KEPT_OF_STATUS if key in status}
        return pod


def _name_of(pod: Object) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
