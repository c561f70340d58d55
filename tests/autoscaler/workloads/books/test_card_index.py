"""Cards by pool and node, after any changes."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.workloads.books.card_index import CardIndex
from tests.autoscaler.workloads.entries import card

CARDS = st.builds(
    card,
    st.sampled_from(("gpu-1", "gpu-2", "gpu-3", "gpu-4")),
    index=st.none() | st.integers(0, 3),
    node=st.sampled_from(("", "n1", "n2")),
    pool=st.sampled_from(("", "a", "b")),
)
CHANGES = st.lists(CARDS | st.sampled_from(("gpu-1", "gpu-2", "gpu-3", "gpu-4")), max_size=20)


def test_cards_of_a_node_stand_in_the_order_of_their_index():
    index = CardIndex()
    for name, place in (("gpu-a", 2), ("gpu-b", None), ("gpu-c", 0), ("gpu-d", 2)):
        index.set(card(name, index=place))
    assert [each.name for each in index.of_pool("pool")["n1"]] == [
        "gpu-c",
        "gpu-a",
        "gpu-d",
        "gpu-b",
    ]


def test_what_was_handed_out_never_changes():
    index = CardIndex()
    index.set(card("gpu-1"))
    before = index.of_pool("pool")
    index.set(card("gpu-2"))
    index.remove("gpu-1")
    assert {"n1": (card("gpu-1"),)} == dict(before)


@given(CHANGES)
def test_the_index_is_that_of_the_cards_that_are_there(changes):
    index, cards = CardIndex(), {}
    for change in changes:
        if isinstance(change, str):
            assert cards.pop(change, None) == index.remove(change)
        else:
            assert cards.get(change.name) == index.set(change)
            cards[change.name] = change
    expected = defaultdict(set)
    for each in cards.values():
        expected[each.pool, each.node].add(each)
    found = {
        (pool, node): set(here)
        for pool in ("", "a", "b")
        for node, here in index.of_pool(pool).items()
    }
    assert expected == found
    assert list(cards.values()) == sorted(index, key=lambda each: list(cards).index(each.name))
