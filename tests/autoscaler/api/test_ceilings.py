"""The largest amounts that quotas allow one worker."""

import pytest

from autoscaler.api.ceilings import read_ceilings
from autoscaler.api.notes import NotedProblems
from recommender.policy.resolve import resolve


def quota(name="gold", *, allowed_qos=None, **single):
    spec = {"single": single} | ({"allowedQoS": allowed_qos} if allowed_qos else {})
    return {"metadata": {"name": name}, "spec": spec}


def stated(**statements):
    annotations = {
        f"tensor-fusion.ai/{key.replace('_', '-')}": value for key, value in statements.items()
    }
    return resolve(annotations=annotations).stated


def read(*quotas, **statements):
    """Return what quotas allow a worker that states something, and what is wrong with them."""
    notes = NotedProblems()
    return read_ceilings(quotas, stated(**statements), notes), notes.errors


def quantities(ceilings):
    return {key: ceiling.quantity for key, ceiling in ceilings.amounts.items()}


def test_of_several_quotas_the_smallest_maximum_binds_and_is_named():
    quotas = (quota("a", maxLimits={"vram": "8Gi"}), quota("b", maxLimits={"vram": "4096Mi"}))
    found, errors = read(*quotas)
    assert errors == []
    assert quantities(found) == {"vram-limit": "4Gi"}
    assert found.amounts["vram-limit"].path == "GPUResourceQuota b spec.single.maxLimits.vram"


def test_maxima_of_compute_are_in_the_unit_of_the_worker():
    most = quota(maxRequests={"tflops": "31.2"}, maxLimits={"compute": "50"})
    assert quantities(read(most, tflops_request="1", gpu_model="A100")[0]) == {
        "tflops-request": "31200m",
        "tflops-limit": "156",
    }
    assert quantities(read(most, compute_percent_limit="1", gpu_model="A100")[0]) == {
        "compute-percent-request": "10",
        "compute-percent-limit": "50",
    }


def test_a_maximum_that_cannot_be_converted_is_an_error():
    found, (error,) = read(quota(maxRequests={"tflops": 20}), compute_percent_request="10")
    assert quantities(found) == {}
    assert error == (
        "GPUResourceQuota gold spec.single.maxRequests.tflops: is in another unit than the pod's "
        "(compute-percent), and its GPU model is not known; allowed: amounts in that unit, or a "
        "known model in annotation tensor-fusion.ai/gpu-model"
    )


def test_the_smallest_number_of_gpus_binds():
    found, _ = read(quota("a", maxGPUCount=4), quota("b", maxGPUCount=2), quota("c"))
    assert found.gpu_count.quantity == "2"


def test_a_level_must_be_allowed_by_every_quota():
    found, _ = read(quota("a"), quota("b", allowed_qos=["low"]))
    assert found.forbids_qos("low") == ""
    assert found.forbids_qos("high") == "forbidden by GPUResourceQuota b; allowed: low"
    assert found.forbids_qos("critical") == (
        "forbidden by GPUResourceQuota a; allowed: low, medium, high"
    )


@pytest.mark.parametrize(
    ("single", "path"),
    [
        ({"maxRequests": {"tflops": "-5"}}, "maxRequests.tflops"),
        ({"maxLimits": []}, "maxLimits"),
        ({"maxGPUCount": "many"}, "maxGPUCount"),
    ],
)
def test_what_cannot_be_read_is_an_error(single, path):
    (error,) = read(quota(**single))[1]
    assert error.startswith(f"GPUResourceQuota gold spec.single.{path}: ")


def test_without_quotas_nothing_is_bounded():
    found, errors = read(tflops_request="1")
    assert (quantities(found), found.gpu_count, found.forbids_qos("critical"), errors) == (
        {},
        None,
        "",
        [],
    )
