"""The init container that brings the limiter's library into a pod.

It must pass wherever the pod itself passes: Pod Security *restricted*, a ResourceQuota that demands
amounts, a LimitRange with a minimum; and it must not change the pod's class (Guaranteed stays
Guaranteed, BestEffort stays BestEffort) nor, as a rule, what the scheduler has to find.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from autoscaler.api.injection import INIT_COMMAND, INIT_CONTAINER, VOLUMES
from autoscaler.webhook.admission import Object
from autoscaler.webhook.named_items import with_ours
from recommender.errors import InvalidValueError
from recommender.quantities import parse_quantity

SMALLEST_AMOUNTS = MappingProxyType({"cpu": "50m", "memory": "32Mi", "ephemeral-storage": "32Mi"})
"""Enough to copy one library and to wait; quantities."""
_WRITTEN_VOLUME = "tf-lib"
_READ_VOLUME = "tf-ctl"
_SECURITY_CONTEXT = MappingProxyType(
    {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsGroup": 65532,
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
)
"""All that *restricted* asks for, and a user of its own: the pod's may be root."""


def with_limiter_container(
    spec: Object, *, image: str, pull_policy: str, resources: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the init containers of a pod spec with ours, before those of the user.

    An earlier one of ours is brought up to date where it is; what admission plugins and other
    webhooks added to it (token mounts, default amounts, the pull policy) stays, for they may not
    come again.
    """
    old = [dict(item) for item in spec.get("initContainers") or ()]
    earlier = next((item for item in old if item.get("name") == INIT_CONTAINER), {})
    defaults = {
        "imagePullPolicy": pull_policy or "IfNotPresent",
        "resources": _equal(_stated(resources) or _amounts(spec.get("containers") or ())),
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    ours = {
        "name": INIT_CONTAINER,
        "image": image,
        "command": list(INIT_COMMAND),
        "securityContext": copy.deepcopy(dict(_SECURITY_CONTEXT)),
        "volumeMounts": _with_mounts(earlier),
    }
    kept = {key: value for key, value in earlier.items() if key not in {"args", "restartPolicy"}}
    return with_ours(old, [{**defaults, **kept, **ours}], is_first=True)


def _mounts() -> list[dict[str, Any]]:
    paths = {volume.name: volume.path for volume in VOLUMES}
    return [
        {"name": _WRITTEN_VOLUME, "mountPath": paths[_WRITTEN_VOLUME]},
        {"name": _READ_VOLUME, "mountPath": paths[_READ_VOLUME], "readOnly": True},
    ]


def _with_mounts(earlier: Object) -> list[dict[str, Any]]:
    """Return our mounts, and those that others added, but for the volumes that are not for us."""
    ours = _mounts()
    strange = {volume.name for volume in VOLUMES} - {mount["name"] for mount in ours}
    mounts = earlier.get("volumeMounts") or ()
    kept = [mount for mount in mounts if mount.get("name") not in strange]
    return with_ours(kept, ours, is_first=True)


def _stated(resources: Mapping[str, Any]) -> dict[str, Any]:
    return {**(resources.get("requests") or {}), **(resources.get("limits") or {})}


def _equal(amounts: Mapping[str, Any]) -> dict[str, Any]:
    return {"requests": dict(amounts), "limits": dict(amounts)} if amounts else {}


def _amounts(containers: Iterable[Object]) -> dict[str, Any]:
    """Return of each amount that a container states a small one.

    It is the least that any container requests, because a LimitRange that lets the pod in has
    accepted it, but never too little to work; the sum over the containers is not less, so the
    scheduler looks for no more than before.
    """
    resources = [container.get("resources") or {} for container in containers]
    return {
        name: _larger(_least_requested(resources, name), smallest)
        for name, smallest in SMALLEST_AMOUNTS.items()
        if _least_requested(resources, name)
    }


def _least_requested(resources: Iterable[Mapping[str, Any]], name: str) -> str:
    stated = [
        str(value)
        for each in resources
        if (value := (each.get("requests") or {}).get(name) or (each.get("limits") or {}).get(name))
    ]
    return min(stated, key=_number, default="")


def _larger(stated: str, smallest: str) -> str:
    return max(stated, smallest, key=_number)


def _number(quantity: str) -> float:
    try:
        return float(parse_quantity(quantity))
    except InvalidValueError:  # the API server refuses it with its own words
        return 0.0
