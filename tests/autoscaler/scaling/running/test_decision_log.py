from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from autoscaler.clock import VirtualClock
from autoscaler.errors import UsageError
from autoscaler.scaling.loop import Loop, LoopSettings
from autoscaler.scaling.records import Records
from autoscaler.scaling.running.decision_log import SCHEMA, DecisionLog
from recommender.policy.model import Mode
from recommender.report.blocks import HistoryEntry
from recommender.resources import TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import START, ListSource, StandingCluster, view
from tests.autoscaler.scaling.histories import read_history

PAGE = Path(__file__).parents[4] / "docs" / "decision-log.md"
HOUR_S = 3600
RESOURCES = (TFLOPS, VRAM)
KEY = ("team", "chat")


def _entry(time_s=START, outcome="applied"):
    return HistoryEntry(
        time_s=time_s, resource="tflops", layer="limits", before=80.0, after=90.0, outcome=outcome
    )


def _lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "decisions.jsonl"


def _write(path, *entries, **options):
    """Have some changes written, and return how many lines were dropped."""
    records, log = Records(), DecisionLog(path, RESOURCES, **options)
    log.follow(records)
    records.add_history((KEY, entry) for entry in entries)
    log.close()
    return log.dropped


def test_a_tick_writes_its_decisions_with_sentences_and_what_became_of_its_changes(path):
    source, clock = ListSource("tflops"), VirtualClock(START + HOUR_S)
    for ts in range(START, START + HOUR_S, 15):
        source.put("tflops", ts, 76.0)
    cluster = StandingCluster(view("chat", "auto-limits"))
    loop = Loop(cluster, source, clock, UsageModel(RESOURCES), LoopSettings(mode=Mode.APPLY))
    log = DecisionLog(path, RESOURCES)
    log.follow(loop.records)
    read_history(loop, START)

    loop.tick()
    log.close()

    decision, change = _lines(path)
    (applied,) = cluster.applied
    assert (decision["schema"], decision["kind"]) == (SCHEMA, "decision")
    assert (decision["namespace"], decision["workload"]) == KEY
    assert decision["gpu_model"] == "NVIDIA A100-SXM4-80GB"
    assert decision["time_s"] == change["time_s"] == START + HOUR_S
    assert decision["next_limit"]["tflops"] == pytest.approx(applied.limit["tflops"], abs=1e-3)
    sentences = [step["sentence"] for step in decision["steps"] if step["layer"] == "limits"]
    assert any("TFLOPS" in sentence for sentence in sentences)
    assert change == {
        "schema": SCHEMA,
        "kind": "change",
        "namespace": "team",
        "workload": "chat",
        "time_s": START + HOUR_S,
        "resource": "tflops",
        "layer": "limits",
        "before": 80.0,
        "after": applied.limit["tflops"],
        "reason": applied.reason,
        "outcome": "applied",
    }


def test_the_fields_of_a_line_are_those_that_the_documentation_lists(path):
    documentation = PAGE.read_text("utf-8")
    source, clock = ListSource("tflops"), VirtualClock(START + HOUR_S)
    source.put("tflops", START, 76.0)
    loop = Loop(StandingCluster(view()), source, clock, UsageModel(RESOURCES))
    log = DecisionLog(path, RESOURCES)
    log.follow(loop.records)
    loop.tick()
    loop.records.add_history([(KEY, _entry())])
    log.close()

    decision, change = _lines(path)
    fields = {*decision, *change, *(name for step in decision["steps"] for name in step)}

    assert {name for name in fields if f"| `{name}` |" not in documentation} == set()


def test_a_change_that_fails_again_in_the_same_way_is_written_once(path):
    _write(path, _entry(1, "quota"), _entry(2, "quota"), _entry(3))

    assert [line["time_s"] for line in _lines(path)] == [1, 3]


def test_a_file_is_appended_to(path):
    _write(path, _entry(1))
    _write(path, _entry(2))

    assert [line["time_s"] for line in _lines(path)] == [1, 2]


def test_a_file_that_would_grow_too_large_is_put_aside_and_two_are_kept(path):
    dropped = _write(path, *(_entry(time_s) for time_s in range(1, 100)), max_bytes=1000)

    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["decisions.jsonl", "decisions.jsonl.1"]
    assert all(file.stat().st_size <= 1000 for file in files)
    times = [line["time_s"] for file in reversed(files) for line in _lines(file)]
    assert times == list(range(times[0], 100))
    assert dropped == 0


@pytest.mark.parametrize("name", ["missing/decisions.jsonl", "."])
def test_a_file_that_cannot_be_opened_is_refused_with_its_name(tmp_path, name):
    path = tmp_path / name

    with pytest.raises(UsageError, match=r"decision log .* cannot be opened: .*; allowed: a file"):
        DecisionLog(path, RESOURCES)


def test_a_full_disk_is_counted_and_said_once_and_stops_nothing(caplog):
    with caplog.at_level(logging.WARNING):
        dropped = _write(Path("/dev/full"), _entry(1), _entry(2), _entry(3))

    assert dropped >= 3
    assert caplog.text.count("lost a line: [Errno 28]") == 1


def test_lines_that_wait_are_bounded(path, caplog):
    dropped = _write(path, _entry(1), _entry(2), most_waiting=0)

    assert dropped == 2
    assert path.read_text("utf-8") == ""
    assert caplog.text.count("more lines wait for the disk than are kept") == 1
