"""Declared amounts and the amounts in force are kept apart."""

import json

import pytest

from autoscaler.api.names import PREFIX
from tests.autoscaler.webhook.asking import admitted, asking
from tests.autoscaler.webhook.clusters import cluster, profile

BOTH = {"tflops_request": "999", "declared_tflops_request": "5"}


def test_declared_values_are_the_input_wherever_there_is_one():
    found = admitted(asking(vram_limit="80Gi", tflops_limit="999", **BOTH))
    assert found.amounts() == {"tflops-request": "5"}
    assert found.amounts("declared-") == {"tflops-request": "5"}


def test_a_layer_below_fills_what_declared_values_leave_open():
    small = profile(resources={"limits": {"tflops": 50, "vram": "2Gi"}})
    found = admitted(asking(workload_profile="small", **BOTH), cluster(small))
    assert found.amounts() == {
        "tflops-request": "5",
        "tflops-limit": "50",
        "vram-request": "2Gi",
        "vram-limit": "2Gi",
    }


def test_an_unused_plain_key_is_removed():
    found = admitted(asking(compute_percent_request="50", **BOTH))
    assert "compute-percent-request" not in found.annotations


def test_percent_becomes_a_quantity():
    found = admitted(asking(compute_percent_request="25 %", gpu_model="A100"))
    assert found.amounts() == found.amounts("declared-") == {"compute-percent-request": "25"}


def test_tflops_win_over_percent_and_the_other_unit_is_removed():
    found = admitted(asking(tflops_request="5", compute_percent_request="50", is_local_gpu="true"))
    assert found.amounts() == {"tflops-request": "5"}
    assert "has no effect" in found.warnings[0]


def test_a_doubtful_value_is_named_once_and_by_the_key_that_the_user_wrote():
    first = admitted(asking(vram_limit="4", is_local_gpu="true"))
    again = admitted(first.pod)

    assert first.warnings == (
        f"annotation {PREFIX}vram-limit: is 4 bytes, less than 1 MiB; did you mean 4Gi?",
    )
    assert again.warnings == ()


def test_sources_are_kept_with_declared_values():
    sources = json.dumps({"tflops-request": "profile of another day"})
    found = admitted(asking(sources=sources, **BOTH))
    assert found.annotations["sources"] == sources


@pytest.mark.parametrize(
    "sources",
    ["", "{", "[]", '{"tflops-request": 1}', '{"vram-request": "x"}', "[" * 5000, '{"a":"b"}'],
)
def test_sources_that_do_not_fit_are_written_anew(sources):
    found = admitted(asking(sources=sources, **BOTH)).annotations["sources"]
    assert json.loads(found)["tflops-request"] == f"annotation {PREFIX}declared-tflops-request"


def test_sources_without_declared_values_are_written_anew():
    sources = json.dumps({"tflops-request": "a friend"})
    found = admitted(asking(sources=sources, tflops_request="5")).annotations["sources"]
    assert json.loads(found)["tflops-request"] == f"annotation {PREFIX}tflops-request"
