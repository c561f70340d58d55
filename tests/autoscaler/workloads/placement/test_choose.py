"""Which GPUs a worker gets."""

from autoscaler.api.names import GPU_INDICES, GPU_MODEL, VENDOR
from autoscaler.workloads.placement.choose import Choice, PlacementMode, choose, mode_of
from tests.autoscaler.workloads.cards import (
    L4,
    amounts,
    card,
    demand,
    names,
    node_of_cards,
    room,
)
from tests.autoscaler.workloads.objects import pool

COMPACT, LOW_LOAD = PlacementMode.COMPACT_FIRST, PlacementMode.LOW_LOAD_FIRST


def asking(**annotations):
    return demand(annotations=annotations)


def test_a_worker_gets_a_gpu_with_room_and_its_node():
    found = room(card("n1"), used={"gpu-n1-0": amounts(90, 0)}).choose(demand(tflops=10))
    assert found == Choice(node="n1", cards=(card("n1"),))


def test_compact_first_fills_the_fullest_gpu_that_has_room():
    used = {"gpu-n1-1": amounts(50, 8), "gpu-n2-0": amounts(70, 8), "gpu-n2-1": amounts(95, 8)}
    cards = room(*node_of_cards("n1", 2), *node_of_cards("n2", 2), used=used)
    assert names(cards.choose(demand(tflops=10), COMPACT)) == ["gpu-n2-0"]


def test_compact_first_prefers_the_fuller_node_where_no_gpu_in_use_has_room():
    used = {"gpu-n2-1": amounts(95, 8)}
    cards = room(*node_of_cards("n1", 2), *node_of_cards("n2", 2), used=used)
    assert names(cards.choose(demand(tflops=10), COMPACT)) == ["gpu-n2-0"]


def test_low_load_first_takes_the_emptiest_gpu_of_the_emptiest_node():
    used = {"gpu-n1-0": amounts(1, 1), "gpu-n2-1": amounts(0, 30)}
    cards = room(*node_of_cards("n1", 2), *node_of_cards("n2", 2), used=used)
    assert names(cards.choose(demand(), LOW_LOAD)) == ["gpu-n1-1"]


def test_the_scarcer_of_compute_and_vram_is_the_load_of_a_gpu():
    used = {"gpu-n1-0": amounts(20, 0), "gpu-n1-1": amounts(0, 40)}
    cards = room(*node_of_cards("n1", 2), used=used)
    assert names(cards.choose(demand(), COMPACT)) == ["gpu-n1-1"]
    assert names(cards.choose(demand(), LOW_LOAD)) == ["gpu-n1-0"]


def test_ties_go_by_node_and_index():
    cards = room(*node_of_cards("n2", 2), *reversed(node_of_cards("n1", 12)))
    assert names(cards.choose(demand(), COMPACT)) == ["gpu-n1-0"]
    assert names(cards.choose(demand(), LOW_LOAD)) == ["gpu-n1-0"]
    assert names(cards.choose(demand(count=3))) == ["gpu-n1-0", "gpu-n1-1", "gpu-n1-2"]


def test_several_gpus_are_of_one_node_even_where_fuller_ones_are_apart():
    used = {"gpu-n1-0": amounts(50, 8), "gpu-n2-0": amounts(50, 8)}
    cards = room(card("n1"), card("n2"), *node_of_cards("n3", 2), used=used)
    assert names(cards.choose(demand(count=2), COMPACT)) == ["gpu-n3-0", "gpu-n3-1"]


def test_several_gpus_are_alike():
    mixed = (card("n1", 0), card("n1", 1, gpu_model=L4, model="L4"), card("n1", 2))
    assert names(room(*mixed).choose(demand(count=2))) == ["gpu-n1-0", "gpu-n1-2"]


def test_gpus_in_use_come_first_and_are_listed_by_index():
    used = {"gpu-n1-3": amounts(50, 8), "gpu-n1-1": amounts(20, 8)}
    cards = room(*node_of_cards("n1", 4), used=used)
    assert names(cards.choose(demand(count=2), COMPACT)) == ["gpu-n1-1", "gpu-n1-3"]
    assert names(cards.choose(demand(count=2), LOW_LOAD)) == ["gpu-n1-0", "gpu-n1-2"]


