"""Which containers of a pod get the GPU, and how many whole GPUs the pod asks for natively.

Only entries of ``spec.containers`` are ever chosen: an init container or a sidecar starts before
the limiter's page is ready, and an ephemeral container has no resources.  What the chosen ones
get is in ``inject``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from autoscaler.api.names import INJECT_CONTAINER, NATIVE_GPU_RESOURCES
from autoscaler.webhook.admission import Object
from recommender.errors import InvalidValueError, Problem
from recommender.quantities import parse_quantity

_MOST_LISTED = 20
"""Names of containers in a message."""


class Choice(NamedTuple):
    """The containers that get the GPU."""

    names: tuple[str, ...]
    """In the order in which they were named; empty where there is a problem."""
    problems: tuple[Problem, ...]
    """Why the pod is refused."""
    warnings: tuple[str, ...]


def choose_containers(pod: Object, annotation: str | None) -> Choice:
    """Return the containers that ``inject-container`` names, or the ones it stands for.

    Without the annotation (absent, empty) it is the only container, else those with native GPU
    limits.  A name that does not exist, and a choice that cannot be made, are problems.
    """
    names = tuple(
        dict.fromkeys(part for raw in (annotation or "").split(",") if (part := raw.strip()))
    )
    problems = _problems(pod, names)
    if problems:
        return Choice((), problems, ())
    chosen = names or _implied(pod)
    if not chosen:
        return Choice((), (_undecided(pod),), ())
    return Choice(chosen, (), tuple(_double_booked(pod, frozenset(chosen))))


def native_gpus(pod: Object) -> int:
    """Return how many GPUs the containers ask a device plugin for, summed over their limits.

    A fraction, which the API server refuses, counts as the next whole number.
    """
    return sum(_native_gpus_of(container) for container in containers_of(pod))


def containers_of(pod: Object, kind: str = "containers") -> list[dict[str, Any]]:
    """Return a list of ``spec``; empty where it is absent or null."""
    return list((pod.get("spec") or {}).get(kind) or ())


def _problems(pod: Object, names: tuple[str, ...]) -> tuple[Problem, ...]:
    existing = _names(containers_of(pod))
    if not existing:
        return (Problem("spec.containers", "empty; allowed: at least one container"),)
    known = frozenset(existing)
    unknown = [name for name in names if name not in known]
    inits = {container.get("name"): container for container in containers_of(pod, "initContainers")}
    allowed = _listed(existing)
    return tuple(_unknown(name, inits, allowed) for name in unknown)


def _unknown(name: str, inits: Mapping[Any, Object], allowed: str) -> Problem:
    if name not in inits:
        what = "no container of this pod"
    elif inits[name].get("restartPolicy") == "Always":
        what = "a sidecar (an init container with restartPolicy Always)"
    else:
        what = "an init container"
    return Problem(INJECT_CONTAINER, f"{name!r} is {what}; allowed: {allowed}")


def _implied(pod: Object) -> tuple[str, ...]:
    containers = containers_of(pod)
    if len(containers) == 1:
        return tuple(_names(containers))
    return tuple(_names(container for container in containers if _native_gpus_of(container)))


def _undecided(pod: Object) -> Problem:
    existing = _names(containers_of(pod))
    return Problem(
        INJECT_CONTAINER,
        f"not set, and the pod has {len(existing)} containers of which none "
        f"has a native GPU limit; allowed: some of {_listed(existing)}, separated by commas",
    )


def _double_booked(pod: Object, chosen: frozenset[str]) -> Iterator[str]:
    others = [item for item in containers_of(pod) if item.get("name") not in chosen]
    for container in others:
        yield from _keeps_gpus(container, f"name it in {INJECT_CONTAINER} or remove its GPU limit")
    for container in containers_of(pod, "initContainers"):
        yield from _keeps_gpus(container, "remove its GPU limit")


def _keeps_gpus(container: Object, remedy: str) -> Iterator[str]:
    count = _native_gpus_of(container)
    if count:
        yield (
            f"container {container.get('name')!r} keeps {count} GPU{'s' * (count > 1)} of the "
            f"device plugin besides the shared GPU of this pod; {remedy}"
        )


def _native_gpus_of(container: Object) -> int:
    limits = (container.get("resources") or {}).get("limits") or {}
    return sum(_count(limits[name]) for name in NATIVE_GPU_RESOURCES if name in limits)


def _count(value: object) -> int:
    try:
        amount = parse_quantity(str(value))
    except (
        InvalidValueError
    ):  # the API server has refused it already; a template may still carry it
        return 0
    return max(0, math.ceil(amount))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more


def _names(containers: Iterable[Object]) -> list[str]:
    return [str(container.get("name")) for container in containers]
