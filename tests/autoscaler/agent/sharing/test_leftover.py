import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.agent.pages.progress import Progress
from autoscaler.agent.sharing.allocator import PERIOD_S, CardUser
from autoscaler.agent.sharing.leftover import Leftover, left_share

SHARES = {"a": 0.4, "b": 0.4, "c": 0.2}
OF_5_US, OF_11_MS = 200_000, 90
"""Launches in a second of device time."""


class Card:
    """A card whose workers are looked at ten times a second."""

    def __init__(self, shares=SHARES):
        self._leftover = Leftover()
        self._shares = shares

    def look(self, seconds, *, processes=1, launches_per_s=OF_5_US, trim_k=1.0, **used):
        """Let time pass in which workers used parts of it; None: nothing is seen of a worker."""
        told = {}
        for _ in range(round(seconds / PERIOD_S)):
            users = [
                CardUser(
                    uid=uid,
                    request=0.0,
                    limit=1.0,
                    qos_rank=1,
                    seen=None if share is None else _seen(share, launches_per_s),
                    trim_k=trim_k,
                    processes=processes,
                )
                for uid, share in used.items()
            ]
            told = self._leftover.advance(users, self._shares)
        return told


def _seen(share, launches_per_s):
    charged_s = share * PERIOD_S
    return Progress(
        span_s=PERIOD_S,
        charged_s=charged_s,
        blocked_s=0.0,
        launches=round(charged_s * launches_per_s),
    )


def test_a_worker_alone_is_left_the_whole_card():
    assert Card().look(1.0, a=0.3) == {"a": 1.0}
    assert Card().look(1.0, a=0.3, b=0.0, c=None)["a"] == 1.0


def test_workers_are_left_what_others_use():
    told = Card().look(5.0, a=0.4, b=0.3, c=0.1)

    assert told == pytest.approx({"a": 0.6, "b": 0.5, "c": 0.35}, abs=0.01)


def test_trimmed_costs_count_as_they_are_charged():
    assert Card().look(5.0, a=0.1, b=0.2, trim_k=1.5)["a"] == pytest.approx(0.7, abs=0.01)


def test_nothing_is_told_of_a_neighbour_that_was_hardly_looked_at():
    card = Card()

    assert card.look(0.4, a=0.3, b=0.3)["a"] is None
    assert card.look(0.1, a=0.3, b=0.3)["a"] < 1.0


def test_nothing_is_told_beside_launches_that_are_longer_than_a_time_slice():
    assert Card().look(5.0, a=0.3, b=0.3, launches_per_s=OF_11_MS)["a"] is None


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

    assert told["a"] == pytest.approx(0.9)


def test_small_changes_are_not_told():
    card = Card()
    before = card.look(5.0, a=0.3, b=0.3)["a"]

    assert card.look(5.0, a=0.3, b=0.305)["a"] == before
    assert card.look(5.0, a=0.3, b=0.33)["a"] == pytest.approx(0.67, abs=0.01)


@given(st.lists(st.floats(0.0, 1.0), max_size=6))
def test_time_slices_are_fair_and_leave_no_time_over(used):
    left = left_share(used)

    assert left >= 1 / (len(used) + 1) - 1e-9
    assert left + sum(min(share, left) for share in used) == pytest.approx(1.0)
