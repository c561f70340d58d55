import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.agent.pages.progress import Progress
from autoscaler.agent.sharing.allocator import PERIOD_S, CardUser
from autoscaler.agent.sharing.leftover import MOST_LEFT_SHARE, SWITCHED_SHARE, Leftover
from autoscaler.agent.sharing.slices import Neighbour, share_beside

SHARES = {"a": 0.4, "b": 0.4, "c": 0.2}
OF_5_US, OF_1400_US, OF_11_MS = 200_000, 714, 91
"""Launches in a second of device time."""


class Card:
    """A card whose workers are looked at ten times a second."""

    def __init__(self, shares=SHARES):
        self._leftover = Leftover()
        self._shares = shares

    def look(self, seconds, *, processes=1, busy=1, launches_per_s=OF_5_US, trim_k=1.0, **used):
        """Let time pass in which workers used parts of it; None: nothing is seen of a worker."""
        told = {}
        for _ in range(round(seconds / PERIOD_S)):
            users = [
                CardUser(
                    uid=uid,
                    request=0.0,
                    limit=1.0,
                    qos_rank=1,
                    seen=None if share is None else _seen(share, _of(launches_per_s, uid)),
                    trim_k=trim_k,
                    processes=processes,
                    busy_processes=busy,
                )
                for uid, share in used.items()
            ]
            told = self._leftover.advance(users, self._shares)
        return told


def _of(number, uid):
    return number[uid] if isinstance(number, dict) else number


def _seen(share, launches_per_s):
    charged_s = share * PERIOD_S
    return Progress(
        span_s=PERIOD_S,
        charged_s=charged_s,
        blocked_s=0.0,
        launches=charged_s * launches_per_s,
    )


def kernel_part(left):
    """Return the part of its wall time that the limiter takes for a long kernel's own."""
    return left * (1 - min((1 - left) / 2, SWITCHED_SHARE))


def beside(*shares, launches_per_s=OF_5_US, processes=1.0):
    return share_beside([Neighbour(share, 1 / launches_per_s, processes) for share in shares])


def test_a_worker_alone_is_left_the_whole_card():
    assert Card().look(1.0, a=0.3) == {"a": 1.0}
    assert Card().look(1.0, a=0.3, b=0.0, c=None)["a"] == 1.0


def test_workers_are_left_what_others_and_the_changes_to_them_do_not_take():
    told = Card().look(5.0, a=0.4, b=0.3, c=0.1)

    wanted = {"a": beside(0.3, 0.1), "b": beside(0.4, 0.1), "c": beside(0.4, 0.3)}
    assert {uid: kernel_part(left) for uid, left in told.items()} == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.3, 0.4])
def test_rare_launches_are_told_exactly_too(share):
    left = Card().look(5.0, launches_per_s=OF_1400_US, a=0.4, b=share)["a"]

    wanted = beside(share, launches_per_s=OF_1400_US)
    assert kernel_part(left) == pytest.approx(wanted, abs=0.001)


def test_nothing_is_told_beside_who_takes_less_than_lengths_of_kernels_vary_by():
    assert Card().look(5.0, launches_per_s=OF_1400_US, a=0.4, b=0.01)["a"] is None


def test_trimmed_costs_count_as_they_are_charged():
    left = Card().look(5.0, a=0.1, b=0.2, trim_k=1.5)["a"]

    assert kernel_part(left) == pytest.approx(beside(0.3), abs=0.01)


def test_each_busy_process_of_a_neighbour_counts():
    card = Card()
    of_four = card.look(1.0, processes=4, busy=4, a=0.3, b=0.4)["a"]
    of_one = card.look(5.0, processes=4, busy=0, a=0.3, b=0.4)["a"]

    assert kernel_part(of_four) == pytest.approx(beside(0.4, processes=4.0), abs=0.005)
    assert kernel_part(of_one) == pytest.approx(beside(0.4), abs=0.005)


