"""What the log of the process tells of changes."""

import logging

import pytest

from autoscaler.scaling.records import Records
from autoscaler.scaling.running.change_lines import MOST_LINES, ChangeLines, change_line
from recommender.report.blocks import HistoryEntry
from tests.autoscaler.scaling.builders import START

GIB = 2.0**30


def entry(**values):
    known = {
        "time_s": START,
        "resource": "tflops",
        "layer": "limits",
        "before": 80.0,
        "after": 160.0,
        "reason": "demand grew",
    }
    return HistoryEntry(**{**known, **values})


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({}, "limit 80 -> 160 TFLOPS: demand grew"),
        (
            {"resource": "vram_bytes", "layer": "requests", "before": 8 * GIB, "after": 4 * GIB},
            "request 8 -> 4 GiB: demand grew",
        ),
        (
            {"resource": "replicas", "layer": "replicas", "before": 1.0, "after": 2.0},
            "replicas 1 -> 2: demand grew",
        ),
        ({"outcome": "capped: GPU full"}, "limit 80 -> 160 TFLOPS (capped: GPU full): demand grew"),
        ({"outcome": "rolled back"}, "limit 80 -> 160 TFLOPS (rolled back): demand grew"),
        (
            {"outcome": "the workload was paused"},
            "limit 80 -> 160 TFLOPS (not changed, the workload was paused): demand grew",
        ),
    ],
    ids=str,
)
def test_a_line_has_the_number_what_became_of_it_and_why(values, line):
    assert change_line(entry(**values)) == line


def test_each_change_is_told_once_when_its_tick_is_shown(caplog):
    caplog.set_level(logging.INFO)
    records = Records()
    lines = ChangeLines(records)
    records.add_history([(("team", "chat"), entry())])

    before = list(caplog.messages)
    lines(None)
    lines(None)

    assert before == []
    assert caplog.messages == ["team/chat: limit 80 -> 160 TFLOPS: demand grew"]


def test_a_tick_of_many_changes_does_not_flood_the_log(caplog):
    caplog.set_level(logging.INFO)
    records = Records()
    lines = ChangeLines(records)
    records.add_history((("team", f"chat-{i}"), entry()) for i in range(MOST_LINES + 2))

    lines(None)

    assert len(caplog.messages) == MOST_LINES + 1
    assert caplog.messages[-1] == "... and 2 changes more in this tick"
