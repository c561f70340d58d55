from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.api.names import GPU_IDS, GPU_PEAK_TFLOPS, GPU_PEAK_VRAM, PLACEMENT_GATE
from autoscaler.workloads.placement.placement import (
    placement_annotations,
    placement_patch,
    plain,
    with_annotations,
)
from tests.autoscaler.workloads.entries import GIB, card
from tests.autoscaler.workloads.objects import worker


def test_the_patch_names_gpus_peaks_and_node_and_removes_our_gate_alone():
    pod = worker(gates=(PLACEMENT_GATE, "other"))

    patch = placement_patch(pod, (card("gpu-1"), card("gpu-2", index=1)), "n1.example")

    assert patch == {
        "metadata": {
            "resourceVersion": pod["metadata"]["resourceVersion"],
            "annotations": {
                GPU_IDS: "GPU-1,GPU-2",
                GPU_PEAK_TFLOPS: "100",
                GPU_PEAK_VRAM: str(80 * GIB),
            },
        },
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": "n1.example"},
            "schedulingGates": [{"$patch": "delete", "name": PLACEMENT_GATE}],
        },
    }


def test_a_peak_that_is_not_known_is_left_out():
    assert placement_annotations((card("gpu-1", 0, 80),)) == {
        GPU_IDS: "GPU-1",
        GPU_PEAK_VRAM: str(80 * GIB),
    }


def test_annotations_are_added_to_a_copy():
    pod = worker()

    assert with_annotations(pod, {"a": "b"})["metadata"]["annotations"]["a"] == "b"
    assert "a" not in pod["metadata"]["annotations"]


@given(st.integers(0, 10**12))
def test_a_plain_number_is_the_same_number_without_an_exponent(millionths):
    number = Decimal(millionths) / 1_000_000

    text = plain(number)

    assert Decimal(text) == number
    assert "E" not in text
    assert text == "0" or not text.startswith("00")
