"""What is said where a worker finds no GPUs."""

from autoscaler.api.names import GPU_INDICES, GPU_MODEL, VENDOR, EventReason
from tests.autoscaler.workloads.cards import (
    L4,
    amounts,
    card,
    demand,
    node_of_cards,
    room,
    said,
)


def asking(**annotations):
    return demand(annotations=annotations)


def a100s(count, **amounts_of_each):
    return demand(count=count, annotations={GPU_MODEL: "A100"}, **amounts_of_each)


def test_a_shortage_has_a_reason_a_model_and_a_number():
    found = room(*node_of_cards("n1", 2)).choose(a100s(3))
    assert found.reason is EventReason.NO_GPU_AVAILABLE
    assert (found.gpu_model, found.missing_gpus) == ("A100", 1)


def test_the_node_that_comes_nearest_is_named_with_what_its_next_gpu_lacks():
    used = {
        "gpu-n1-2": amounts(0, 66),
        "gpu-n1-3": amounts(0, 70),
        "gpu-n2-0": amounts(0, 1),
        "gpu-n2-1": amounts(0, 61),
    }
    cards = room(*node_of_cards("n1", 4), *node_of_cards("n2", 2), used=used)
    assert said(cards.choose(a100s(3, tflops=10, gib=20))) == (
        "3 GPUs of A100 with 10 TFLOPS and 20 GiB free each on one node: the best node n1 has 2 "
        "(its next best has 14 GiB free)"
    )


def test_a_node_without_a_next_gpu_is_named_alone():
    found = room(*node_of_cards("n1", 2), card("n2")).choose(demand(count=3))
    assert said(found) == (
        "3 GPUs of one model with 10 TFLOPS and 4 GiB free each on one node: the best node n1 has 2"
    )


def test_of_one_gpu_both_lacks_are_named():
    used = {"gpu-n1-0": amounts(97.5, 79), "gpu-n2-0": amounts(100, 80)}
    found = room(card("n1"), card("n2"), used=used).choose(demand(tflops=10, gib=4))
    assert said(found) == (
        "1 GPU with 10 TFLOPS and 4 GiB free: the best, on node n1, has 2.5 TFLOPS and 1 GiB free"
    )
    assert found.missing_gpus == 1


def test_an_overfull_gpu_has_nothing_free():
    found = room(card("n1"), used={"gpu-n1-0": amounts(150, 8)}).choose(demand(gib=0))
    assert said(found) == "1 GPU with 10 TFLOPS free: the best, on node n1, has 0 TFLOPS free"


def test_a_gpu_with_less_than_nothing_of_what_is_not_asked_for_is_said_too():
    cards = room(card("n1"), used={"gpu-n1-0": amounts(0, 90)})
    assert "on node n1" in said(cards.choose(demand(tflops=1, gib=0)))


def test_percent_are_said_beside_what_they_are():
    found = room(card("n1"), used={"gpu-n1-0": amounts(80, 0)}).choose(
        demand(compute_percent_request="30", vram_request="1Gi")
    )
    assert said(found) == (
        "1 GPU with 30 TFLOPS (30 %) and 1 GiB free: the best, on node n1, has 20 TFLOPS free"
    )


def test_a_pool_without_gpus_is_said():
    found = room().choose(demand(count=2))
    assert (said(found), found.missing_gpus) == ("pool pool has no GPUs", 2)


def test_a_model_that_a_pool_lacks_is_named_with_those_that_it_has():
    cards = room(card("n1", 2, gpu_model=L4, model="L4"), *node_of_cards("n1", 2))
    found = cards.choose(asking(**{GPU_MODEL: "H100"}))
    assert said(found) == "no GPU of model H100 in pool pool; it has: A100 (2), L4 (1)"


def test_a_vendor_that_a_pool_lacks_is_named_with_those_that_it_has():
    found = room(card("n1")).choose(asking(**{VENDOR: "AMD"}))
    assert said(found) == "no GPU of vendor AMD in pool pool; it has: NVIDIA (1)"


def test_only_a_few_of_many_models_are_named():
    cards = room(*(card("n1", index, model=f"m{index}", gpu_model="") for index in range(7)))
    found = said(cards.choose(asking(**{GPU_MODEL: "H100"})))
    assert found.endswith("it has: m0 (1), m1 (1), m2 (1), m3 (1), m4 (1) and 2 more")


def test_gpus_that_nothing_is_placed_on_are_counted_by_why():
    problems = ("in phase Unknown", "given out by the device plugin (n1)", "in phase Unknown")
    cards = room(*(card("n1", index, problem=text) for index, text in enumerate(problems)))
    assert said(cards.choose(a100s(1))) == (
        "3 GPUs of A100 in pool pool, but: 2 in phase Unknown, 1 given out by the device plugin"
    )


def test_the_only_gpu_says_all_that_is_wrong_with_it():
    cards = room(card("n1", problem="on a node that no pool selects (n1)"))
    found = said(cards.choose(demand()))
    assert found == "1 GPU in pool pool, but: on a node that no pool selects (n1)"


def test_indices_that_no_node_has_are_named():
    cards = room(*node_of_cards("n1", 2))
    found = cards.choose(asking(**{GPU_INDICES: "7,8"}))
    assert said(found) == "no usable GPU with index 7 or 8 in pool pool"
    assert found.missing_gpus == 2
    half = cards.choose(asking(**{GPU_INDICES: "1,2"}))
    assert said(half).endswith("each on one node: the best node n1 has 1")


def test_nodes_that_will_not_do_are_counted_by_why_the_most_frequent_first():
    cards = room(
        *(card(f"n{number}") for number in range(4)),
        n0="Insufficient cpu (asks for 4, 1 of 16 free)",
        n1="cordoned",
        n2="Insufficient cpu (asks for 4, 2 of 8 free)",
        n3="Insufficient cpu (asks for 4, 3 of 8 free)",
    )
    found = cards.choose(demand())
    assert said(found) == "4 nodes have the GPUs, but: 3 Insufficient cpu, 1 cordoned"
    assert found.missing_gpus == 1


def test_the_only_node_says_all_that_is_wrong_with_it():
    cards = room(*node_of_cards("n1", 2), n1="Insufficient cpu (asks for 4, 1 of 16 free)")
    assert said(cards.choose(demand(count=2))) == (
        "node n1 has the GPUs, but: Insufficient cpu (asks for 4, 1 of 16 free)"
    )
