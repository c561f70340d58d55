"""Where the replicas of a workload are set: the one place that can be written.

In remote mode that is the workload's own scale, else the scale of its one owner, if its kind is on
the list of the installation.  What the API server serves of kinds that are not built in is asked
for by ``refresh``, which a job calls; looking up a target asks nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoscaler.api.condition_reasons import ReplicasReason
from autoscaler.api.object_names import is_name
from autoscaler.errors import KubeError, NotFoundError, UsageError
from autoscaler.kube.resource import DEPLOYMENTS, STATEFUL_SETS, WORKLOADS, Resource
from autoscaler.scaling.live.replicas.replica_state import Held, follows_pods, owners_of

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer
    from autoscaler.kube.store import Object

BUILT_IN = (DEPLOYMENTS, STATEFUL_SETS)
"""Kinds of owners that are scaled in every installation."""
SCALE = "scale"
_MOST_NAMED = 3
_log = logging.getLogger("autoscaler.scaling")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleTarget:
    """One object whose scale is written."""

    resource: Resource
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """Return the path of its scale."""
        return self.resource.path(self.namespace, self.name, SCALE)

    @property
    def kind_and_group(self) -> str:
        """Return ``Kind.group``."""
        return kind_and_group(self.resource.kind, self.resource.group)

    def __str__(self) -> str:
        return f"{self.resource.kind} {self.name}"


class ScaleTargets:
    """The kinds that may be scaled; ``refresh`` is for one thread, the rest for any."""

    def __init__(self, api: ApiServer, *, scalable: Sequence[str] = ()) -> None:
        """``scalable`` are further kinds of owners, such as ``Rollout.argoproj.io``.

        Nothing is asked yet.  Raises ``UsageError`` for a text that is no kind.
        """
        _require_kinds(scalable)
        self._api = api
        self._built_in = {kind_and_group(each.kind, each.group): each for each in BUILT_IN}
        self._further = tuple(dict.fromkeys(k for k in scalable if k not in self._built_in))
        self._resources: Mapping[str, Resource] = self._built_in
        self._version = 0
        self._problems: Mapping[str, str] = {
            kind: f"the API server was not asked yet for kind {kind}" for kind in self._further
        }

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of owners that are on the list, as ``Kind.group``."""
        return (*self._built_in, *self._further)

    @property
    def version(self) -> int:
        """Return a number that is another one whenever a target may be."""
        return self._version

    def refresh(self) -> None:
        """Ask for the kinds that are not built in.

        What cannot be asked now stays as it was known; the next call asks again.
        """
        before = self._resources, self._problems
        resources, problems = dict(self._resources), {}
        for kind in self._further:
            found = self._discovered(kind)
            if isinstance(found, Resource):
                resources[kind] = found
                continue
            text, is_certain = found
            if is_certain:
                resources.pop(kind, None)
            if kind not in resources:
                problems[kind] = text
                if is_certain and self._problems.get(kind) != text:
                    _log.warning("--scalable: %s, so that no such owner is scaled", text)
        self._resources, self._problems = resources, problems
        if (resources, problems) != before:
            self._version += 1

    def target_of(self, workload: Object) -> ScaleTarget | Held:
        """Return where the replicas of a workload are set, or why they cannot be."""
        metadata = workload["metadata"]
        namespace = metadata["namespace"]
        if (workload.get("spec") or {}).get("isLocalGPU") is False:
            return ScaleTarget(resource=WORKLOADS, namespace=namespace, name=metadata["name"])
        owners = owners_of(workload)
        if not owners:
            return _no_scale("the owner of its workers is not known yet")
        if len(owners) > 1:
            return _several(owners)
        kind, name = str(owners[0].get("kind")), str(owners[0].get("name"))
        full = kind_and_group(kind, _group(owners[0]))
        resource = self._resources.get(full)
        if resource is None:
            return _no_scale(self._problems.get(full) or self._not_listed(kind, name, full))
        if not follows_pods(workload):
            return _no_scale(
                "the workload was written by its user, so that its spec.replicas does not follow "
                f"the replicas of {kind} {name}"
            )
        return ScaleTarget(resource=resource, namespace=namespace, name=name)

    def _not_listed(self, kind: str, name: str, full: str) -> str:
        return (
            f"kind {full} of its owner {kind} {name} is not on the list of kinds that are scaled: "
            f"{', '.join(self.kinds)}"
        )

    def _discovered(self, kind: str) -> Resource | tuple[str, bool]:
        """Return a kind as the API server serves it, or why not and whether that is certain."""
        name, _, group = kind.partition(".")
        try:
            served = self._api.request("GET", f"/apis/{group}")
            version = str((served.get("preferredVersion") or {}).get("version") or "")
            listed = self._api.request("GET", f"/apis/{group}/{version}").get("resources") or ()
        except NotFoundError:
            return f"the API server knows no group {group} of kind {kind}", True
        except KubeError as error:
            _log.warning("The scale of kind %s cannot be looked up: %s", kind, error)
            return f"the API server did not say how kind {kind} is scaled", False
        return _scaled_resource(listed, name, group, version) or (
            f"the API server serves no scale of kind {kind}",
            True,
        )


def kind_and_group(kind: str, group: str) -> str:
    """Return ``Kind.group``, of the core group the kind alone."""
    return f"{kind}.{group}" if group else kind


def held_by_rival(rival: str, target: ScaleTarget) -> Held:
    """Return why nobody sets the replicas of an object that another autoscaler sets."""
    text = f"{rival} sets the replicas of {target}"
    return Held(reason=ReplicasReason.OTHER_AUTOSCALER, text=text)


def _require_kinds(kinds: Iterable[str]) -> None:
    for text in kinds:
        kind, _, group = text.partition(".")
        if not (kind.isalnum() and kind.isascii() and is_name(group)):
            raise UsageError(
                f"--scalable: kind {text!r} is not valid; allowed: a kind and its group, such as "
                "Rollout.argoproj.io"
            )


def _scaled_resource(
    listed: Iterable[Mapping[str, Any]], kind: str, group: str, version: str
) -> Resource | None:
    """Return the kind among the resources of one version, if its scale is one of them."""
    names = {str(each.get("name")): each for each in listed}
    for name, each in names.items():
        if each.get("kind") == kind and f"{name}/{SCALE}" in names and each.get("namespaced"):
            return Resource(group=group, version=version, plural=name, kind=kind)
    return None


def _several(owners: tuple[Mapping[str, Any], ...]) -> Held:
    named = ", ".join(f"{each.get('kind')} {each.get('name')}" for each in owners[:_MOST_NAMED])
    others = len(owners) - _MOST_NAMED
    more = f" and {others} more" if others > 0 else ""
    return Held(
        reason=ReplicasReason.SEVERAL_OWNERS,
        text=f"its workers belong to {named}{more}, and nobody can tell whose replicas to set",
    )


def _no_scale(text: str) -> Held:
    return Held(reason=ReplicasReason.NO_SCALE, text=text)


def _group(owner: Mapping[str, Any]) -> str:
    return str(owner.get("apiVersion") or "").rpartition("/")[0]
