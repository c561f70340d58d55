"""The workers of each workload as they were at the last look; for one thread."""

from __future__ import annotations

from autoscaler.kube.store import Key, Store
from autoscaler.scaling.live.change_marks import StoreMarks
from autoscaler.scaling.live.viewing.worker_state import WorkerState, worker_state_of


class WorkerIndex:
    """Reads each pod once for each of its versions, and tells what of that matters."""

    def __init__(self, pods: Store) -> None:
        self._marks = StoreMarks(pods)
        self._workers: dict[Key, WorkerState] = {}
        self._of_workload: dict[Key, dict[str, WorkerState]] = {}

    def look(self) -> set[Key]:
        """Take what changed of the pods; return the workloads with other workers than before."""
        changed: set[Key] = set()
        for key in self._marks.take():
            pod = self._marks.store.get(*key)
            old, new = self._workers.get(key), None if pod is None else worker_state_of(pod)
            if old != new:
                changed |= self._replace(key, old, new)
        return changed

    def of(self, workload: Key) -> tuple[WorkerState, ...]:
        """Return the workers that name a workload, in no order."""
        return tuple(self._of_workload.get(workload, {}).values())

    def _replace(self, key: Key, old: WorkerState | None, new: WorkerState | None) -> set[Key]:
        """Put a worker in the place of what it was; return the workloads of both."""
        if old is not None:
            del self._workers[key]
            siblings = self._of_workload[_workload_of(old)]
            del siblings[old.name]
            if not siblings:
                del self._of_workload[_workload_of(old)]
        if new is not None:
            self._workers[key] = new
            self._of_workload.setdefault(_workload_of(new), {})[new.name] = new
        return {_workload_of(each) for each in (old, new) if each is not None}


def _workload_of(worker: WorkerState) -> Key:
    return worker.namespace, worker.workload
