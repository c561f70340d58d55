"""Reasons why a pod cannot be injected: it uses our names for something else, or cannot carry it.

The limiter's pages are told apart by the names of their volumes, so nobody else may use those.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import Any

from autoscaler.api.injection import INIT_COMMAND, INIT_CONTAINER, PRELOAD, ROOT, VOLUMES
from autoscaler.webhook.admission import Object
from autoscaler.webhook.containers import containers_of
from autoscaler.webhook.environment import preload_entry
from recommender.errors import Problem

_OURS = {volume.name: volume for volume in VOLUMES}


def injection_problems(
    pod: Object, containers: Sequence[str], *, is_limited: bool, is_gated: bool
) -> tuple[Problem, ...]:
    """Return why the pod is refused; each names the field, its value and what is allowed.

    ``is_limited``: the named containers get the limiter; ``is_gated``: the pod waits for a GPU.
    """
    problems = [*_platform(pod), *(_node(pod) if is_gated else ())]
    if is_limited:
        problems += [*_volumes(pod), *_containers(pod, frozenset(containers))]
    return tuple(problems)


def _platform(pod: Object) -> Iterator[Problem]:
    name = (((pod.get("spec") or {}).get("os")) or {}).get("name")
    if name == "windows":
        yield Problem(
            "spec.os.name", f"{name!r} is not supported with a shared GPU; allowed: 'linux'"
        )


def _node(pod: Object) -> Iterator[Problem]:
    name = (pod.get("spec") or {}).get("nodeName")
    if name:
        yield Problem(
            "spec.nodeName",
            f"{name!r} cannot be set on a pod that waits for a GPU; allowed: "
            "nothing, or spec.nodeSelector with kubernetes.io/hostname",
        )


def _volumes(pod: Object) -> Iterator[Problem]:
    for index, volume in enumerate(containers_of(pod, "volumes")):
        name = volume.get("name")
        if name in _OURS and not isinstance(volume.get("emptyDir"), dict):
            yield Problem(
                f"spec.volumes[{index}].name",
                f"{name!r} is reserved for the limiter; allowed: any "
                f"name other than {', '.join(_OURS)}",
            )


def _containers(pod: Object, injected: frozenset[str]) -> Iterator[Problem]:
    for kind in ("initContainers", "containers"):
        for container in containers_of(pod, kind):
            name = str(container.get("name"))
            where = f"spec.{kind} {name!r}"
            if name == INIT_CONTAINER:
                yield from _limiter(where, container, kind)
            elif kind == "containers" and name in injected:
                yield from _injected_mounts(where, container)
                yield from _preload(where, container)
            else:
                yield from _foreign_mounts(where, container)


def _limiter(where: str, container: Object, kind: str) -> Iterator[Problem]:
    """Accept an init container that an earlier admission made (its mounts are made anew)."""
    if kind == "containers" or container.get("command") != list(INIT_COMMAND):
        yield Problem(where, "the name is reserved for the limiter; allowed: any other name")
    yield from _mounts_below_root(where, container)


def _injected_mounts(where: str, container: Object) -> Iterator[Problem]:
    for mount in container.get("volumeMounts") or ():
        if mount.get("name") in _OURS and not _is_ours(mount):
            yield Problem(
                where,
                f"mounts {mount['name']!r} at {mount.get('mountPath')!r} in another way "
                "than the limiter does; allowed: leave the mount out, it is added",
            )
    yield from _mounts_below_root(where, container)


def _foreign_mounts(where: str, container: Object) -> Iterator[Problem]:
    for mount in container.get("volumeMounts") or ():
        if mount.get("name") in _OURS:
            yield Problem(
                where,
                f"mounts {mount['name']!r}, which is reserved for the limiter; allowed: "
                f"volumes other than {', '.join(_OURS)}",
            )


def _mounts_below_root(where: str, container: Object) -> Iterator[Problem]:
    for mount in container.get("volumeMounts") or ():
        path = str(mount.get("mountPath"))
        if mount.get("name") not in _OURS and _is_below_root(path):
            yield Problem(
                where,
                f"mounts {mount.get('name')!r} at {path!r}; allowed: paths outside of "
                f"{ROOT}, which is the limiter's",
            )


def _preload(where: str, container: Object) -> Iterator[Problem]:
    entry = preload_entry(container.get("env") or ())
    if entry is not None and "valueFrom" in entry:
        yield Problem(
            where,
            f"env {PRELOAD} takes its value from elsewhere (valueFrom), so that the "
            "limiter cannot be added to it; allowed: a literal value, or no such entry",
        )


def _is_ours(mount: dict[str, Any]) -> bool:
    volume = _OURS[str(mount["name"])]
    stated = {key: value for key, value in mount.items() if value}
    access = {"readOnly": True} if volume.is_read_only else {}
    return stated == {"name": volume.name, "mountPath": volume.path, **access}


def _is_below_root(path: str) -> bool:
    whole = posixpath.normpath("/" + path.lstrip("/"))
    return whole == ROOT or whole.startswith(f"{ROOT}/")
