"""What stands still in the cluster: switches that hold everything back, and pods not made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autoscaler.api.control import ProcessMode, control_from
from autoscaler.api.names import CONTROL_CONFIG_MAP, ENABLED, PAUSED
from autoscaler.errors import NotFoundError
from autoscaler.findings import Finding, Status, first_named
from autoscaler.kube.condition import find_condition
from autoscaler.kube.resource import CONFIG_MAPS, POOLS, REPLICA_SETS, WORKLOADS, Resource

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer

MODE, PAUSES, BACK_OFF = "mode", "pauses", "back-off"


def check_mode(api: ApiServer, *, namespace: str, is_installed: bool) -> Finding:
    """Return how far the installation may go.  Raises ``KubeError``."""
    config_map = _control(api, namespace)
    if config_map is None and not is_installed:
        text = "Nothing is installed that could change a workload."
        return Finding(check=MODE, status=Status.SKIPPED, text=text)
    control = control_from(config_map)
    where = f"ConfigMap {namespace}/{CONTROL_CONFIG_MAP}"
    if config_map is None:
        return Finding(
            check=MODE,
            status=Status.WARNING,
            text=f"{where} is missing, which counts as mode recommend.",
            next_step="Apply deploy/kustomize.",
        )
    if control.problem:
        return Finding(
            check=MODE,
            status=Status.WARNING,
            text=f"{where}: {control.problem}; the safer reading counts.",
            next_step=f"kubectl -n {namespace} edit configmap {CONTROL_CONFIG_MAP}",
        )
    meaning = (
        "enrolled workloads are changed"
        if control.mode is ProcessMode.APPLY
        else "recommendations are made, and nothing is changed"
    )
    return Finding(check=MODE, status=Status.OK, text=f"{where}: mode {control.mode}: {meaning}.")


def check_pauses(api: ApiServer, *, namespace: str) -> Finding:
    """Return what is paused.  Raises ``KubeError``."""
    if control_from(_control(api, namespace)).is_paused:
        return Finding(
            check=PAUSES,
            status=Status.WARNING,
            text="Everything is paused: no running worker is changed.",
            next_step=f"kubectl -n {namespace} patch configmap {CONTROL_CONFIG_MAP} --type=merge "
            """-p '{"data":{"paused":"false"}}'""",
        )
    paused = (*_paused(api, POOLS), *_paused(api, WORKLOADS))
    if paused:
        return Finding(
            check=PAUSES,
            status=Status.WARNING,
            text=f"Paused by the annotation {PAUSED}: their workers are not changed.",
            next_step=f"kubectl annotate KIND NAME {PAUSED}- ends a pause.",
            subjects=first_named(paused),
        )
    return Finding(check=PAUSES, status=Status.OK, text="Nothing is paused.")


def check_back_off(api: ApiServer) -> Finding:
    """Return which ReplicaSets with our label cannot make their pods.  Raises ``KubeError``."""
    failing: list[str] = []
    message = ""
    for objects, _ in api.pages(REPLICA_SETS, label_selector=f"{ENABLED}=true"):
        for replica_set in objects:
            failure = find_condition(replica_set, "ReplicaFailure")
            if failure is not None and failure.get("status") == "True":
                failing.append(_title(replica_set))
                message = message or str(failure.get("message") or failure.get("reason"))
    if not failing:
        text = "Every ReplicaSet with our label could make its pods."
        return Finding(check=BACK_OFF, status=Status.OK, text=text)
    return Finding(
        check=BACK_OFF,
        status=Status.WARNING,
        text=f"{len(failing)} ReplicaSets with our label cannot make pods, and try again ever more "
        f"rarely, up to 1000 s apart. The first says: {message}",
        next_step="Mend what the message says; kubectl rollout restart of the Deployment then "
        "makes a new ReplicaSet, which starts at once.",
        subjects=first_named(failing),
    )


def _control(api: ApiServer, namespace: str) -> dict[str, Any] | None:
    try:
        return api.get(CONFIG_MAPS, CONTROL_CONFIG_MAP, namespace)
    except NotFoundError:
        return None


def _paused(api: ApiServer, resource: Resource) -> list[str]:
    """Return the paused objects of a kind; none where there is no such kind."""
    try:
        return [
            f"{resource.kind} {_title(obj)}"
            for objects, _ in api.pages(resource, is_metadata_only=True)
            for obj in objects
            if (obj["metadata"].get("annotations") or {}).get(PAUSED) == "true"
        ]
    except NotFoundError:
        return []


def _title(obj: dict[str, Any]) -> str:
    metadata = obj["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])
