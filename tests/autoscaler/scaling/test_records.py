from __future__ import annotations

from autoscaler.scaling.records import HISTORY_KEPT, Records
from recommender.report.blocks import HistoryEntry

KEY = ("team", "chat")


def _entry(time_s, outcome="applied", after=90.0, layer="limits"):
    return HistoryEntry(
        time_s=time_s, resource="tflops", layer=layer, before=80.0, after=after, outcome=outcome
    )


def _history(*entries):
    records = Records()
    records.add_history((KEY, entry) for entry in entries)
    return [entry.time_s for entry in records.history_of(KEY)]


def test_applied_changes_are_all_kept():
    assert _history(_entry(1), _entry(2)) == [1, 2]


def test_a_change_that_fails_again_in_the_same_way_is_told_once():
    full = "capped: the GPUs have no room for more tflops"

    times = _history(_entry(1, full), _entry(2, full), _entry(3, layer="requests"), _entry(4, full))

    assert times == [1, 3]


def test_another_amount_or_outcome_is_told_again():
    assert _history(_entry(1, "quota"), _entry(2, "quota", 95.0), _entry(3, "paused")) == [1, 2, 3]


def test_a_history_is_bounded_and_loses_its_oldest_entries():
    times = _history(*(_entry(time_s) for time_s in range(HISTORY_KEPT + 10)))

    assert times == list(range(10, HISTORY_KEPT + 10))


def test_an_unknown_workload_has_no_history():
    assert Records().history_of(("team", "nobody")) == ()
