"""Makes the ``TensorFusionWorkload`` of admitted pods, and keeps its ``spec`` as they say.

What it is to be is ``wanted_workload``.  Of a workload that a user wrote nothing is changed, but
absent replicas are filled in where the GPU is local.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from autoscaler.api.names import EventReason
from autoscaler.errors import ForbiddenError, InvalidError
from autoscaler.kube.event import EventType, reference_of
from autoscaler.kube.lanes import Priority
from autoscaler.kube.reflector import without_managed_fields
from autoscaler.kube.resource import PODS, WORKLOADS
from autoscaler.workloads.generation.effective import (
    Effective,
    effective_settings,
    stated_properties,
)
from autoscaler.workloads.generation.generating import Generating
from autoscaler.workloads.generation.wanted_workload import (
    filled_workload,
    patch_of,
    wanted_workload,
)
from autoscaler.workloads.work import WorkKey, WorkKind
from recommender.policy.resolve import resolve
from recommender.policy.written import written_config

if TYPE_CHECKING:
    from autoscaler.kube.store import Object
    from autoscaler.workloads.generation.generated import Generated
    from autoscaler.workloads.generation.workload_view import WorkloadView
    from autoscaler.workloads.tools import Tools

ACTION = "GenerateWorkload"
YOUNG_S = 2
"""For so long what a pod names may be missing because the caches lag."""
REFUSED_S = 30.0
"""Until what the API server refuses is tried again: policies, quotas and rights change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensured:
    """A workload as it is after it was looked after."""

    workload: Object
    effective: Effective
    problem: str
    """Why its spec does not follow its pods; empty where it does."""
    left_out: str = ""
    """What of the settings is not in its spec, because it cannot be used."""


class Ensuring:
    """Makes and updates workloads; thread-safe, one thread for one workload at a time."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._generating = Generating(tools.cluster)

    def ensure(self, view: WorkloadView) -> Ensured | None:
        """Return the workload of a view; None where there is none and nobody to make it for.

        Raises ``KubeError``; what the API server refuses because of its content is told in an
        event, and in ``problem``.
        """
        if view.workload is None and not view.owners.may_create:
            self._generating.forget(view.namespace, view.name)
            return None
        if view.workload is None:
            return self._create(view)
        if view.is_users:
            return self._fill(view, view.workload)
        return self._update(view, view.workload)

    def _create(self, view: WorkloadView) -> Ensured | None:
        pod = view.newest
        generated = self._generated(view)
        if pod is None or generated is None:
            return None
        wanted = wanted_workload(view, generated)
        try:
            made = self._tools.writer.write(lambda api: api.create(WORKLOADS, wanted))
        except (InvalidError, ForbiddenError) as error:
            self._tell(pod, f"TensorFusionWorkload {view.name} cannot be made: {error}")
            self._again(view.namespace, view.name, REFUSED_S)
            return None
        owner = view.owners.generated_from
        self._tools.events.record(
            reference_of(WORKLOADS, made),
            reason=EventReason.WORKLOAD_CREATED,
            action=ACTION,
            note=f"made for the pods of {owner}",
        )
        problem = "; ".join(generated.all_problems)
        if problem:
            self._tell(pod, problem)
        return Ensured(
            workload=without_managed_fields(made),
            effective=generated.effective,
            problem=problem,
            left_out="; ".join(generated.left_out),
        )

    def _update(self, view: WorkloadView, present: Object) -> Ensured:
        generated = self._generated(view)
        problem = "" if generated is None else "; ".join(generated.all_problems)
        wanted = wanted_workload(view, None if problem else generated)
        workload, refusal = self._patched(present, wanted)
        if generated is None or problem or refusal:
            effective = (present.get("status") or {}).get("effective") or {}
            return Ensured(workload=workload, effective=effective, problem=problem or refusal)
        return Ensured(
            workload=workload,
            effective=generated.effective,
            problem="",
            left_out="; ".join(generated.left_out),
        )

    def _fill(self, view: WorkloadView, present: Object) -> Ensured:
        workload, refusal = self._patched(present, filled_workload(view))
        resolved = resolve(workload=workload.get("spec") or {}, workload_name=view.name)
        effective = effective_settings(
            resolved.stated,
            stated_properties(resolved.stated),
            written_config(resolved.settings),
            {},
        )
        return Ensured(workload=workload, effective=effective, problem=refusal)

    def _patched(self, present: Object, wanted: Mapping[str, Any]) -> tuple[Object, str]:
        """Return a workload as it became, and why the API server refused to change it."""
        patch = patch_of(present, wanted)
        if not patch:
            return present, ""
        namespace, name = present["metadata"]["namespace"], present["metadata"]["name"]
        try:
            patched = self._tools.writer.write(
                lambda api: api.merge_patch(WORKLOADS, name, patch, namespace)
            )
        except (InvalidError, ForbiddenError) as error:
            self._again(namespace, name, REFUSED_S)
            return present, f"the API server refuses the spec of its pods: {error}"
        return without_managed_fields(patched), ""

    def _generated(self, view: WorkloadView) -> Generated | None:
        """Return what the newest pod says; None: there is none, or it is to be read a bit later.

        What is created together with a pod may come into the caches after it.
        """
        pod = view.newest
        if pod is None:
            return None
        generated = self._generating.generated(pod)
        created_s = datetime.fromisoformat(pod["metadata"]["creationTimestamp"]).timestamp()
        if generated.absent and self._tools.clock.now_s() - created_s < YOUNG_S:
            self._again(view.namespace, view.name, YOUNG_S)
            return None
        return generated

    def _tell(self, pod: Object, note: str) -> None:
        self._tools.events.record(
            reference_of(PODS, pod),
            reason=EventReason.INVALID_WORKER,
            action=ACTION,
            note=note,
            type=EventType.WARNING,
        )

    def _again(self, namespace: str, name: str, delay_s: float) -> None:
        key = WorkKey(WorkKind.WORKLOAD, namespace, name)
        self._tools.work.add_after(key, delay_s, Priority.STATUS)
