"""GPUs as placement sees them, from objects that may say little or nonsense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.books.inventory import (
    DEVICE_PLUGIN,
    TENSOR_FUSION,
    card_of,
    hostname_of,
    node_conflicts,
    node_of,
    pool_of_node,
    used_by,
)
from tests.autoscaler.workloads.objects import GIB, HOSTNAME, gpu, node, pool

PLUGIN = node(allocatable={"nvidia.com/gpu": "8"})
OVERSOLD = {"capacityConfig": {"oversubscription": {"tflopsOversellRatio": "150"}}}


def names(found):
    return None if found is None else found["metadata"]["name"]


def test_the_node_of_a_gpu_is_its_owner_then_its_label_then_its_node_selector():
    obj = gpu(node="n1")
    assert node_of(obj) == "n1"
    obj["metadata"]["labels"] = {"tensor-fusion.ai/managed-by": "labelled"}
    assert node_of(obj) == "n1"
    obj["metadata"]["ownerReferences"] = []
    assert node_of(obj) == "labelled"
    obj["metadata"]["labels"] = {}
    obj["status"]["nodeSelector"] = {HOSTNAME: "selected"}
    assert node_of(obj) == "selected"
    assert node_of({"metadata": {"name": "gpu-1"}}) == ""


def test_the_hostname_is_the_label_and_else_the_name():
    assert hostname_of(node("n1", labels={HOSTNAME: "host-1"})) == "host-1"
    assert hostname_of(node("n1", metadata={"labels": {}})) == "n1"


def test_a_pool_has_the_nodes_with_all_labels_that_it_selects():
    two = pool("two", node_selector={"a": "1", "b": "2"})
    assert names(pool_of_node({"a": "1", "b": "2", "c": "3"}, [two])) == "two"
    assert pool_of_node({"a": "1"}, [two]) is None


def test_a_pool_without_selector_has_no_nodes():
    assert pool_of_node({"a": "1"}, [pool(node_selector={})]) is None


def test_the_oldest_pool_has_a_node_and_of_the_same_age_the_first_by_name():
    old = pool("z-old", created="2025-01-01T00:00:00Z")
    young, twin = pool("a-young"), pool("b-young")
    labels = node()["metadata"]["labels"]
    assert names(pool_of_node(labels, [twin, young, old])) == "z-old"
    assert names(pool_of_node(labels, [twin, young])) == "a-young"


def test_the_younger_pools_are_told_which_nodes_they_select_in_vain():
    old = pool("old", created="2025-01-01T00:00:00Z", node_selector={"zone": "a"})
    young = pool("young")
    nodes = [node(name, labels={"zone": zone}) for name, zone in (("n2", "a"), ("n1", "a"))]
    apart = node("n3", labels={"zone": "b"})
    assert node_conflicts([young, old], [*nodes, apart]) == {"young": (("old", ("n1", "n2")),)}
    assert node_conflicts([old], nodes) == {}
    assert node_conflicts([], nodes) == {}


def test_a_card_has_what_the_agent_found():
    card = card_of(gpu("GPU-1a", index=3, tflops="312.5", vram="80Gi"), node(), pool())
    assert (card.name, card.uuid, card.index) == ("gpu-1a", "GPU-1a", 3)
    assert (card.node, card.pool, card.vendor) == ("n1", "pool", "NVIDIA")
    assert (card.gpu_model, card.model) == ("NVIDIA A100-SXM4-80GB", "A100")
    assert card.capacity == GpuAmounts(microtflops=312_500_000, vram_bytes=80 * GIB)
    assert (card.allocatable, card.problem) == (card.capacity, "")


def test_tflops_are_oversold_and_vram_never():
    card = card_of(gpu(tflops="100"), node(), pool(**OVERSOLD))
    assert card.allocatable == GpuAmounts(microtflops=150_000_000, vram_bytes=80 * GIB)
    assert card.capacity.microtflops == 100_000_000


DELETED = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
BAD_RATIO = {"capacityConfig": {"oversubscription": {"tflopsOversellRatio": "50"}}}


@pytest.mark.parametrize(
    ("problem", "obj", "on", "of"),
    [
        ("being deleted", gpu(metadata=DELETED), node(), pool()),
        ("of a node that does not exist (n1)", gpu(), None, None),
        ("on a node that no pool selects (n1)", gpu(), node(), None),
        ("in phase Unknown", gpu(phase="Unknown"), node(), pool()),
        ("in no phase yet", gpu(phase=""), node(), pool()),
        (
            "given out by the device plugin of its node and not in reservedUUIDs (n1)",
            gpu(),
            PLUGIN,
            pool(),
        ),
        (
            "of another UUID than its name (GPU-2)",
            gpu() | {"status": gpu("GPU-2")["status"]},
            node(),
            pool(),
        ),
        ("without known TFLOPS", gpu(tflops="0"), node(), pool()),
        ("without known VRAM", gpu(capacity={"tflops": "10"}), node(), pool()),
        ("without known TFLOPS", gpu(capacity=None), node(), pool()),
        (
            "of an unreadable capacity (status.capacity.vram: '80GB' is not valid; ",
            gpu(vram="80GB"),
            node(),
            pool(),
        ),
        (
            "of a pool with an unusable tflopsOversellRatio ('50' is not valid; ",
            gpu(),
            node(),
            pool(**BAD_RATIO),
        ),
    ],
)
def test_what_keeps_workers_off_a_gpu_is_said(problem, obj, on, of):
    found = card_of(obj, on, of).problem
    assert found.startswith(problem) if problem.endswith(" ") else found == problem


def test_a_gpu_of_no_known_node_is_said():
    lost = gpu(nodeSelector={}, metadata={"labels": {}, "ownerReferences": []})
    assert card_of(lost, None, None).problem == "of no known node"


def test_a_gpu_belongs_to_the_device_plugin_unless_the_pool_reserves_it():
    reserving = pool(reservedUUIDs=[" gpu-1A "])
    assert used_by(gpu("GPU-1a"), PLUGIN, reserving) == TENSOR_FUSION
    assert used_by(gpu("GPU-2"), PLUGIN, reserving) == DEVICE_PLUGIN
    assert used_by(gpu("GPU-2"), node(), reserving) == TENSOR_FUSION
    assert used_by(gpu("GPU-2"), node(allocatable={"nvidia.com/gpu": "0"}), None) == TENSOR_FUSION
    assert card_of(gpu("GPU-1a"), PLUGIN, reserving).problem == ""


def test_a_time_sliced_gpu_belongs_to_the_device_plugin_too():
    sliced = node(allocatable={"nvidia.com/gpu.shared": "32"})
    assert used_by(gpu(), sliced, pool()) == DEVICE_PLUGIN


JUNK = st.sampled_from((None, "", "x", "-1", "1e400", "80Gi", "12", "NaN"))


RATIOS = st.sampled_from((None, "0", "100", "99.9", "x", 150))


@given(JUNK, JUNK, JUNK | st.just("Running"), RATIOS)
def test_whatever_a_gpu_says_it_is_a_card_that_is_usable_or_says_why_not(
    tflops, vram, phase, ratio
):
    over = {"capacityConfig": {"oversubscription": {"tflopsOversellRatio": ratio}}}
    obj = gpu(phase=phase, capacity={"tflops": tflops, "vram": vram})
    card = card_of(obj, node(), pool(**over))
    has_something = card.capacity.microtflops > 0 and card.capacity.vram_bytes > 0
    assert card.problem or (has_something and phase == "Running")
    assert card.capacity.fits_in(card.allocatable)


def test_cards_that_are_alike_share_what_they_have():
    first, second = (card_of(gpu(uuid), node(), pool()) for uuid in ("GPU-1", "GPU-2"))
    assert first.capacity is second.capacity
    assert first.allocatable is second.allocatable
