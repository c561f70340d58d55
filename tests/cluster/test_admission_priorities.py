"""Priority classes of admitted pods, as the API server's own admission of priorities sees them."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from autoscaler.api.names import PRIORITY_CLASSES
from tests.cluster.webhook_process import enabled_pod, install
from tests.components.processes import until

AMOUNTS = {
    "is_local_gpu": "true",
    "tflops_request": "10",
    "tflops_limit": "20",
    "vram_limit": "4Gi",
}
VALUES = {"high": 10000, "critical": 100000}


def priority(pod):
    spec = pod["spec"]
    return spec.get("priorityClassName"), spec["priority"], spec["preemptionPolicy"]


def requested(qos, **spec):
    pod = enabled_pod("chat", qos=qos, **AMOUNTS)
    return {**pod, "spec": {**pod["spec"], **spec}}


@contextmanager
def without_class(plane, name):
    plane.kubectl("delete", "priorityclass", name).well()
    try:
        yield
    finally:
        install(plane)


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize("level", VALUES)
def test_a_pod_of_a_high_level_gets_our_class_and_evicts_nobody(level, space):
    pod = space.create(requested(level)).json

    assert priority(pod) == (PRIORITY_CLASSES[level], VALUES[level], "Never")


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize("level", ["low", "medium"])
def test_a_pod_of_another_level_keeps_the_priority_that_it_has(level, space):
    assert priority(space.create(requested(level)).json) == (None, 0, "PreemptLowerPriority")


@pytest.mark.usefixtures("webhook")
def test_the_class_that_a_pod_names_stays(space):
    pod = space.create(requested("high", priorityClassName="system-node-critical")).json

    assert priority(pod) == ("system-node-critical", 2000001000, "PreemptLowerPriority")


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize(
    "computed",
    [
        {"priority": 0},
        {"priority": 0, "preemptionPolicy": "PreemptLowerPriority"},
        {
            "priorityClassName": "tensor-fusion-high",
            "priority": 10000,
            "preemptionPolicy": "Never",
        },
    ],
    ids=["zero", "zero and a policy", "our class"],
)
def test_a_copy_that_carries_a_computed_priority_is_admitted(computed, space):
    pod = space.create(requested("high", **computed)).json

    assert priority(pod) == ("tensor-fusion-high", 10000, "Never")


@pytest.mark.usefixtures("webhook")
def test_a_pod_is_admitted_with_a_warning_where_the_class_does_not_exist(space, control_plane):
    with without_class(control_plane, "tensor-fusion-high"):
        ended = until(
            lambda: (
                (made := space.create(requested("high"), "--dry-run=server")).code == 0 and made
            ),
            what="the webhook has heard that the class is gone",
        )

        assert priority(ended.json) == (None, 0, "PreemptLowerPriority")
        assert "qos high: PriorityClass tensor-fusion-high does not exist" in ended.err
    until(
        lambda: priority(space.create(requested("high"), "--dry-run=server").json)[1] == 10000,
        what="the webhook has heard of the class",
    )


@pytest.mark.usefixtures("webhook")
def test_a_dry_run_shows_what_is_created_then_and_stores_nothing(space):
    shown = space.create(requested("high"), "--dry-run=server").json
    assert space.pods() == []

    made = space.create(requested("high")).json

    # The API server mounts and numbers nothing by chance here, so that both are the same.
    assert shown["spec"] == made["spec"]
    for key in ("annotations", "labels", "name"):
        assert shown["metadata"][key] == made["metadata"][key]
