"""What the cluster says of one workload now: its owner, profile, and what is stated and enrolled.

Read from the API server when something is about to be written, and not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoscaler.api.names import DECLARED, ENABLED, GENERATED_FROM
from autoscaler.applying.owner_kinds import OWNER_KINDS, template_metadata
from autoscaler.errors import InvalidError, NotFoundError
from autoscaler.kube.resource import WORKLOAD_PROFILES, WORKLOADS, Resource
from recommender.policy.annotations import named_profile
from recommender.policy.model import Mode, Policy
from recommender.policy.resolve import Resolved, resolve
from recommender.policy.table import dimension_of
from recommender.report.owners import kind_and_name, remark
from recommender.resources import KNOWN_RESOURCES

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer

ENROLLED = frozenset({Mode.APPLY, Mode.INITIAL})
Object = Mapping[str, Any]


class NotWritableError(Exception):
    """Nothing of a workload may be written; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWorkload:
    """One workload as it stands."""

    kind: Resource
    """Of its owner."""
    owner: Object
    profile: Object | None
    """The profile that the template names; None: it names none."""
    workload: Object | None
    """The TensorFusionWorkload; None: there is none."""

    @property
    def annotations(self) -> Mapping[str, str]:
        """Return the annotations of the pod template."""
        return template_metadata(self.kind.kind, self.owner).get("annotations") or {}

    @property
    def profile_name(self) -> str:
        """Return the name of the profile; empty: none."""
        return "" if self.profile is None else str(self.profile["metadata"]["name"])

    def resolved(
        self,
        *,
        annotations: Mapping[str, str] | None = None,
        profile_spec: Object | None = None,
    ) -> Resolved:
        """Return what counts for the next pod, with changed annotations or a changed profile."""
        own = None if self._is_generated else (self.workload or {}).get("spec")
        spec = profile_spec
        if spec is None and self.profile is not None:
            spec = self.profile.get("spec") or {}
        return resolve(
            annotations=self.annotations if annotations is None else annotations,
            workload=own,
            profile=spec,
            profile_name=self.profile_name,
        )

    def amount_now(self, key: str) -> float | None:
        """Return what is stated under the key of a statement, in base units; None: nothing.

        What comes from quotas and pools is known by the TensorFusionWorkload alone.
        """
        stated = self.resolved().stated.amount_of(key)
        if stated is None and self._is_generated:
            return self._as_generated().stated.amount_of(key)
        return stated

    def is_enrolled(self, resource: str, layer: str) -> bool:
        """Return whether ``requests`` or ``limits`` of a resource are set automatically."""
        policy = self._as_generated().policy if self._is_generated else self.resolved().policy
        return _is_enrolled(policy, resource, layer)

    @property
    def _is_generated(self) -> bool:
        """Whether the controller made the workload, so that its spec is the resolved one."""
        metadata = (self.workload or {}).get("metadata") or {}
        return GENERATED_FROM in (metadata.get("annotations") or {})

    def _as_generated(self) -> Resolved:
        return resolve(workload=(self.workload or {}).get("spec") or {})


def read_live(
    api: ApiServer, namespace: str, name: str, owner_in_report: str | None
) -> LiveWorkload:
    """Read one workload.  Raises ``NotWritableError`` with the reason, and ``KubeError``."""
    workload = _found(api, WORKLOADS, namespace, name)
    kind, owner_name = _owner_named(workload, owner_in_report, name)
    resource = OWNER_KINDS.get(kind)
    if resource is None:
        raise NotWritableError(remark(f"{kind}/{owner_name}"))
    owner = _found(api, resource, namespace, owner_name)
    if owner is None:
        hint = "" if owner_in_report or workload else "; the report does not say whose its pods are"
        raise NotWritableError(f"there is no {kind} {namespace}/{owner_name}{hint}")
    template = template_metadata(kind, owner)
    if (template.get("labels") or {}).get(ENABLED) != "true":
        raise NotWritableError(
            f"the pod template of {kind} {namespace}/{owner_name} lacks the label {ENABLED}: "
            "'true', so that its annotations have no effect"
        )
    annotations = template.get("annotations") or {}
    declared = [key for key in DECLARED if key in annotations]
    if declared:
        raise NotWritableError(
            f"the pod template of {kind} {namespace}/{owner_name} was copied from a pod: "
            f"{declared[0]} counts in place of the plain annotation; remove it first"
        )
    return LiveWorkload(
        kind=resource,
        owner=owner,
        profile=_profile(api, namespace, annotations),
        workload=workload,
    )


def _owner_named(workload: Object | None, in_report: str | None, name: str) -> tuple[str, str]:
    """Return kind and name of the owner; the cluster knows it better than the report."""
    owners = ((workload or {}).get("status") or {}).get("owners") or ()
    if len(owners) > 1:
        names = ", ".join(f"{each.get('kind')} {each.get('name')}" for each in owners)
        raise NotWritableError(f"pods of several owners are its workers ({names}): change each")
    metadata = (workload or {}).get("metadata") or {}
    made_from = (metadata.get("annotations") or {}).get(GENERATED_FROM) or ""
    full_kind, _, owner_name = made_from.partition("/")
    if owner_name:
        return full_kind.partition(".")[0], owner_name
    if owners:
        return str(owners[0].get("kind")), str(owners[0].get("name"))
    return kind_and_name(in_report, name)


def _profile(api: ApiServer, namespace: str, annotations: Mapping[str, str]) -> Object | None:
    name = named_profile(annotations)
    if name is None:
        return None
    profile = _found(api, WORKLOAD_PROFILES, namespace, name)
    if profile is None:
        raise NotWritableError(
            f"its pod template names the WorkloadProfile {name}, which is missing"
        )
    return profile


def _found(api: ApiServer, resource: Resource, namespace: str, name: str) -> Object | None:
    try:
        return api.get(resource, name, namespace)
    except NotFoundError:
        return None
    except InvalidError as error:
        # A name of a report that no object can have.
        raise NotWritableError(str(error)) from error


def _is_enrolled(policy: Policy, resource: str, layer: str) -> bool:
    dimension = dimension_of(KNOWN_RESOURCES[resource])
    rule = policy.requests[dimension] if layer == "requests" else policy.limits[dimension]
    return rule.is_enrolled and rule.mode in ENROLLED
