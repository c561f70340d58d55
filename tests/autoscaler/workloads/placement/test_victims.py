"""Who has to go for a more important worker."""

from autoscaler.api.names import GPU_MODEL
from autoscaler.workloads.books.claim import Claim
from autoscaler.workloads.placement.victims import Candidate, choose_victims
from autoscaler.workloads.qos_rank import rank_of
from tests.autoscaler.workloads.cards import amounts, card, demand, node_of_cards


def candidate(name, *gpus, tflops=50, gib=8, qos="low", created=0):
    request = amounts(tflops, gib)
    return Candidate(
        Claim(
            uid=name,
            namespace="team",
            pod=name,
            workload="job",
            pool="pool",
            qos=qos,
            gpus=gpus or ("gpu-n1-0",),
            request=request,
            limit=request,
        ),
        rank_of(qos),
        f"2026-01-01T00:00:{created:02}Z",
    )


def chosen(asked, cards, candidates, *, fits_on=None):
    """Return who has to go from full cards, and where from; None: nothing helps."""
    free = {
        each.name: each.allocatable
        - sum((c.claim.request for c in candidates if each.name in c.claim.gpus), amounts())
        for each in cards
    }
    by_node = {}
    for each in cards:
        by_node.setdefault(each.node, []).append(each)
    found = choose_victims(
        asked,
        by_node,
        free.__getitem__,
        lambda gpu: [c for c in candidates if gpu in c.claim.gpus],
        lambda node, _: "" if fits_on is None or node in fits_on else "cordoned",
    )
    return found and [each.claim.pod for each in found.victims]


def test_low_goes_before_medium_and_medium_before_high():
    cards = node_of_cards("n1", 3)
    low, medium, high = (
        candidate(qos, f"gpu-n1-{index}", tflops=100, qos=qos)
        for index, qos in enumerate(("low", "medium", "high"))
    )
    asked = demand(tflops=60)
    assert chosen(asked, cards, [low, medium, high]) == ["low"]
    assert chosen(asked, cards[1:], [medium, high]) == ["medium"]
    assert chosen(asked, cards[2:], [high]) == ["high"]


def test_two_low_ones_go_before_one_medium_one():
    cards = node_of_cards("n1", 2)
    lows = [candidate(name, "gpu-n1-0") for name in ("a", "b")]
    medium = candidate("medium", "gpu-n1-1", tflops=100, qos="medium")
    assert chosen(demand(tflops=80), cards, [*lows, medium]) == ["a", "b"]


def test_one_large_one_goes_before_two_small_ones():
    sizes = {"a": 30, "b": 30, "large": 40}
    workers = [candidate(name, tflops=size) for name, size in sizes.items()]
    assert chosen(demand(tflops=40), [card()], workers) == ["large"]


def test_of_equal_ones_the_youngest_goes():
    workers = [candidate("old", created=1), candidate("young", created=2)]
    assert chosen(demand(tflops=40), [card()], workers) == ["young"]
    cards = node_of_cards("n1", 2)
    apart = [
        candidate(name, f"gpu-n1-{index}", tflops=100, created=born)
        for index, (name, born) in enumerate({"young": 2, "old": 1}.items())
    ]
    assert chosen(demand(tflops=40), cards, apart) == ["young"]


def test_nobody_goes_where_that_would_not_be_enough():
    kept = candidate("kept", tflops=70)
    free_of_kept = [candidate("goes", tflops=20)]
    assert chosen(demand(tflops=95), [card()], [*free_of_kept, kept]) == ["goes", "kept"]
    assert chosen(demand(tflops=101), [card()], [*free_of_kept, kept]) is None


def test_nobody_goes_for_another_model_or_from_a_node_that_will_not_do():
    worker = candidate("a", tflops=100)
    l4 = demand(annotations={GPU_MODEL: "L4"})
    assert chosen(l4, [card()], [worker]) is None
    assert chosen(demand(), [card()], [worker], fits_on={"n2"}) is None


def test_the_next_best_node_makes_room_where_the_best_will_not_do():
    cards = [card("n1"), card("n2")]
    workers = [
        candidate("low", "gpu-n1-0", tflops=100),
        candidate("medium", "gpu-n2-0", tflops=100, qos="medium"),
    ]
    assert chosen(demand(), cards, workers, fits_on={"n2"}) == ["medium"]


def test_nobody_goes_where_the_room_comes_by_itself():
    assert chosen(demand(tflops=40), [card()], [candidate("a")]) == []


def test_a_worker_of_several_gpus_goes_once_and_spares_those_beside_it():
    cards = node_of_cards("n1", 2)
    both = candidate("both", "gpu-n1-0", "gpu-n1-1", tflops=60)
    beside = [candidate(f"beside-{i}", f"gpu-n1-{i}", tflops=40) for i in (0, 1)]
    assert chosen(demand(tflops=50, count=2), cards, [both, *beside]) == ["both"]


def test_several_gpus_are_made_free_on_one_node():
    cards = [card("n1"), *node_of_cards("n2", 2)]
    workers = [candidate(each.name, each.name, tflops=100) for each in cards]
    assert chosen(demand(count=2), cards, workers) == ["gpu-n2-0", "gpu-n2-1"]
