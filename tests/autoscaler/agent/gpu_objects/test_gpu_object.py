"""What the object of a device says."""

from autoscaler.agent.gpu_objects.gpu_object import (
    OWNER,
    gpu_name,
    lost_status,
    new_gpu,
    present_status,
)
from autoscaler.api.gpu import GPU
from autoscaler.workloads.books.inventory import card_of
from tests.autoscaler.agent.gpu_objects.devices import NODE, device, uuid

NODE_OBJECT = {"metadata": {"name": NODE, "uid": "u", "labels": {"pool": "a"}}}
POOL = {"metadata": {"name": "p"}, "spec": {}}


def card(status):
    made = {**new_gpu(device(), NODE_OBJECT), "status": status}
    return card_of(made, NODE_OBJECT, POOL)


def test_the_object_goes_with_its_node_and_is_labelled_as_its():
    assert new_gpu(device(), NODE_OBJECT)["metadata"] == {
        "name": uuid(1).lower(),
        "labels": {"tensor-fusion.ai/managed-by": NODE},
        "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": NODE, "uid": "u"}],
    }


def test_the_status_of_a_device_that_is_there_has_all_that_is_known():
    assert present_status(device(), "host", None) == {
        "phase": "Running",
        "vendor": "NVIDIA",
        "gpuModel": "NVIDIA A100-SXM4-80GB",
        "model": "A100",
        "uuid": uuid(1),
        "index": 0,
        "numaNode": 1,
        "nodeSelector": {"kubernetes.io/hostname": "host"},
        "isolationMode": "soft",
        "capacity": {"tflops": "312", "vram": "79Gi"},
    }


def test_the_object_is_one_of_the_api():
    made = {**new_gpu(device(), NODE_OBJECT), "status": present_status(device(), NODE, "n/a")}
    read = GPU.model_validate(made)
    assert read.status is not None
    assert read.status.gpu_model == "NVIDIA A100-SXM4-80GB"


def test_workers_are_placed_on_a_device_that_is_there():
    found = card(present_status(device(), NODE, None))
    assert (found.problem, found.capacity.vram_bytes) == ("", 79 * 2**30)


def test_no_worker_is_placed_on_a_device_that_a_pod_holds_whole():
    status = present_status(device(), NODE, "n/a")
    assert status["message"] == (
        "given whole to pod n/a by the kubelet: no worker can be placed on it"
    )
    assert card(status).problem == "in phase Pending"


def test_a_derived_peak_is_told():
    status = present_status(device(is_derived=True, tflops=100.25), NODE, None)
    assert status["capacity"]["tflops"] == "100250m"
    assert "derived from cores and clock; state them as gpuModels" in status["message"]
    assert card(status).problem == ""


def test_a_peak_that_is_not_known_is_absent_and_told():
    status = present_status(device(tflops=0.0), NODE, None)
    assert status["capacity"] == {"vram": "79Gi"}
    assert "are not known, so no worker can be placed" in status["message"]
    assert card(status).problem == "without known TFLOPS"


def test_amounts_that_are_no_round_numbers_stay_exact():
    status = present_status(device(vram_bytes=85_520_809_985), NODE, None)
    assert card(status).capacity.vram_bytes == 85_520_809_985


def test_a_lost_device_keeps_what_was_known_of_it_and_says_why():
    shown = {
        "status": {
            **present_status(device(), NODE, None),
            "available": {"tflops": "1"},
            "usedBy": "tensor-fusion",
        }
    }
    status = lost_status(shown, "why")
    assert status == {
        **present_status(device(), NODE, None),
        "phase": "Unknown",
        "message": "why",
    }
    assert card(status).problem == "in phase Unknown"


def test_an_object_without_a_status_can_be_lost():
    assert lost_status({}, "why") == {"phase": "Unknown", "message": "why"}


def test_nothing_is_said_that_is_anothers():
    status = present_status(device(), NODE, "n/a")
    assert OWNER.part_of(status) == status


def test_the_name_is_the_uuid_in_lower_case():
    assert gpu_name(device()) == "gpu-0000000a-0000-0000-0000-000000000001"
