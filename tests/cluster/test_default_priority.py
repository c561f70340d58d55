"""A cluster whose administrator made a PriorityClass the global default."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cluster.control_plane import ControlPlane
from tests.cluster.spaces import Space
from tests.cluster.webhook_process import WebhookProcess, enabled_pod
from tests.components.processes import until

AMOUNTS = {"tflops_limit": "10", "vram_limit": "1Gi"}


@pytest.fixture
def standard(control_plane: ControlPlane, webhook: WebhookProcess) -> Iterator[str]:
    """Make a class the global default for one test, and wait until everybody knows."""
    name = "standard-of-the-cluster"
    made = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": 7,
        "globalDefault": True,
    }
    control_plane.kubectl("create", "-f", "-", stdin=json.dumps(made)).well()
    try:
        yield name
    finally:
        control_plane.kubectl("delete", "priorityclass", name).well()


def class_and_priority(space: Space, qos: str, **spec: str) -> tuple[str | None, int]:
    pod = enabled_pod("it", qos=qos, **AMOUNTS)
    made = space.create({**pod, "spec": {**pod["spec"], **spec}}, "--dry-run=server").json["spec"]
    return made.get("priorityClassName"), made["priority"]


def test_a_quality_of_service_wins_over_the_global_default_and_not_over_a_class_of_the_pod(
    space: Space, standard: str
) -> None:
    until(
        lambda: class_and_priority(space, "low") == (standard, 7),
        what="pods get the global default",
    )
    high = space.plane.kubectl("get", "priorityclass", "tensor-fusion-high", "-o", "json").json
    until(
        lambda: class_and_priority(space, "high") == ("tensor-fusion-high", high["value"]),
        what="the webhook knows the global default",
    )
    own = class_and_priority(space, "high", priorityClassName="tensor-fusion-critical")
    assert own[0] == "tensor-fusion-critical"
