"""Definitions of an upstream operator's kinds, as far as its autoscaling goes.

They are structural: fields that the operator does not know are pruned, ours among them.  Conditions
have the checks of Kubernetes' own ``Condition``, which a reason of several words does not pass.
"""

from __future__ import annotations

import json
from typing import Any

from autoscaler.api.names import GROUP
from tests.cluster.control_plane import ControlPlane
from tests.components.processes import until

QUANTITY = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
AMOUNTS = {
    "type": "object",
    "properties": {"tflops": QUANTITY, "vram": QUANTITY, "compute": QUANTITY},
}
RESOURCES = {"type": "object", "properties": {"requests": AMOUNTS, "limits": AMOUNTS}}
TEXT = {"type": "string"}
EXTERNAL = {
    "enable": {"type": "boolean"},
    "url": TEXT,
    "apiKeySecretRef": {"type": "object", "properties": {"name": TEXT, "namespace": TEXT}},
    "initialDelayPeriod": TEXT,
    "interval": TEXT,
}
AUTO_SCALING = {
    "type": "object",
    "properties": {
        "autoSetResources": {
            "type": "object",
            "properties": {"enable": {"type": "boolean"}, "targetResource": TEXT},
        },
        "externalScaler": {"type": "object", "properties": EXTERNAL},
    },
}
CONDITION = {
    "type": "object",
    "required": ["type", "status", "reason", "message", "lastTransitionTime"],
    "properties": {
        "type": TEXT,
        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
        "reason": {
            "type": "string",
            "minLength": 1,
            "maxLength": 1024,
            "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        },
        "message": {"type": "string", "maxLength": 32768},
        "lastTransitionTime": {"type": "string", "format": "date-time"},
    },
}
WORKLOAD = {
    "spec": {
        "type": "object",
        "properties": {
            "replicas": {"type": "integer"},
            "resources": RESOURCES,
            "autoScalingConfig": AUTO_SCALING,
        },
    },
    "status": {
        "type": "object",
        "properties": {
            "recommendation": RESOURCES,
            "appliedRecommendedReplicas": {"type": "integer"},
            "conditions": {"type": "array", "items": CONDITION},
        },
    },
}
GPU = {
    "status": {
        "type": "object",
        "properties": {
            "phase": TEXT,
            "gpuModel": TEXT,
            "usedBy": TEXT,
            "capacity": AMOUNTS,
            "available": AMOUNTS,
        },
    },
}


def install_upstream_definitions(plane: ControlPlane) -> None:
    """Create the definitions and wait until their kinds are served."""
    definitions = [
        _definition("tensorfusionworkloads", "TensorFusionWorkload", "Namespaced", WORKLOAD),
        _definition("gpus", "GPU", "Cluster", GPU),
    ]
    document = {"apiVersion": "v1", "kind": "List", "items": definitions}
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(document)).well()
    expected = {f"{each['metadata']['name']}" for each in definitions}

    def are_served() -> bool:
        listed = plane.kubectl("api-resources", f"--api-group={GROUP}", "--output=name")
        return expected <= set(listed.out.split())

    until(are_served, what="the kinds of the operator are served")


def _definition(plural: str, kind: str, scope: str, properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object", "properties": properties}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": schema,
        "subresources": {"status": {}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "scope": scope,
            "versions": [version],
        },
    }
