"""The choice of a worker is fair, stable, and the same whatever the order."""

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.workloads.connections.worker_choice import Candidate, choose_worker

CANDIDATES = st.lists(
    st.builds(
        Candidate,
        name=st.sampled_from("abcdef"),
        stays=st.booleans(),
        is_open=st.booleans(),
        clients=st.integers(0, 5),
    ),
    unique_by=lambda each: each.name,
)
MOST = st.one_of(st.none(), st.integers(1, 4))


@given(CANDIDATES, st.sampled_from(["", *"abcdef"]), MOST, st.randoms())
def test_the_choice_serves_has_room_and_does_not_hang_on_the_order(found, present, most, random):
    chosen = choose_worker(found, present, most_clients=most)
    shuffled = random.sample(found, len(found))
    assert choose_worker(shuffled, present, most_clients=most) == chosen
    by_name = {each.name: each for each in found}
    open_ones = [
        each for each in found if each.stays and each.is_open and (not most or each.clients < most)
    ]
    if present in by_name and by_name[present].stays:
        assert chosen == present
    elif open_ones:
        assert by_name[chosen] in open_ones
        assert by_name[chosen].clients == min(each.clients for each in open_ones)
    else:
        assert chosen is None


@given(st.integers(1, 6), st.integers(0, 40))
def test_clients_that_come_one_after_another_are_spread_evenly(workers, clients):
    counts = dict.fromkeys("abcdef"[:workers], 0)
    for _ in range(clients):
        found = [
            Candidate(name=name, stays=True, is_open=True, clients=count)
            for name, count in counts.items()
        ]
        counts[choose_worker(found, "", most_clients=None)] += 1
    assert max(counts.values()) - min(counts.values()) <= 1
