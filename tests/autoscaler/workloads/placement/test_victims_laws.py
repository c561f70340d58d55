"""Laws of preemption, over small nodes of all kinds."""

from itertools import combinations

from hypothesis import event, given
from hypothesis import strategies as st

from autoscaler.workloads.placement.choose import Choice, PlacementMode, choose
from autoscaler.workloads.placement.victims import choose_victims
from recommender.policy.first_generation import QOS
from tests.autoscaler.workloads.cards import amounts, card, demand
from tests.autoscaler.workloads.placement.test_victims import candidate

NODES = ("n1", "n2")


@st.composite
def worlds(draw):
    """Return cards, and workers on one or two of a node."""
    cards = [card(node, index) for node in NODES for index in range(draw(st.integers(0, 3)))]
    workers = []
    for number in range(draw(st.integers(0, 8)) if cards else 0):
        first = draw(st.sampled_from(cards))
        beside = [each for each in cards if each.node == first.node and each is not first]
        both = [
            first,
            *draw(st.lists(st.sampled_from(beside), max_size=1) if beside else st.just([])),
        ]
        workers.append(
            candidate(
                f"w{number}",
                *(each.name for each in both),
                tflops=draw(st.sampled_from((0, 20, 35, 50))),
                gib=draw(st.sampled_from((0, 10, 40))),
                qos=draw(st.sampled_from(QOS[:-1])),
                created=draw(st.integers(0, 3)),
            )
        )
    return cards, workers


DEMANDS = st.builds(
    demand,
    tflops=st.sampled_from((1, 40, 90)),
    gib=st.sampled_from((0, 30, 70)),
    count=st.integers(1, 2),
)


def by_node(cards):
    return {node: [each for each in cards if each.node == node] for node in NODES}


def free_without(cards, workers, gone):
    left = [each.claim for each in workers if each.claim.uid not in gone]
    return {
        each.name: each.allocatable
        - sum((claim.request for claim in left if each.name in claim.gpus), amounts())
        for each in cards
    }


def has_room(asked, cards, workers, gone):
    free = free_without(cards, workers, gone)
    found = choose(
        asked, by_node(cards), free.__getitem__, lambda _: "", PlacementMode.COMPACT_FIRST
    )
    return isinstance(found, Choice)


def sacrifice(asked, cards, workers):
    return choose_victims(
        asked,
        by_node(cards),
        free_without(cards, workers, ()).__getitem__,
        lambda gpu: [each for each in workers if gpu in each.claim.gpus],
        lambda *_: "",
    )


@given(worlds(), DEMANDS)
def test_there_is_room_without_the_victims_and_with_any_one_of_them_there_is_none(world, asked):
    cards, workers = world
    found = sacrifice(asked, cards, workers)
    if found is None:
        event("nothing helps")
        everybody = {each.claim.uid for each in workers}
        assert not has_room(asked, cards, workers, everybody)
        return
    event(f"{len(found.victims)} victims")
    gone = {each.claim.uid for each in found.victims}
    assert has_room(asked, cards, workers, gone)
    free = free_without(cards, workers, gone)
    assert len(found.cards) == asked.count
    assert {each.node for each in found.cards} == {found.node}
    request = amounts(float(asked.request.tflops), float(asked.request.vram_bytes or 0) / 2**30)
    assert all(request.fits_in(free[each.name]) for each in found.cards)
    for uid in gone:
        assert not has_room(asked, cards, workers, gone - {uid})


@given(worlds(), DEMANDS)
def test_all_victims_are_of_one_node(world, asked):
    cards, workers = world
    found = sacrifice(asked, cards, workers)
    if found is not None:
        on_node = {each.name for each in cards if each.node == found.node}
        assert all(on_node.issuperset(each.claim.gpus) for each in found.victims)


@given(worlds(), DEMANDS, st.randoms())
def test_the_order_of_gpus_and_workers_does_not_matter(world, asked, random):
    cards, workers = world
    mixed = list(cards), list(workers)
    for each in mixed:
        random.shuffle(each)
    found, again = sacrifice(asked, cards, workers), sacrifice(asked, *mixed)
    assert (found and (found.node, found.victims)) == (again and (again.node, again.victims))


@given(worlds(), DEMANDS)
def test_no_other_single_victim_would_have_been_less(world, asked):
    cards, workers = world
    found = sacrifice(asked, cards, workers)
    if found is None or not found.victims:
        return
    highest = max(each.rank for each in found.victims)
    alone = [each for each in workers if has_room(asked, cards, workers, {each.claim.uid})]
    assert all(each.rank >= highest for each in alone)


@given(
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from(QOS[:-1])), min_size=1, max_size=6),
    st.integers(1, 100),
)
def test_of_one_gpu_no_fewer_and_no_less_important_ones_would_do(sizes, tflops):
    workers = [
        candidate(f"w{number}", tflops=size, gib=0, qos=qos)
        for number, (size, qos) in enumerate(sizes)
    ]
    cards, asked = [card()], demand(tflops=tflops, gib=0)
    found = sacrifice(asked, cards, workers)
    sets = (some for count in range(7) for some in combinations(workers, count))
    enough = [
        some for some in sets if has_room(asked, cards, workers, {each.claim.uid for each in some})
    ]
    assert counts(found.victims) == min(map(counts, enough))


def counts(victims):
    """Return how many there are of each level, the highest first."""
    return [sum(each.claim.qos == qos for each in victims) for qos in reversed(QOS)]
