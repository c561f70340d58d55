"""Makes worker pods, and sees that each was admitted.

A pod that no webhook admitted holds no GPU and has no limiter; it is deleted at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from autoscaler.api.condition_reasons import WorkloadReason
from autoscaler.api.names import COMPONENT, Component, EventReason
from autoscaler.errors import AlreadyExistsError, ForbiddenError, InvalidError
from autoscaler.kube.resource import PODS
from autoscaler.kube.store import Object, key_of
from autoscaler.workloads.counts import WorkerPodAction
from autoscaler.workloads.tools import Tools
from autoscaler.workloads.worker_pods.own_writes import OwnPodWrites
from autoscaler.workloads.worker_pods.worker_identity import free_names, is_made_for
from autoscaler.workloads.worker_pods.worker_pods_result import WorkersProblem
from autoscaler.workloads.worker_pods.worker_refusals import WorkerRefusals
from autoscaler.workloads.worker_pods.worker_template import WorkerTemplate

LAGGING_S = 1.0
"""When to look again where the API server has a pod that the cache does not show."""
NOT_CREATED = str(EventReason.WORKERS_NOT_CREATED)


class Created(NamedTuple):
    """What became of an attempt to make pods."""

    made: int
    problem: WorkersProblem | None = None
    again_s: float | None = None
    """In so many seconds to try again; None: no need."""


class WorkerCreating:
    """Makes worker pods; thread-safe, one thread for one workload at a time."""

    def __init__(self, tools: Tools, own: OwnPodWrites) -> None:
        self._tools = tools
        self._own = own
        self._refusals = WorkerRefusals(tools.clock)

    def create(
        self, workload: Object, template: WorkerTemplate, workers: Sequence[Object], count: int
    ) -> Created:
        """Make so many pods beside ``workers``, up to the first that is refused.

        After a refusal nothing is tried for a while.  Raises a ``KubeError`` where the API server
        does not answer.
        """
        uid = workload["metadata"]["uid"]
        waiting = self._refusals.waiting(uid, template.hash)
        if waiting is not None:
            problem, rest_s = waiting
            return Created(0, problem, rest_s)
        taken = frozenset(pod["metadata"]["name"] for pod in workers)
        made, is_lagging = 0, False
        for name in islice(free_names(workload, template.hash, taken), count):
            pod = template.pod(workload, name)
            try:
                refusal = self._create_one(pod)
                made += refusal is None
            except AlreadyExistsError:
                refusal, is_lagging = self._look_at(workload, pod), True
            except (InvalidError, ForbiddenError) as error:
                refusal = WorkersProblem(NOT_CREATED, f"the API server refuses {name}: {error}")
            if refusal is not None:
                return Created(made, refusal, self._refusals.refused(uid, template.hash, refusal))
        self._refusals.forget(uid)
        return Created(made, None, LAGGING_S if is_lagging else None)

    def forget(self, workload_uid: str) -> None:
        """Forget a workload that is gone."""
        self._refusals.forget(workload_uid)

    def _create_one(self, pod: Object) -> WorkersProblem | None:
        made = self._tools.writer.write(lambda api: api.create(PODS, pod))
        refusal = self._check_admitted(made)
        if refusal is None:
            self._tools.counts.worker_pod(WorkerPodAction.CREATED)
        return refusal

    def _look_at(self, workload: Object, pod: Object) -> WorkersProblem | None:
        """Look at a pod that is there already: one of ours whose answer, or event, is missing."""
        namespace, name = key_of(pod)
        live = self._tools.writer.write(lambda api: api.get(PODS, name, namespace))
        return self._check_admitted(live) if is_made_for(live, workload) else None

    def _check_admitted(self, pod: Object) -> WorkersProblem | None:
        namespace, name = key_of(pod)
        if (pod["metadata"].get("labels") or {}).get(COMPONENT) == Component.WORKER:
            self._own.made(pod)
            return None
        uid = pod["metadata"]["uid"]
        self._tools.writer.write(lambda api: api.delete(PODS, name, namespace, uid=uid))
        return WorkersProblem(
            WorkloadReason.WEBHOOK_NOT_IN_FORCE,
            "the API server made a worker pod that no webhook had admitted, and that was deleted "
            "again; the admission webhook is not in force: look whether its configuration has "
            "entries",
        )
