from __future__ import annotations

from dataclasses import fields
from threading import Thread

import numpy as np

from autoscaler.scaling.records import HISTORY_KEPT, Records
from recommender.decision import Decisions, StepLog
from recommender.report.blocks import HistoryEntry

KEY = ("team", "chat")
ROWS = (("team", "chat", "A100"), ("team", "other", "A100"))


def _decisions(*next_limit, is_decided=True):
    """Return decisions that say nothing but these limits, ``[W, 1]``."""
    unknown = np.full((len(next_limit), 1), np.nan)
    columns = dict.fromkeys((item.name for item in fields(Decisions)), unknown)
    replicas = dict.fromkeys(
        ("target_replicas", "next_replicas", "unknown_replicas"), unknown[:, 0]
    )
    table = StepLog().table()
    limits = np.array(next_limit)
    decided = dict.fromkeys(
        ("is_decided_request", "is_decided_limit"), np.full(limits.shape, is_decided)
    )
    return Decisions(**(columns | replicas | decided | {"next_limit": limits, "steps": table}))


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


def test_what_a_hold_keeps_back_is_told_once_although_its_amount_moves():
    held = "the history is still being read"

    assert _history(_entry(1, held), _entry(2, held, 95.0), _entry(3), _entry(4, held)) == [1, 3, 4]


def test_listeners_hear_of_new_changes_only():
    records, heard = Records(), []
    records.on_history(lambda key, entry: heard.append((key, entry.time_s)))

    records.add_history([(KEY, _entry(1, "quota")), (KEY, _entry(2, "quota")), (KEY, _entry(3))])

    assert heard == [(KEY, 1), (KEY, 3)]


def test_listeners_hear_of_decisions_that_say_something_new():
    records, heard = Records(), []
    records.on_decision(lambda key, record: heard.append((key, record.time_s)))
    decisions = _decisions([100.0], [50.0])

    records.add_decisions(ROWS, decisions, 1)
    records.add_decisions(ROWS, decisions, 2)
    records.add_decisions(ROWS, _decisions([100.0], [70.0]), 3)

    assert heard == [(ROWS[0], 1), (ROWS[1], 1), (ROWS[1], 3)]
    assert [record.time_s for record in records.decisions_of(ROWS[1])] == [1, 3]


def test_what_is_wanted_and_not_in_force_is_told_once_although_most_ticks_decide_nothing():
    records = Records()

    for time_s in range(6):
        wanted = time_s % 2 == 0
        limits = _decisions([100.0 if wanted else 80.0], [50.0], is_decided=wanted)
        records.add_decisions(ROWS, limits, time_s)
    records.add_decisions(ROWS, _decisions([80.0], [50.0]), 7)

    assert [record.time_s for record in records.decisions_of(ROWS[0])] == [0, 7]


def test_a_restored_history_is_not_told_again():
    records, heard = Records(), []
    records.on_history(lambda key, entry: heard.append(key))

    records.restore_history({KEY: [_entry(1)]})

    assert heard == []
    assert records.histories() == {KEY: (_entry(1),)}


def test_another_thread_sees_what_was_before_a_tick_or_all_that_it_added():
    records, seen = Records(), []
    reader = Thread(target=lambda: seen.extend(records.history_of(KEY)))

    def entries():
        yield KEY, _entry(1)
        reader.start()
        reader.join(timeout=0.1)
        yield KEY, _entry(2)

    records.add_history(entries())
    reader.join()

    assert [entry.time_s for entry in seen] == [1, 2]
