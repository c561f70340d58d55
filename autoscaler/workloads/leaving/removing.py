"""The end of all data: our definitions are deleted, and with them every object of their kinds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from autoscaler.api.names import SCHEMA, SCHEMA_LABEL
from autoscaler.errors import AutoscalerError, NotFoundError
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.resource import CUSTOM_RESOURCE_DEFINITIONS
from autoscaler.workloads.leaving.remaining import OURS, Remaining, objects_of

LOOK_EVERY_S = 0.5
MOST_S = 120.0
"""The API server deletes some hundred objects a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doomed:
    """A definition, and what goes with it."""

    name: str
    uid: str
    objects: Remaining


def doomed(api: ApiServer) -> tuple[Doomed, ...]:
    """Return our definitions in the cluster; those of other operators, without our label, are none.

    Raises ``KubeError``.
    """
    ours = {f"{resource.plural}.{resource.group}": resource for resource in OURS}
    selector = f"{SCHEMA_LABEL}={SCHEMA}"
    return tuple(
        Doomed(
            name=name,
            uid=definition["metadata"]["uid"],
            objects=objects_of(api, ours[name]),
        )
        for page, _ in api.pages(CUSTOM_RESOURCE_DEFINITIONS, label_selector=selector)
        for definition in page
        if (name := definition["metadata"]["name"]) in ours
    )


def remove(
    api: ApiServer,
    definitions: tuple[Doomed, ...],
    *,
    wait: Callable[[float], None] = time.sleep,
    steady_s: Callable[[], float] = time.monotonic,
) -> None:
    """Delete definitions, and wait until they are gone.

    Raises ``AutoscalerError`` where one is still there after ``MOST_S``, and ``KubeError``.
    """
    for each in definitions:
        if _is_there(api, each):
            api.delete(CUSTOM_RESOURCE_DEFINITIONS, each.name, uid=each.uid)
    end_s = steady_s() + MOST_S
    while left := [each.name for each in definitions if _is_there(api, each)]:
        if steady_s() > end_s:
            raise AutoscalerError(
                f"CustomResourceDefinition {', '.join(left)} is still being deleted after "
                f"{MOST_S:.0f} s; look at finalizers of its objects, which somebody else set"
            )
        wait(LOOK_EVERY_S)


def _is_there(api: ApiServer, each: Doomed) -> bool:
    try:
        live = api.get(CUSTOM_RESOURCE_DEFINITIONS, each.name, is_metadata_only=True)
    except NotFoundError:
        return False
    return bool(live["metadata"]["uid"] == each.uid)
