"""What a pod becomes so that its containers run under the limiter, or reach a worker elsewhere.

What to inject was decided before (``InjectionPlan``); names and paths are the table of
``autoscaler.api.injection``.  Injecting again changes nothing, because API servers ask again after
another webhook has changed the pod.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from autoscaler.api.injection import VOLUMES, Medium, Volume
from autoscaler.api.names import NATIVE_GPU_RESOURCES, PLACEMENT_GATE
from autoscaler.webhook.admission import Object
from autoscaler.webhook.environment import (
    LIMITER_ENVIRONMENT,
    FieldRef,
    with_environment,
    with_preload,
)
from autoscaler.webhook.limiter_container import with_limiter_container
from autoscaler.webhook.named_items import with_ours
from autoscaler.webhook.reserved import injection_problems
from recommender.errors import Problem


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectionPlan:
    """Everything that admission decided to put into one pod."""

    containers: tuple[str, ...]
    """Names of the containers that use the GPU."""
    is_limited: bool
    """The pod itself holds the GPU (embedded): volumes, environment and the init container."""
    is_gated: bool
    """The pod waits until the controller has placed it on a GPU."""
    limiter_image: str = ""
    limiter_pull_policy: str = ""
    """Empty: ``IfNotPresent``."""
    limiter_pull_secrets: tuple[str, ...] = ()
    """Names of Secrets in the pod's namespace."""
    limiter_resources: Mapping[str, Any] = field(default_factory=_nothing)
    """``limits`` of the init container (else ``requests``), for both; empty: a small default."""
    runtime_class_name: str = ""
    """Set where the pod names none."""
    priority_class: str | None = None
    """Set, whatever the pod has; None: the pod keeps what it has."""
    client_environment: Mapping[str, str | FieldRef] = field(default_factory=_nothing)
    """Variables of a client of a worker elsewhere; ``$(NAME)`` refers to one before it."""
    annotations: Mapping[str, str] = field(default_factory=_nothing)
    """Set, whatever the pod has."""
    labels: Mapping[str, str] = field(default_factory=_nothing)
    """Set, whatever the pod has."""
    stripped_annotations: tuple[str, ...] = ()
    """Removed before ``annotations`` are set."""
    stripped_labels: tuple[str, ...] = ()
    """Removed before ``labels`` are set."""


def inject(pod: Object, plan: InjectionPlan) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """Return the pod as planned, and why it must be refused instead.

    ``pod`` is not changed.  Each problem names the field, its value and what is allowed.
    """
    new: dict[str, Any] = copy.deepcopy(dict(pod))
    metadata, spec = _mapping(new, "metadata"), _mapping(new, "spec")
    _set(metadata, "annotations", plan.stripped_annotations, plan.annotations)
    _set(metadata, "labels", plan.stripped_labels, plan.labels)
    _inject_spec(spec, plan)
    problems = injection_problems(
        pod, plan.containers, is_limited=plan.is_limited, is_gated=plan.is_gated
    )
    return new, problems


def _inject_spec(spec: dict[str, Any], plan: InjectionPlan) -> None:
    injected = frozenset(plan.containers)
    for container in spec.get("containers") or ():
        if container.get("name") in injected:
            _inject_container(container, plan)
    if plan.is_limited:
        volumes = [_volume(volume) for volume in VOLUMES]
        spec["volumes"] = with_ours(spec.get("volumes") or (), volumes, is_first=False)
        spec["initContainers"] = with_limiter_container(
            spec,
            image=plan.limiter_image,
            pull_policy=plan.limiter_pull_policy,
            resources=plan.limiter_resources,
        )
        secrets = [{"name": name} for name in plan.limiter_pull_secrets]
        _add_missing(spec, "imagePullSecrets", secrets)
    if plan.is_gated:
        _add_missing(spec, "schedulingGates", [{"name": PLACEMENT_GATE}])
    if plan.runtime_class_name and not spec.get("runtimeClassName"):
        spec["runtimeClassName"] = plan.runtime_class_name
    if plan.priority_class and spec.get("priorityClassName") != plan.priority_class:
        spec["priorityClassName"] = plan.priority_class
        # Filled in for the class that the pod had; beside one of another value they are refused.
        spec.pop("priority", None)
        spec.pop("preemptionPolicy", None)


def _inject_container(container: dict[str, Any], plan: InjectionPlan) -> None:
    for amounts in (container.get("resources") or {}).values():
        for name in NATIVE_GPU_RESOURCES if isinstance(amounts, dict) else ():
            amounts.pop(name, None)
    environment = list(container.get("env") or ())
    if plan.is_limited:
        environment = with_preload(environment)
        mounts = [_mount(volume) for volume in VOLUMES]
        container["volumeMounts"] = with_ours(
            container.get("volumeMounts") or (), mounts, is_first=False
        )
    environment = with_environment(environment, plan.client_environment)
    if plan.is_limited:
        environment = with_environment(environment, LIMITER_ENVIRONMENT)
    if environment:
        container["env"] = environment


def _volume(volume: Volume) -> dict[str, Any]:
    medium = {} if volume.medium is Medium.DISK else {"medium": str(volume.medium)}
    return {"name": volume.name, "emptyDir": {**medium, "sizeLimit": volume.size_limit}}


def _mount(volume: Volume) -> dict[str, Any]:
    access = {"readOnly": True} if volume.is_read_only else {}
    return {"name": volume.name, "mountPath": volume.path, **access}


def _mapping(holder: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a mapping to write to, made where it is absent or null."""
    value: dict[str, Any] = holder.get(key) or {}
    holder[key] = value
    return value


def _set(
    metadata: dict[str, Any], key: str, stripped: Iterable[str], values: Mapping[str, str]
) -> None:
    old = metadata.get(key) or {}
    new = {name: value for name, value in old.items() if name not in stripped} | dict(values)
    if new or old:
        metadata[key] = new


def _add_missing(spec: dict[str, Any], key: str, items: Iterable[dict[str, Any]]) -> None:
    """Append to a list of named objects those whose name is not in it."""
    old = list(spec.get(key) or ())
    names = {item.get("name") for item in old}
    missing = [item for item in items if item["name"] not in names]
    if missing:
        spec[key] = [*old, *missing]
