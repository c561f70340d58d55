"""What a pod refers to: its workload and its profile, and the values that all layers state.

Annotation > existing workload (``generate-workload: 'false'``) > profile.  Amounts and what else
the recommender reads are not looked at here (``statements``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from autoscaler.api.names import GENERATE_WORKLOAD, PREFIX, WORKLOAD
from autoscaler.api.naming import LONGEST, derived_workload_name
from autoscaler.api.object_key import ObjectKey
from autoscaler.api.object_names import name_problem
from autoscaler.api.root_owner import Owner, other_owner, root_owner
from autoscaler.kube.resource import WORKLOAD_PROFILES, WORKLOADS
from autoscaler.webhook.admission import Object
from autoscaler.webhook.snapshot import Snapshot
from autoscaler.webhook.submitted import Submitted
from autoscaler.webhook.switches import read_switch
from autoscaler.webhook.verdict import Verdict
from recommender.errors import Problem
from recommender.policy.fields import PROFILE_ANNOTATIONS
from recommender.policy.values import is_unset

Spec = Mapping[str, Any]


class Written(NamedTuple):
    """A value and where it was written."""

    value: Any
    path: str
    """For messages, such as ``profile small spec.vendor``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """Everything that speaks for one pod, the pool and the quotas left aside."""

    annotations: Mapping[str, str]
    workload_name: str
    """Empty where it cannot be told; the pod is refused then."""
    existing: Object | None
    """The workload of that name, where there is one."""
    is_existing_used: bool
    """The pod joins the existing workload as it is, so that its ``spec`` is a layer."""
    profile_name: str
    profile: Spec | None

    @property
    def workload(self) -> Spec | None:
        """Return the ``spec`` of the existing workload, where it is a layer."""
        return _spec_of(self.existing) if self.existing and self.is_existing_used else None

    def find(self, annotation: str, field: str) -> Written | None:
        """Return the value of the highest layer that states it; None: nobody does."""
        text = self.annotations.get(annotation)
        if not is_unset(text):
            return Written(text, f"annotation {annotation}")
        for spec, name in (
            (self.workload, f"workload {self.workload_name}"),
            (self.profile, f"profile {self.profile_name}"),
        ):
            value = None if spec is None else spec.get(field)
            if not is_unset(value):
                return Written(value, f"{name} spec.{field}")
        return None


def read_layers(submitted: Submitted, snapshot: Snapshot, verdict: Verdict) -> Layers:
    """Return workload and profile of a pod; what is named and not there is refused."""
    owner = root_owner(
        submitted.pod,
        submitted.namespace,
        snapshot.find,
        added=snapshot.installation.root_owners,
        missing=verdict.miss,
    )
    workload_name = _workload_name(submitted, owner, verdict)
    existing = None
    key = ObjectKey(WORKLOADS.api_version, WORKLOADS.kind, submitted.namespace, workload_name)
    if workload_name:
        existing = snapshot.find(key)
    is_used = read_switch(submitted.annotations, GENERATE_WORKLOAD, verdict) is False
    if is_used and existing is None and workload_name:
        verdict.miss(key)
        verdict.refuse(
            Problem(
                f"annotation {GENERATE_WORKLOAD}",
                f"'false' asks for the existing TensorFusionWorkload {workload_name}, and "
                f"namespace {submitted.namespace} has none of this name; create it, name another "
                f"one in {WORKLOAD}, or leave {GENERATE_WORKLOAD} out",
            )
        )
    if existing is not None and not is_used and workload_name == _derived_name(submitted, owner):
        existing = _own(existing, owner, verdict)
    profile_name, profile = _profile(submitted, snapshot, verdict)
    return Layers(
        annotations=submitted.annotations,
        workload_name=workload_name,
        existing=existing,
        is_existing_used=is_used,
        profile_name=profile_name,
        profile=profile,
    )


def _workload_name(submitted: Submitted, owner: Owner | None, verdict: Verdict) -> str:
    named = submitted.annotations.get(WORKLOAD, "").strip()
    name = named or _derived_name(submitted, owner)
    path = f"annotation {WORKLOAD}"
    if not named:
        path = "name of the workload, after "
        path += "the pod's" if owner is None else f"{owner.kind} {owner.name}"
    if not name:
        verdict.refuse(
            Problem(
                "metadata.name",
                "the pod has no name, no generateName and no controller to name its "
                f"workload after; set one of them, or annotation {WORKLOAD}",
            )
        )
        return ""
    problem = name_problem(name, path, longest=LONGEST)
    if problem:
        verdict.refuse(problem)
    return "" if problem else name


def _derived_name(submitted: Submitted, owner: Owner | None) -> str:
    if owner is not None:
        return derived_workload_name(owner.kind, owner.name)
    metadata = submitted.pod.get("metadata") or {}
    own = metadata.get("name") or metadata.get("generateName") or ""
    return derived_workload_name("", str(own))


def _own(workload: Object, owner: Owner | None, verdict: Verdict) -> Object | None:
    """Return a workload of a derived name, unless somebody else of the same derived name has it.

    Only who names a workload on purpose shares it.
    """
    other = other_owner(workload, owner)
    if not other:
        return workload
    verdict.warn(
        f"the workload {(workload.get('metadata') or {}).get('name')}, as this pod's is called, "
        f"belongs to {other}; the pod starts with its declared amounts, and its use is counted "
        f"there: name another workload in annotation {WORKLOAD}"
    )
    return None


def _profile(submitted: Submitted, snapshot: Snapshot, verdict: Verdict) -> tuple[str, Spec | None]:
    keys = (f"{PREFIX}{key}" for key in PROFILE_ANNOTATIONS)
    annotation = next((k for k in keys if not is_unset(submitted.annotations.get(k))), None)
    if annotation is None:
        return "", None
    name, path = submitted.annotations[annotation].strip(), f"annotation {annotation}"
    namespace = submitted.namespace
    if "/" in name:
        verdict.invalid(
            path,
            name,
            f"the name alone of a WorkloadProfile in the pod's own namespace {namespace}, without "
            "a namespace before it",
        )
        return "", None
    problem = name_problem(name, path)
    if problem:
        verdict.refuse(problem)
        return "", None
    key = ObjectKey(WORKLOAD_PROFILES.api_version, WORKLOAD_PROFILES.kind, namespace, name)
    found = snapshot.find(key)
    if found is None:
        verdict.miss(key)
        verdict.refuse(
            Problem(
                path,
                f"{name!r} is no WorkloadProfile of namespace {namespace}; allowed: the name "
                "of an existing one",
            )
        )
        return "", None
    return name, _spec_of(found)


def _spec_of(obj: Object) -> Spec:
    return obj.get("spec") or {}