def test_nothing_is_told_of_a_neighbour_that_was_hardly_looked_at():
    card = Card()

    assert card.look(0.4, a=0.3, b=0.3)["a"] is None
    assert card.look(0.1, a=0.3, b=0.3)["a"] < 1.0


def test_beside_long_launches_the_pauses_between_them_are_left_too():
    shares = {"a": 0.2, "b": 0.6}
    left = Card(shares).look(5.0, launches_per_s=OF_11_MS, a=0.2, b=0.6)["a"]

    assert kernel_part(left) == pytest.approx(0.53, abs=0.02)
    assert kernel_part(left) > beside(0.6) + 0.04


def test_on_a_full_card_nobody_pauses():
    shares = {"a": 0.2, "b": 0.3, "c": 0.5}
    told = Card(shares).look(5.0, launches_per_s=OF_11_MS, a=0.2, b=0.3, c=0.43)

    wanted = beside(0.3, 0.43, launches_per_s=OF_11_MS)
    assert kernel_part(told["a"]) == pytest.approx(wanted, abs=0.01)


def test_beside_long_launches_nothing_is_told_to_a_worker_whose_own_are_short_on_the_average():
    told = Card().look(5.0, launches_per_s={"a": OF_1400_US, "b": OF_11_MS}, a=0.3, b=0.3)

    assert told["a"] is None
    assert kernel_part(told["b"]) == pytest.approx(beside(0.3, launches_per_s=OF_1400_US), abs=0.01)


def test_beside_long_launches_nothing_is_told_to_a_worker_that_was_hardly_looked_at():
    card = Card()
    card.look(1.0, launches_per_s=OF_11_MS, a=None, b=0.3)

    assert card.look(0.4, launches_per_s=OF_11_MS, a=0.3, b=0.3)["a"] is None
    assert card.look(0.1, launches_per_s=OF_11_MS, a=0.3, b=0.3)["a"] is not None


def test_a_neighbour_that_stopped_is_gone_after_two_looks():
    card = Card()
    card.look(2.0, a=0.3, b=0.3)

    assert card.look(0.1, a=0.3, b=0.0)["a"] < 1.0
    assert card.look(0.1, a=0.3, b=0.0)["a"] == 1.0
    assert card.look(0.1, a=0.3, b=0.001)["a"] < 1.0


def test_processes_of_one_worker_are_never_alone():
    assert Card().look(1.0, a=0.3, processes=2) == {"a": None}


def test_nobody_counts_for_more_than_its_share_in_force():
    told = Card({"a": 0.8, "b": 0.1}).look(5.0, a=0.5, b=1e6)

    assert kernel_part(told["a"]) == pytest.approx(beside(0.1), abs=1e-6)


def test_small_changes_are_not_told():
    card = Card()
    before = card.look(5.0, a=0.3, b=0.3)["a"]

    assert card.look(5.0, a=0.3, b=0.304)["a"] == before
    after = card.look(5.0, a=0.3, b=0.33)["a"]
    assert kernel_part(after) == pytest.approx(beside(0.33), abs=0.005)


@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 2.0),
            st.floats(0.01, 1e6),
            st.floats(0.0, 1.0),
            st.integers(0, 64),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_the_pages_say_a_part_of_the_card_is_told_or_nothing(workers):
    names = [str(number) for number in range(len(workers))]
    card = Leftover()
    shares = {name: in_force for name, (_, _, in_force, _) in zip(names, workers, strict=True)}
    users = [
        CardUser(
            uid=name,
            request=0.0,
            limit=1.0,
            qos_rank=1,
            seen=_seen(share, launches_per_s),
            busy_processes=busy,
        )
        for name, (share, launches_per_s, _, busy) in zip(names, workers, strict=True)
    ]
    for _ in range(8):
        told = card.advance(users, shares)

    assert told.keys() == shares.keys()
    assert all(left in {None, 1.0} or 0 < left <= MOST_LEFT_SHARE for left in told.values())
