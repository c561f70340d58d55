"""How many GPUs a worker gets, which ones, of what model and vendor."""

import pytest

from autoscaler.api.names import PREFIX
from tests.autoscaler.webhook.asking import AMOUNTS, admitted, asking, refused
from tests.autoscaler.webhook.clusters import cluster, profile, workload
from tests.autoscaler.webhook.pods import container


def count_of(obj, snapshot=None):
    return admitted(obj, snapshot).annotations["gpu-count"]


def test_annotation_then_workload_then_profile_then_native_gpus_then_one():
    native = container(gpus=3)
    snapshot = cluster(profile(gpuCount=4), workload("job", gpuCount=5))
    named = {"workload_profile": "small", **AMOUNTS}
    assert count_of(asking(**AMOUNTS)) == "1"
    assert count_of(asking(native, **AMOUNTS)) == "3"
    assert count_of(asking(native, **named), snapshot) == "4"
    assert count_of(asking(native, generate_workload="false", **named), snapshot) == "5"
    assert count_of(asking(native, gpu_count="2", **named), snapshot) == "2"


def test_native_gpus_are_counted_without_requests_and_over_all_containers():
    containers = (container("a", gpus=2), container("b", gpus="1"), container("c", gpus=1))
    found = admitted(asking(*containers, **AMOUNTS)).annotations
    assert (found["gpu-count"], found["inject-container"]) == ("4", "a,b,c")


@pytest.mark.parametrize(("count", "allowed"), [("1", True), ("128", True), ("129", False)])
def test_a_worker_has_at_most_128_gpus(count, allowed):
    obj = asking(container(gpus=count), **AMOUNTS)
    if allowed:
        assert count_of(obj) == count
    else:
        assert refused(obj).startswith("spec.containers: 129 native GPUs in all; allowed: at most")


def test_indices_beat_every_count_and_say_so():
    obj = asking(
        container(gpus=1), gpu_indices=" 0, 2 ", gpu_count="3", is_local_gpu="true", **AMOUNTS
    )
    found = admitted(obj)
    assert (found.annotations["gpu-indices"], found.annotations["gpu-count"]) == (" 0, 2 ", "2")
    assert found.warnings == (
        f"{PREFIX}gpu-count: 3 has no effect, because annotation {PREFIX}gpu-indices names 2 GPUs",
    )


@pytest.mark.parametrize("text", ["0,0", "-1", "a", "0,", ",", "1.5", "0x1", "2147483648", "0 1"])
def test_indices_are_different_whole_numbers(text):
    assert refused(asking(gpu_indices=text, **AMOUNTS)) == (
        f"annotation {PREFIX}gpu-indices: {text!r} is not valid; allowed: 1 to 128 different whole "
        "numbers from 0, separated by commas, such as 0,2"
    )


def test_more_than_128_indices_are_refused():
    many = ",".join(map(str, range(129)))
    assert "1 to 128 different" in refused(asking(gpu_indices=many, **AMOUNTS))


@pytest.mark.parametrize("indices", [[0, 0], [True], [-1], [1.5], ["x"], "x"])
def test_indices_of_a_profile_are_checked_like_any_other(indices):
    error = refused(
        asking(workload_profile="small", **AMOUNTS), cluster(profile(gpuIndices=indices))
    )
    assert error.startswith("profile small spec.gpuIndices: ")


def test_model_and_vendor_are_written_back():
    snapshot = cluster(profile(gpuModel="L4", vendor="AMD"))
    found = admitted(asking(workload_profile="small", vendor="NVIDIA", **AMOUNTS), snapshot)
    assert (found.annotations["gpu-model"], found.annotations["vendor"]) == ("L4", "NVIDIA")


@pytest.mark.parametrize("vendor", ["-x", "x" * 64, "a\nb"])
def test_a_vendor_is_a_name(vendor):
    assert f"annotation {PREFIX}vendor: " in refused(asking(vendor=vendor, **AMOUNTS))


def test_a_model_is_no_longer_than_a_workload_may_name_it():
    error = refused(asking(gpu_model="A" * 254, **AMOUNTS))
    assert "gpu-model" in error
    assert "allowed: the name of a GPU model of at most 253 letters" in error


def test_an_unknown_model_is_a_warning_with_similar_ones():
    found = admitted(asking(gpu_model="H10O", is_local_gpu="true", **AMOUNTS))
    assert found.annotations["gpu-model"] == "H10O"
    assert "did you mean H100" in found.warnings[0]
