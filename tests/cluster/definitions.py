"""The kinds in a cluster of the tests: their definitions as they are shipped, and objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from autoscaler.api.kinds import KINDS
from autoscaler.api.names import API_VERSION, GROUP
from tests.cluster.control_plane import ControlPlane
from tests.components.processes import until

DEPLOY = Path(__file__).parents[2] / "deploy"
NUMBERS = count(1)


def install_definitions(plane: ControlPlane) -> None:
    """Apply the shipped definitions and wait until the kinds are served; safe to repeat."""
    plane.kubectl("apply", "--filename", DEPLOY / "crds").well()
    expected = {kind.full_name for kind in KINDS}

    def are_served() -> bool:
        listed = plane.kubectl("api-resources", f"--api-group={GROUP}", "--output=name")
        return expected <= set(listed.out.split())

    until(are_served, what="the kinds are served")


def custom_object(spec: Mapping[str, Any], kind: str = "WorkloadProfile") -> dict[str, Any]:
    """Return an object of ours with a name of its own."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": f"object-{next(NUMBERS)}"},
        "spec": spec,
    }


def created(plane: ControlPlane, namespace: str, obj: Mapping[str, Any]) -> dict[str, Any]:
    """Create an object and return how the server keeps it."""
    arguments = ("create", "--namespace", namespace, "-f", "-", "-o", "json")
    kept: dict[str, Any] = plane.kubectl(*arguments, stdin=json.dumps(obj)).json
    return kept
