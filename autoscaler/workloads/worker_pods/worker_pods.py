"""Worker pods of workloads whose GPUs are elsewhere: as many as wanted, from the newest template.

A worker pod is admitted and placed like any other pod that holds a GPU; here it is only made,
replaced and deleted.  Which client uses which worker is ``connections``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

from autoscaler.api.names import EventReason
from autoscaler.errors import ConflictError, NotFoundError
from autoscaler.kube.event import EventType, reference_of
from autoscaler.kube.resource import CONNECTIONS, PODS, POOLS, WORKLOADS
from autoscaler.kube.store import Change, Object, key_of
from autoscaler.workloads.cluster import BY_NAMESPACE
from autoscaler.workloads.counts import WorkerPodAction
from autoscaler.workloads.pod_state import is_deleted
from autoscaler.workloads.tools import Tools
from autoscaler.workloads.worker_pods.own_writes import OwnPodWrites
from autoscaler.workloads.worker_pods.rolling_update import RollingUpdate
from autoscaler.workloads.worker_pods.worker_creating import NOT_CREATED, WorkerCreating
from autoscaler.workloads.worker_pods.worker_failures import WorkerFailures
from autoscaler.workloads.worker_pods.worker_identity import is_made_for
from autoscaler.workloads.worker_pods.worker_plan import Deletion, plan_workers, wanted_workers
from autoscaler.workloads.worker_pods.worker_pods_result import WorkerPodsResult, WorkersProblem
from autoscaler.workloads.worker_pods.worker_template import WorkerTemplate, worker_template

MOST_WRITES = 50
"""In one look at a workload, so that others get their turn."""
_MOST_NAMED = 5


class WorkerPods:
    """Makes and deletes worker pods; thread-safe, one thread for one workload at a time."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._own = OwnPodWrites(tools.cluster.store(PODS), tools.clock)
        self._creating = WorkerCreating(tools, self._own)
        self._failures = WorkerFailures()
        self._told: dict[str, WorkersProblem] = {}
        """UID of workloads to what was told last; each key is one thread's at a time."""
        tools.cluster.store(WORKLOADS).on_change(self._forget_gone)

    def reconcile(self, workload: Object, pods: Sequence[Object]) -> WorkerPodsResult:
        """Bring the worker pods of a workload nearer to what is wanted.

        ``pods`` are the workers and clients of the workload as the cache shows them.  A workload
        whose pods hold their GPUs themselves wants none, and keeps none that were made for it.
        Raises a ``KubeError`` where the API server does not answer; a refusal is a problem of the
        result.
        """
        wanted = wanted_workers(workload, pods)
        if is_deleted(workload):
            return WorkerPodsResult(wanted=wanted, template_hash="")
        seen = self._own.seen(pods, workload["metadata"]["namespace"])
        workers = [pod for pod in seen if is_made_for(pod, workload)]
        template, problem = self._template(workload) if wanted else (None, None)
        rest_s = self._failure_rest_s(workload, workers)
        plan = plan_workers(
            workers,
            wanted=wanted,
            template_hash=template.hash if template else "",
            rolling_update=template.rolling_update if template else RollingUpdate(),
            connections=self._connections(workload),
            is_failure_due=rest_s <= 0,
        )
        waits_s = [rest_s] if rest_s > 0 else []
        deletions = plan.deletions[:MOST_WRITES]
        self._delete(workload, deletions)
        count = min(plan.created, MOST_WRITES - len(deletions))
        if len(deletions) + count < len(plan.deletions) + plan.created:
            waits_s.append(0.0)
        if template is not None and count:
            created = self._creating.create(workload, template, workers, count)
            problem = created.problem
            waits_s += [] if created.again_s is None else [created.again_s]
            self._tell_created(workload, created.made)
        self._tell_problem(workload, problem)
        return WorkerPodsResult(
            wanted=wanted,
            template_hash=template.hash if template else "",
            problem=problem,
            again_s=min(waits_s, default=None),
        )

    def _template(self, workload: Object) -> tuple[WorkerTemplate | None, WorkersProblem | None]:
        """Return what the workers are made from; None, and why, where they cannot be made."""
        name = (workload.get("spec") or {}).get("poolName") or ""
        pool = self._tools.cluster.store(POOLS).get("", name)
        template: WorkerTemplate | None = None
        if not self._tools.rules.has_standalone_workers:
            problems: tuple[str, ...] = (
                "this installation runs no worker pods (--standalone-workers is off)",
            )
        elif pool is None:
            problems = (f"spec.poolName: {name!r} is no GPUPool; allowed: the name of one",)
        else:
            template, problems = worker_template(workload, pool)
        if template is not None:
            return template, None
        return None, WorkersProblem(NOT_CREATED, "; ".join(problems))

    def _failure_rest_s(self, workload: Object, workers: Sequence[Object]) -> float:
        """Return for how long failed workers keep their place; tell of those that just failed."""
        until_s, failed = self._failures.observe(workload["metadata"]["uid"], workers)
        if failed:
            names = sorted(pod["metadata"]["name"] for pod in failed)
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            reasons = {(pod.get("status") or {}).get("reason") or "Failed" for pod in failed}
            note = f"{', '.join(names[:_MOST_NAMED])}{more}: {', '.join(sorted(reasons))}"
            self._tell(workload, EventReason.WORKER_FAILED, note, is_bad=True)
        return until_s - self._tools.clock.now_s()

    def _connections(self, workload: Object) -> Callable[[str], int]:
        """Return what tells how many clients a worker of a name serves."""
        namespace, name = key_of(workload)

        @cache
        def counts() -> Counter[str]:
            connections = self._tools.cluster.store(CONNECTIONS).indexed(BY_NAMESPACE, namespace)
            return Counter(
                (each.get("status") or {}).get("workerName") or ""
                for each in connections
                if (each.get("spec") or {}).get("workloadName") == name
            )

        return lambda worker: counts()[worker]

    def _delete(self, workload: Object, deletions: Sequence[Deletion]) -> None:
        replaced = 0
        for pod, action in deletions:
            self._delete_one(pod)
            self._own.deleted(pod)
            self._tools.counts.worker_pod(action)
            replaced += action is WorkerPodAction.REPLACED
        if replaced:
            note = f"worker pods that failed or are outdated and make room for new ones: {replaced}"
            self._tell(workload, EventReason.WORKER_REPLACED, note)

    def _delete_one(self, pod: Object) -> None:
        namespace, name = key_of(pod)
        uid = pod["metadata"]["uid"]
        try:
            self._tools.writer.write(lambda api: api.delete(PODS, name, namespace, uid=uid))
        except (NotFoundError, ConflictError):
            return  # It is gone, or another one has its name.

    def _tell_created(self, workload: Object, count: int) -> None:
        if count:
            self._tell(workload, EventReason.WORKER_CREATED, f"worker pods made: {count}")

    def _tell_problem(self, workload: Object, problem: WorkersProblem | None) -> None:
        """Tell of a problem once, as long as it stays the same."""
        uid = workload["metadata"]["uid"]
        if problem is None:
            self._told.pop(uid, None)
        elif self._told.get(uid) != problem:
            self._told[uid] = problem
            self._tell(workload, EventReason.WORKERS_NOT_CREATED, problem.message, is_bad=True)

    def _tell(
        self, workload: Object, reason: EventReason, note: str, *, is_bad: bool = False
    ) -> None:
        self._tools.events.record(
            reference_of(WORKLOADS, workload),
            reason=reason,
            action="KeepWorkers",
            note=note,
            type=EventType.WARNING if is_bad else EventType.NORMAL,
        )

    def _forget_gone(self, change: Change) -> None:
        if change.new is None:
            uid = change.obj["metadata"]["uid"]
            self._failures.forget(uid)
            self._creating.forget(uid)
            self._told.pop(uid, None)
