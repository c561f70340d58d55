from hypothesis import given
from hypothesis import strategies as st

from autoscaler.kube.lanes import OLDEST_EVERY, Lanes, Priority

PRIORITIES = st.sampled_from(Priority)


def all_of(lanes):
    taken = []
    while (next_one := lanes.take()) is not None:
        taken.append(next_one)
    return taken


def test_priorities_are_ordered_from_denials_to_status():
    assert [str(each) for each in sorted(Priority, key=lambda each: each.rank)] == [
        "denial",
        "saturation",
        "raise",
        "decrease",
        "status",
    ]


def test_the_most_urgent_key_is_next_and_among_equals_the_oldest():
    lanes = Lanes()
    for key, priority in [
        ("a", Priority.STATUS),
        ("b", Priority.RAISE),
        ("c", Priority.DENIAL),
        ("d", Priority.RAISE),
    ]:
        lanes.put(key, priority)
    assert [key for key, _ in all_of(lanes)] == ["c", "b", "d", "a"]


def test_a_key_that_waits_only_becomes_more_urgent():
    lanes = Lanes()
    lanes.put("a", Priority.DECREASE)
    lanes.put("a", Priority.STATUS)
    lanes.put("b", Priority.STATUS)
    lanes.put("b", Priority.DENIAL)
    assert lanes.counts() == {
        Priority.DENIAL: 1,
        Priority.SATURATION: 0,
        Priority.RAISE: 0,
        Priority.DECREASE: 1,
        Priority.STATUS: 0,
    }
    assert all_of(lanes) == [("b", Priority.DENIAL), ("a", Priority.DECREASE)]


@given(st.lists(st.tuples(st.integers(0, 20), PRIORITIES)))
def test_every_key_comes_once_with_the_most_urgent_of_its_priorities(puts):
    lanes = Lanes()
    for key, priority in puts:
        lanes.put(key, priority)
    assert len(lanes) == len({key for key, _ in puts})
    expected = {}
    for key, priority in puts:
        expected[key] = min(expected.get(key, priority), priority, key=lambda each: each.rank)
    taken = all_of(lanes)
    assert dict(taken) == expected
    assert len(taken) == len(expected)


@given(st.integers(0, 30), st.integers(1, 4))
def test_a_status_moves_on_however_many_raises_come(ahead, raises_per_turn):
    lanes = Lanes()
    for number in range(ahead):
        lanes.put(("ahead", number), Priority.RAISE)
    lanes.put("status", Priority.STATUS)
    for turn in range(OLDEST_EVERY * (ahead + 1)):
        for number in range(raises_per_turn):
            lanes.put((turn, number), Priority.RAISE)
        taken = lanes.take()
        assert taken is not None
        if taken[0] == "status":
            return
    raise AssertionError(f"the status still waits after {OLDEST_EVERY * (ahead + 1)} turns")


@given(st.integers(0, 100), st.integers(1, 30))
def test_statuses_delay_raises_by_one_turn_in_eight_at_most(statuses, raises):
    lanes = Lanes()
    for number in range(statuses):
        lanes.put(("status", number), Priority.STATUS)
    for number in range(raises):
        lanes.put(("raise", number), Priority.RAISE)
    turns = [priority for _, priority in all_of(lanes)]
    last_raise = max(at for at, priority in enumerate(turns) if priority is Priority.RAISE)
    overtaking = turns[:last_raise].count(Priority.STATUS)
    assert overtaking <= (last_raise + 1) // OLDEST_EVERY
