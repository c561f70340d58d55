"""Whether the kinds of the project are known to the API server, and whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autoscaler.api.names import SCHEMA, SCHEMA_LABEL
from autoscaler.findings import Finding, Status
from autoscaler.kube.resource import (
    CONNECTIONS,
    CUSTOM_RESOURCE_DEFINITIONS,
    GPUS,
    POOLS,
    QUOTAS,
    WORKLOAD_PROFILES,
    WORKLOADS,
)

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer

CHECK = "kinds"
NAMES = tuple(
    f"{kind.plural}.{kind.group}"
    for kind in (WORKLOAD_PROFILES, WORKLOADS, POOLS, GPUS, QUOTAS, CONNECTIONS)
)
APPLY_KINDS = "apply them: kubectl apply --server-side -f deploy/crds"


def check_kinds(api: ApiServer, *, is_installed: bool) -> Finding:
    """Return what is known of our kinds.  Raises ``KubeError``."""
    found = {
        obj["metadata"]["name"]: obj
        for objects, _ in api.pages(CUSTOM_RESOURCE_DEFINITIONS)
        for obj in objects
        if obj["metadata"]["name"] in NAMES
    }
    strangers = tuple(name for name, obj in found.items() if not _is_ours(obj))
    missing = tuple(name for name in NAMES if name not in found)
    if not found and not is_installed:
        return _finding(
            Status.SKIPPED,
            "None of the project's kinds is installed; reports and the profile recommend-only "
            "need none.",
        )
    if strangers and is_installed:
        return _finding(
            Status.FAILED,
            "Kinds of this group belong to another operator, which drops fields of ours.",
            "Remove this installation and use the profile beside-upstream.",
            strangers,
        )
    if strangers:
        return _finding(
            Status.OK,
            "The kinds of this group belong to another operator: the profile beside-upstream "
            "reads them.",
        )
    if missing:
        text = "Kinds are not installed."
        return _finding(Status.FAILED, text, f"{APPLY_KINDS[0].upper()}{APPLY_KINDS[1:]}.", missing)
    unserved = tuple(name for name, obj in found.items() if not _is_established(obj))
    if unserved:
        return _finding(
            Status.FAILED,
            "Kinds are installed and not served.",
            "Look at their conditions: kubectl describe crd NAME.",
            unserved,
        )
    return _finding(Status.OK, f"All {len(NAMES)} kinds are installed and served.")


def _finding(
    status: Status, text: str, next_step: str = "", subjects: tuple[str, ...] = ()
) -> Finding:
    return Finding(
        check=CHECK, status=status, text=text, next_step=next_step, subjects=tuple(sorted(subjects))
    )


def _is_ours(definition: dict[str, Any]) -> bool:
    return (definition["metadata"].get("labels") or {}).get(SCHEMA_LABEL) == SCHEMA


def _is_established(definition: dict[str, Any]) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(
        each.get("type") == "Established" and each.get("status") == "True" for each in conditions
    )
