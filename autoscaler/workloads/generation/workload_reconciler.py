"""One look at a workload: the object, its worker pods, its workers' amounts, its status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from autoscaler.api.names import Condition, EventReason, WorkloadMode
from autoscaler.kube.condition import find_condition
from autoscaler.kube.event import EventType, reference_of
from autoscaler.kube.lanes import Priority
from autoscaler.kube.resource import WORKLOADS
from autoscaler.workloads.adjusting.adjusted import UNDECIDED, Adjusted
from autoscaler.workloads.generation.ensuring import Ensured, Ensuring
from autoscaler.workloads.generation.workload_status import OWNER, WorkloadState, status_of
from autoscaler.workloads.generation.workload_view import WorkloadView, view_of
from autoscaler.workloads.pod_state import is_deleted, is_made_by_controller
from autoscaler.workloads.work import WorkKey, WorkKind

if TYPE_CHECKING:
    from autoscaler.kube.store import Object
    from autoscaler.workloads.placement.shortage import Shortage
    from autoscaler.workloads.tools import Tools
    from autoscaler.workloads.worker_pods.worker_pods_result import WorkerPodsResult

UNKNOWN_OWNER_S = 2.0
"""Until a pod is looked at again whose owner the caches do not show."""
_WITH_WORKER_PODS = (WorkloadMode.STANDALONE, WorkloadMode.REMOTE)


class Adjusts(Protocol):
    """Carries what was decided to the workers; ``Adjusting`` does."""

    def adjust(self, workload: Object, pods: Sequence[Object]) -> Adjusted:
        """Change the workers of a workload, and return what came of it."""
        ...


class Placements(Protocol):
    """Knows why workers have no GPUs; ``Placing`` does."""

    def shortage_of(self, uid: str) -> Shortage | None:
        """Return what is wrong with a worker; None: nothing, or it was not looked at yet."""
        ...


class MakesWorkers(Protocol):
    """Makes and removes worker pods; ``WorkerPods`` does."""

    def reconcile(self, workload: Object, pods: Sequence[Object]) -> WorkerPodsResult:
        """Bring the worker pods of a workload to what it asks for."""
        ...


class WorkloadReconciler:
    """Looks after workloads; thread-safe, one thread for one workload at a time."""

    def __init__(
        self,
        tools: Tools,
        adjusting: Adjusts,
        placements: Placements,
        worker_pods: MakesWorkers,
    ) -> None:
        self._tools = tools
        self._ensuring = Ensuring(tools)
        self._adjusting = adjusting
        self._placements = placements
        self._worker_pods = worker_pods

    def reconcile(self, namespace: str, name: str) -> None:
        """Bring one workload to what its pods, its settings and its decision say.

        Raises ``KubeError``.
        """
        cluster = self._tools.cluster
        pods = cluster.pods_of_workload(namespace, name)
        shown = cluster.store(WORKLOADS).get(namespace, name)
        view = view_of(shown, namespace, name, pods, cluster.find, self._tools.rules.root_owners)
        if not view.owners.is_complete:
            self._again(view, UNKNOWN_OWNER_S)
        if shown is not None and is_deleted(shown):
            effective = (shown.get("status") or {}).get("effective") or {}
            going = Ensured(workload=shown, effective=effective, problem="")
            self._show(view, going, UNDECIDED, None)
            return
        ensured = self._ensuring.ensure(view)
        if ensured is None:
            return
        made = self._workers(view, ensured)
        adjusted = self._adjusting.adjust(ensured.workload, pods)
        if adjusted.has_more:
            self._tools.work.add(_key(view), Priority.RAISE)
        if adjusted.has_raised:
            # What is said of it waits until the workers of other workloads have theirs too.
            self._tools.work.add(_key(view), Priority.STATUS)
            return
        self._show(view, ensured, adjusted, made)

    def _workers(self, view: WorkloadView, ensured: Ensured) -> WorkerPodsResult | None:
        is_due = view.mode in _WITH_WORKER_PODS or any(map(is_made_by_controller, view.pods))
        if not is_due:
            return None
        result = self._worker_pods.reconcile(ensured.workload, view.pods)
        if result.again_s is not None:
            self._again(view, result.again_s)
        return result

    def _show(
        self,
        view: WorkloadView,
        ensured: Ensured,
        adjusted: Adjusted,
        made: WorkerPodsResult | None,
    ) -> None:
        state = WorkloadState(
            view=view,
            ensured=ensured,
            adjusted=adjusted,
            worker_pods=made,
            shortage_of=self._placements.shortage_of,
        )
        status = status_of(state, now_s=self._tools.clock.now_s())
        workload = ensured.workload
        if self._tools.writer.write_status(WORKLOADS, workload, status, OWNER):
            self._tell(workload, Condition.OWNER_CONFLICT, view.owners.conflict)
            self._tell(workload, Condition.READY, ensured.problem)
            self._tell(workload, Condition.READY, ensured.left_out)

    def _tell(self, workload: Object, kind: Condition, text: str) -> None:
        """Tell what a condition of the workload did not say before."""
        before = (find_condition(workload, kind) or {}).get("message") or ""
        if text and text not in before:
            is_conflict = kind is Condition.OWNER_CONFLICT
            self._tools.events.record(
                reference_of(WORKLOADS, workload),
                reason=EventReason.OWNER_CONFLICT if is_conflict else EventReason.INVALID_WORKER,
                action="FollowPods",
                note=text,
                type=EventType.WARNING,
            )

    def _again(self, view: WorkloadView, delay_s: float) -> None:
        self._tools.work.add_after(_key(view), delay_s, Priority.STATUS)


def _key(view: WorkloadView) -> WorkKey:
    return WorkKey(WorkKind.WORKLOAD, view.namespace, view.name)
