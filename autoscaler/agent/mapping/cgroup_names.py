"""What the path of a process's cgroup says: the pod and the container, in all shapes in use.

The kernel tells the path, and nobody in a container can change how it begins.  What stands further
inside may be of a tenant's making, so that only the outermost names count.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

POD = re.compile(
    r"(?:^|[-/])pod(?P<uid>[0-9a-f]{8}(?P<dash>[-_])(?:[0-9a-f]{4}(?P=dash)){3}[0-9a-f]{12}"
    r"|[0-9a-f]{32})(?=\.slice|[/:]|$)"
)
"""``pod<UID>``; with underscores under systemd, 32 digits without dashes for a static pod."""
CONTAINER = re.compile(r"(?:^|[-/:])(?P<id>[0-9a-f]{64})(?=\.scope|[/:]|$)")
"""An ID behind ``cri-containerd-``, ``crio-``, ``docker-``, ``libpod-`` or nothing."""
UNIFIED = "0::"
PREFERRED = ("memory", "pids", "name=systemd")
"""Controllers of the first version that container runtimes always use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupName:
    """The outermost pod that a path runs through, or the outermost container outside of pods."""

    pod_uid: str
    """As ``metadata.uid`` spells it; empty where the path names no pod."""
    container_id: str
    """In that pod, where there is one; empty where the path names no container."""


def name_in(path: str) -> CgroupName | None:
    """Return what a path runs through; None where it names neither pod nor container."""
    pod = POD.search(path)
    container = CONTAINER.search(path, pod.end() if pod else 0)
    if pod is None and container is None:
        return None
    return CgroupName(
        pod_uid=pod["uid"].replace("_", "-") if pod else "",
        container_id=container["id"] if container else "",
    )


def name_of(cgroup: str) -> CgroupName | None:
    """Return what ``/proc/<pid>/cgroup`` says.

    The unified hierarchy is asked first; where it names nothing, those of the first version are.
    """
    # A name may hold all that ends a line of text but "\n", which the kernel refuses.
    return next((name for path in _paths(cgroup.split("\n")) if (name := name_in(path))), None)


def _paths(lines: Iterable[str]) -> Iterator[str]:
    by_controller: dict[str, str] = {}
    for line in lines:
        if line.startswith(UNIFIED):
            yield line.removeprefix(UNIFIED)
            continue
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        by_controller.update(dict.fromkeys(controllers.split(","), path))
    for controller in PREFERRED:
        if controller in by_controller:
            yield by_controller.pop(controller)
    yield from by_controller.values()