def test_a_model_is_met_by_alias_by_short_and_by_full_name_in_any_case():
    a100, l4 = card("n1", 0), card("n1", 1, gpu_model=L4, model="L4")
    own = card("n1", 2, gpu_model="Acme Zip 9", model="zip")
    cards = room(a100, l4, own)
    spellings = {
        "a100-80gb": "gpu-n1-0",
        "a100": "gpu-n1-0",
        "NVIDIA A100-SXM4-80GB": "gpu-n1-0",
        "l4": "gpu-n1-1",
        "ZIP": "gpu-n1-2",
        "acme zip 9": "gpu-n1-2",
    }
    found = {text: names(cards.choose(asking(**{GPU_MODEL: text}))) for text in spellings}
    assert found == {text: [name] for text, name in spellings.items()}


def test_a_short_name_means_every_card_that_calls_itself_so():
    small = card("n1", gpu_model="NVIDIA A100-PCIE-40GB", model="A100")
    assert names(room(small).choose(asking(**{GPU_MODEL: "A100"}))) == ["gpu-n1-0"]


def test_a_vendor_is_met_in_any_case():
    amd = card("n2", vendor="AMD", gpu_model="AMD Instinct MI300X", model="MI300X")
    cards = room(card("n1"), amd)
    assert names(cards.choose(asking(**{VENDOR: "amd"}))) == ["gpu-n2-0"]


def test_indices_are_met_exactly_on_one_node_and_in_their_order():
    cards = room(*node_of_cards("n1", 2), *node_of_cards("n2", 4))
    assert names(cards.choose(asking(**{GPU_INDICES: "3,0"}))) == ["gpu-n2-3", "gpu-n2-0"]


def test_nothing_is_placed_on_a_gpu_with_a_problem():
    cards = room(card("n1", 0, problem="being deleted"), card("n1", 1))
    assert names(cards.choose(demand())) == ["gpu-n1-1"]


def test_percent_are_of_each_gpu():
    large = card("n2", capacity=amounts(400, 80))
    used = {"gpu-n1-0": amounts(60, 0), "gpu-n2-0": amounts(160, 0)}
    cards = room(card("n1"), large, used=used)
    assert names(cards.choose(demand(compute_percent_request="50"))) == ["gpu-n2-0"]


def test_a_whole_gpu_is_one_that_nobody_uses():
    cards = room(card("n1", 0), card("n1", 1), used={"gpu-n1-0": amounts(0, 1)})
    assert names(cards.choose(demand(compute_percent_request="100"))) == ["gpu-n1-1"]


def test_oversold_tflops_are_free_too():
    oversold = card("n1", allocatable=amounts(150, 80))
    cards = room(oversold, used={"gpu-n1-0": amounts(100, 8)})
    assert names(cards.choose(demand(tflops=50))) == ["gpu-n1-0"]


def test_the_next_best_node_is_taken_where_the_scheduler_would_refuse_the_best():
    used = {"gpu-n1-0": amounts(50, 8)}
    cards = room(card("n1"), card("n2"), used=used, n1="cordoned")
    assert names(cards.choose(demand(), COMPACT)) == ["gpu-n2-0"]


def test_only_nodes_with_the_gpus_are_asked_about_and_each_once():
    mixed = [card("n1", index, gpu_model=model) for index, model in enumerate("aabb")]
    cards = room(*mixed, card("n2"), used={"gpu-n2-0": amounts(100, 80)})
    asked = []

    def cordoned(node):
        asked.append(node)
        return "cordoned"

    choose(demand(count=2), cards.by_node(), cards.free_of, cordoned, COMPACT)
    assert asked == ["n1"]


def test_a_pool_says_how_gpus_are_chosen():
    modes = [mode_of(pool(placement={"mode": mode})) for mode in ("CompactFirst", "LowLoadFirst")]
    assert modes == [COMPACT, LOW_LOAD]
    assert [mode_of(pool()), mode_of({})] == [COMPACT, COMPACT]
