"""A namespace whose tenant may write any pod, with a worker in it: what policies are tried on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from autoscaler.api.names import (
    COMPONENT,
    ENABLED,
    GPU_IDS,
    NAMESPACE,
    PLACEMENT_GATE,
    POOL_LABEL,
    PREFIX,
    SOURCES,
    WORKLOAD_LABEL,
    ServiceAccount,
)
from tests.cluster.control_plane import ControlPlane
from tests.cluster.rest import MERGE_PATCH, Rest, RestError
from tests.components.processes import until

POLICIES = Path(__file__).parents[2] / "deploy" / "kustomize" / "policies"
TENANT, CONTROLLER = "alice", "controller"
TEAM = "tenants-of-policies"
PODS = f"/api/v1/namespaces/{TEAM}/pods"
WORKER = "worker"
ANNOTATIONS = {
    f"{PREFIX}tflops-request": "10",
    f"{PREFIX}tflops-limit": "20",
    f"{PREFIX}vram-request": "4Gi",
    f"{PREFIX}vram-limit": "4Gi",
    f"{PREFIX}declared-tflops-request": "10",
    f"{PREFIX}declared-tflops-limit": "20",
    f"{PREFIX}declared-vram-limit": "4Gi",
    SOURCES: "{}",
    f"{PREFIX}mode": "embedded",
}


def pod(name: str, *, labels: Mapping[str, str], **fields: Any) -> dict[str, Any]:
    """Return a pod with these labels; ``annotations`` and ``gates`` among the fields."""
    gates = [{"name": gate} for gate in fields.get("gates", ())]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": TEAM,
            "labels": dict(labels),
            "annotations": fields.get("annotations", {}),
        },
        "spec": {
            "schedulingGates": gates,
            "containers": [{"name": "main", "image": "cuda"}],
            "volumes": [{"name": "tf-ctl", "emptyDir": {}}, {"name": "tf-use", "emptyDir": {}}],
        },
    }


def admitted(name: str) -> dict[str, Any]:
    """Return a pod as admission leaves it: the policies are evaluated after that."""
    labels = {ENABLED: "true", COMPONENT: "worker", WORKLOAD_LABEL: "w", POOL_LABEL: "p"}
    return pod(name, labels=labels, annotations=ANNOTATIONS, gates=[PLACEMENT_GATE])


def role() -> str:
    """Return a Role that allows everything with pods, and its bindings, as YAML."""
    user = f"system:serviceaccount:{NAMESPACE}:{ServiceAccount.CONTROLLER}"
    subjects = [
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": each}
        for each in (TENANT, user)
    ]
    subresources = ("status", "ephemeralcontainers", "resize", "binding", "eviction")
    below = [f"pods/{name}" for name in subresources]
    rules = [{"apiGroups": [""], "resources": ["pods", *below, "bindings"], "verbs": ["*"]}]
    metadata = {"name": "pods", "namespace": TEAM}
    api = "rbac.authorization.k8s.io/v1"
    of = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "pods"}
    return yaml.safe_dump_all(
        [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": TEAM}},
            {"apiVersion": api, "kind": "Role", "metadata": metadata, "rules": rules},
            {
                "apiVersion": api,
                "kind": "RoleBinding",
                "metadata": metadata,
                "roleRef": of,
                "subjects": subjects,
            },
        ]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A namespace with one worker that the controller placed, and its users."""

    plane: ControlPlane
    tenant: Rest
    controller: Rest

    def error(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any],
        *,
        by: Rest | None = None,
        content_type: str = "application/json",
    ) -> str:
        """Try a request without effect; return why a policy denies it, empty where none does."""
        try:
            (by or self.tenant).request(
                method, f"{path}?dryRun=All", body, content_type=content_type
            )
        except RestError as error:
            if "ValidatingAdmissionPolicy" not in str(error):
                raise
            return str(error)
        return ""

    def patch_error(
        self, metadata: Mapping[str, Any], *, subresource: str = "", by: Rest | None = None
    ) -> str:
        """Try to patch the worker's metadata; return as ``error`` does."""
        path = f"{PODS}/{WORKER}{subresource}"
        body = {"metadata": metadata}
        return self.error("PATCH", path, body, by=by, content_type=MERGE_PATCH)


@contextmanager
def guarded_team(plane: ControlPlane) -> Iterator[Team]:
    """Apply the policies, make the worker, and wait until everything is in force."""
    plane.kubectl("apply", "-k", POLICIES).well()
    plane.kubectl("apply", "-f", "-", stdin=role()).well()
    with (
        closing(Rest(plane, user=TENANT)) as tenant,
        closing(Rest(plane, user=CONTROLLER)) as controller,
    ):
        made = Team(plane=plane, tenant=tenant, controller=controller)
        forged = pod("forged", labels={COMPONENT: "worker"})
        until(lambda: made.error("POST", PODS, forged), what="forged pods are denied")
        tenant.request("POST", PODS, admitted(WORKER))
        until(lambda: made.patch_error({"labels": {COMPONENT: None}}), what="changes are denied")
        binding = binding_to("node", annotations={GPU_IDS: "GPU-0"})
        until(
            lambda: made.error("POST", f"{PODS}/{WORKER}/binding", binding),
            what="bindings are denied",
        )
        _wait_for_the_limits_of_the_controller(made)
        placed = {"metadata": {"annotations": {GPU_IDS: "GPU-1", f"{PREFIX}gpu-peak-vram": "80"}}}
        controller.request("PATCH", f"{PODS}/{WORKER}", placed, content_type=MERGE_PATCH)
        yield made
    plane.kubectl("delete", "-k", POLICIES).well()
    # Another module makes it again.
    plane.kubectl("delete", "namespace", TEAM).well()


def _wait_for_the_limits_of_the_controller(team: Team) -> None:
    by = team.controller
    until(
        lambda: team.error("POST", PODS, pod("any", labels={}), by=by),
        what="pods of the controller are limited",
    )
    until(
        lambda: team.patch_error({"labels": {"team": "blue"}}, by=by),
        what="changes of the controller are limited",
    )
    until(
        lambda: team.patch_error({"labels": {}}, subresource="/status", by=by),
        what="the reach of the controller is limited",
    )


def binding_to(node: str, **metadata: Any) -> dict[str, Any]:
    """Return a binding of the worker."""
    return {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": WORKER, "namespace": TEAM, **metadata},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    }
