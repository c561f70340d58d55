"""What pods show of themselves."""

import pytest

from autoscaler.api.names import COMPONENT, Component
from autoscaler.workloads.pod_state import (
    component_of,
    gates_of,
    has_controller,
    is_gated,
    is_live,
    is_made_by_controller,
    is_placed,
    is_serving,
)
from tests.autoscaler.workloads.objects import made, owned, placed, pod, worker, workload

READY = {"conditions": [{"type": "Ready", "status": "True"}]}


def test_a_pod_is_gated_by_our_gate_only():
    assert is_gated(worker())
    assert not is_gated(worker(gates=("other",)))
    assert not is_gated(worker(gates=()))
    assert gates_of(worker(gates=("a", "b"))) == ("a", "b")


def test_only_a_controlling_owner_makes_a_pod_anew():
    pod = worker()
    owner = made("ReplicaSet", "r", api_version="apps/v1")
    listed = {**owned(pod, owner)["metadata"]["ownerReferences"][0], "controller": False}

    assert has_controller(owned(pod, owner))
    assert not has_controller(worker(metadata={"ownerReferences": [listed]}))
    assert not has_controller(pod)


def test_only_a_pod_that_a_workload_controls_was_made_for_it():
    replica_set = made("ReplicaSet", "r", api_version="apps/v1")

    assert is_made_by_controller(owned(worker(), workload("web")))
    assert not is_made_by_controller(owned(worker(), replica_set))
    assert not is_made_by_controller(worker())


@pytest.mark.parametrize(
    ("labels", "component"),
    [
        ({COMPONENT: "worker"}, Component.WORKER),
        ({COMPONENT: "client"}, Component.CLIENT),
        ({COMPONENT: "hypervisor"}, None),
        ({}, None),
    ],
)
def test_a_label_says_what_a_pod_is(labels, component):
    assert component_of(pod(metadata={"labels": labels})) is component


def test_a_placed_pod_names_its_gpus():
    assert is_placed(placed())
    assert not is_placed(worker())


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_does_not_live(phase):
    assert not is_live(pod(phase=phase))


def test_a_pod_that_is_about_to_go_neither_lives_nor_serves():
    going = pod(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})

    assert not is_live(going)
    assert not is_serving({**going, "status": READY})


def test_a_ready_pod_serves():
    assert is_serving({**pod(), "status": READY})
    assert not is_serving(pod())
