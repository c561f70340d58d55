"""Laws of choosing GPUs, over small clusters of all kinds."""

from itertools import combinations

from hypothesis import event, given
from hypothesis import strategies as st

from autoscaler.api.names import GPU_INDICES, GPU_MODEL
from autoscaler.workloads.placement.choose import Choice, PlacementMode
from tests.autoscaler.workloads.cards import A100, L4, Room, amounts, card, demand

NODES = ("n1", "n2", "n3")
KINDS = ({"gpu_model": A100, "model": "A100"}, {"gpu_model": L4, "model": "L4"})
MODES = st.sampled_from(PlacementMode)


@st.composite
def rooms(draw):
    cards, used = [], {}
    for node in NODES:
        for index in range(draw(st.integers(0, 4))):
            problem = draw(st.sampled_from(("", "", "", "being deleted")))
            made = card(node, index, problem=problem, **draw(st.sampled_from(KINDS)))
            cards.append(made)
            used[made.name] = amounts(
                draw(st.sampled_from((0, 30, 60, 100, 120))), draw(st.sampled_from((0, 20, 80)))
            )
    misfits = {node: draw(st.sampled_from(("", "", "cordoned"))) for node in NODES}
    return Room(cards=tuple(draw(st.permutations(cards))), used=used, misfits=misfits)


@st.composite
def demands(draw):
    model = draw(st.sampled_from(("", "", "A100", "l4")))
    indices = draw(st.sampled_from(("", "", "", "0", "1,0", "2,3")))
    return demand(
        tflops=draw(st.sampled_from((1, 40, 100))),
        gib=draw(st.sampled_from((0, 10, 60))),
        count=draw(st.integers(1, 3)),
        annotations={GPU_MODEL: model, GPU_INDICES: indices},
    )


def will_do(room, asked, cards):
    """Return whether these GPUs are an answer, said as plainly as it can be."""
    request = amounts(float(asked.request.tflops or 0), 0) + amounts(
        0, float(asked.request.vram_bytes or 0) / 2**30
    )
    return (
        len(cards) == asked.count
        and len({each.node for each in cards}) == 1
        and len({each.gpu_model for each in cards}) == 1
        and not room.misfits[cards[0].node]
        and not any(each.problem for each in cards)
        and all(asked.model.upper() in {"", each.model} for each in cards)
        and (not asked.indices or {each.index for each in cards} == set(asked.indices))
        and all(request.fits_in(room.free_of(each.name)) for each in cards)
    )


@given(rooms(), demands(), MODES)
def test_there_is_a_choice_just_where_there_is_a_place_and_it_fits(room, asked, mode):
    found = room.choose(asked, mode)
    is_choice = isinstance(found, Choice)
    event("chosen" if is_choice else "short")
    if is_choice:
        assert will_do(room, asked, found.cards)
        assert {each.node for each in found.cards} == {found.node}
    else:
        everything = combinations(room.cards, asked.count)
        assert not any(will_do(room, asked, cards) for cards in everything)


@given(rooms(), demands(), MODES, st.randoms())
def test_the_order_of_gpus_does_not_matter(room, asked, mode, random):
    cards = list(room.cards)
    random.shuffle(cards)
    other = Room(cards=tuple(cards), used=room.used, misfits=room.misfits)
    assert room.choose(asked, mode) == other.choose(asked, mode)


@given(rooms(), demands(), MODES)
def test_a_shortage_says_in_words_how_many_gpus_are_missing(room, asked, mode):
    found = room.choose(asked, mode)
    if isinstance(found, Choice):
        return
    assert 1 <= found.missing_gpus <= asked.count
    assert found.message
    assert found.gpu_model == asked.model
