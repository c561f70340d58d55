"""Which worker pods of a workload are made and which are deleted, so many at a time.  Pure.

Pods of an older template are replaced as a Deployment replaces its own: new ones first, as far as
the surge allows, and old ones as new ones become ready.  Which names new ones get is
``worker_identity``, and when failed ones are replaced ``worker_failures``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from autoscaler.api.names import WorkloadMode
from autoscaler.kube.store import Object
from autoscaler.workloads.counts import WorkerPodAction
from autoscaler.workloads.generation.workload_mode import mode_of
from autoscaler.workloads.pod_state import (
    age,
    has_ended,
    is_client,
    is_deleted,
    is_placed,
    is_serving,
)
from autoscaler.workloads.worker_pods.rolling_update import RollingUpdate
from autoscaler.workloads.worker_pods.worker_identity import is_current


class Deletion(NamedTuple):
    """A pod that is to go, and why."""

    pod: Object
    action: WorkerPodAction


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlan:
    """What is to be done to the worker pods of a workload now."""

    created: int
    deletions: tuple[Deletion, ...]


def wanted_workers(workload: Object, pods: Sequence[Object]) -> int:
    """Return how many worker pods a workload with these workers and clients is to have.

    A workload whose newest pods hold their GPUs themselves keeps workers while it has clients.
    """
    replicas = shared_replicas(workload, pods)
    return sum(map(is_client, pods)) if replicas is None else replicas


def shared_replicas(workload: Object, pods: Sequence[Object]) -> int | None:
    """Return the stated count of workers that clients share; None: every client has its own.

    Beside a client on its node, ``replicas`` only repeats how many clients there are to be.
    """
    if mode_of(workload, pods) is not WorkloadMode.REMOTE:
        return None
    replicas = (workload.get("spec") or {}).get("replicas")
    return replicas if isinstance(replicas, int) else None


def plan_workers(
    pods: Sequence[Object],
    *,
    wanted: int,
    template_hash: str,
    rolling_update: RollingUpdate,
    connections: Callable[[str], int],
    is_failure_due: bool,
) -> WorkerPlan:
    """Return what brings the pods that were made for a workload nearer to ``wanted``.

    ``template_hash`` is that of the newest template, empty where there is none: nothing is made and
    nothing replaced then.  ``connections`` tells how many clients a pod of a name serves.  Failed
    pods are replaced where ``is_failure_due``; until then they keep their place.  Pods that are
    about to go are neither counted nor deleted again.
    """
    staying = [pod for pod in pods if not is_deleted(pod)]
    failed = [pod for pod in staying if has_ended(pod)]
    live = [pod for pod in staying if not has_ended(pod)]
    new = [pod for pod in live if not template_hash or is_current(pod, template_hash)]
    old = [pod for pod in live if pod not in new]
    order = _Order(connections)
    surplus = order.first(new, len(new) - wanted)
    outdated = _outdated(new, old, wanted, rolling_update, order)
    missing = max(wanted - len(new), 0)
    is_due = is_failure_due and template_hash
    held = [] if is_due else order.first(failed, max(wanted - len(live), 0))
    room = max(wanted + rolling_update.surge(wanted) - len(live), 0) if old else missing
    gone = [pod for pod in failed if pod not in held]
    replaced = WorkerPodAction.REPLACED
    return WorkerPlan(
        created=max(min(missing, room) - len(held), 0) if template_hash else 0,
        deletions=(
            *(Deletion(pod, replaced) for pod in (*gone, *outdated)),
            *(Deletion(pod, WorkerPodAction.DELETED) for pod in surplus),
        ),
    )


def _outdated(
    new: Sequence[Object],
    old: Sequence[Object],
    wanted: int,
    rolling_update: RollingUpdate,
    order: _Order,
) -> list[Object]:
    """Return pods of an older template that are not needed any more, those that serve last."""
    needed = wanted - rolling_update.unavailable(wanted)
    unready_new = sum(not is_serving(pod) for pod in new)
    most = len(new) + len(old) - needed - unready_new
    unready = order.first([pod for pod in old if not is_serving(pod)], most)
    ready_count = sum(map(is_serving, (*new, *old)))
    most_ready = min(most - len(unready), ready_count - needed)
    return [*unready, *order.first([pod for pod in old if is_serving(pod)], most_ready)]


class _Order:
    """Who goes first: who serves nobody, then who serves the fewest, then the youngest."""

    def __init__(self, connections: Callable[[str], int]) -> None:
        self._connections = connections

    def first(self, pods: Sequence[Object], count: int) -> list[Object]:
        youngest = sorted(pods, key=age, reverse=True)
        return sorted(youngest, key=self._use)[: max(count, 0)]

    def _use(self, pod: Object) -> tuple[bool, bool, int]:
        return is_serving(pod), is_placed(pod), self._connections(_name(pod))


def _name(pod: Object) -> str:
    return str(pod["metadata"]["name"])
