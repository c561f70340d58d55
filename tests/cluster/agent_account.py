"""The agent's account on a node: rights from the manifests, and a token that names the node.

Tokens of files name no node; the API server signs those of pods, as the kubelet asks it to.
"""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from autoscaler.api.names import AGENT_NAMESPACE, ServiceAccount
from tests.cluster.control_plane import ControlPlane
from tests.cluster.definitions import DEPLOY

MANIFESTS = DEPLOY / "kustomize" / "agent"


def agent_token(plane: ControlPlane, node: str, *, is_installed: bool = False) -> str:
    """Return a token of the agent of a node, which must exist; it is valid for an hour.

    Namespace, account and rights are made of the manifests, unless they are installed already.
    """
    for name in () if is_installed else ("namespace.yaml", "rbac.yaml"):
        plane.kubectl("apply", "-f", MANIFESTS / name).well()
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"agent-{node}", "namespace": AGENT_NAMESPACE},
        "spec": {
            "nodeName": node,
            "serviceAccountName": ServiceAccount.AGENT.value,
            "containers": [{"name": "agent", "image": "agent"}],
        },
    }
    plane.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(pod)).well()
    bound = ("--bound-object-kind=Pod", f"--bound-object-name=agent-{node}")
    account = ("token", ServiceAccount.AGENT, "-n", AGENT_NAMESPACE)
    return plane.kubectl("create", *account, *bound).well().out.strip()


def agent_kubeconfig(
    plane: ControlPlane, node: str, folder: Path, *, is_installed: bool = False
) -> Path:
    """Write a kubeconfig for the agent of a node and return its path; as ``agent_token``."""
    config = yaml.safe_load(plane.kubeconfig(ServiceAccount.AGENT).read_text(encoding="utf-8"))
    config["users"][0]["user"] = {"token": agent_token(plane, node, is_installed=is_installed)}
    path = folder / f"kubeconfig-of-agent-{node}"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path
