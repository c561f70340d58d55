"""Verdicts, what travels between processes, and the table."""

import json
import math

import pytest

from tests.benchmarks.gpu.outcomes import (
    ExperimentError,
    Outcome,
    Record,
    Row,
    recorded,
    write_document,
)
from tests.benchmarks.gpu.tables import markdown

MET = Row(what="share", value=24.0, unit="%", low=23.0, high=27.0)
MISSED = Row(what="time", value=1.5, unit="s", high=1.0)
TOLD = Row(what="period", value=200.0, unit="ms")


def outcome(*rows, ending="ended", problem=""):
    return Outcome(
        number=7,
        title="a limit",
        pass_line="within 2 points",
        ending=ending,
        problem=problem,
        rows=rows,
        ran="gemm | 50 %",
    )


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [((MET, TOLD), "passed"), ((MET, MISSED), "missed"), ((TOLD,), "measured")],
)
def test_one_number_that_misses_its_line_is_enough(rows, verdict):
    assert outcome(*rows).verdict == verdict


@pytest.mark.parametrize("ending", ["not run", "failed"])
def test_what_did_not_end_has_no_other_verdict(ending):
    assert outcome(MET, ending=ending).verdict == ending


def test_ends_of_what_is_allowed_are_allowed():
    values = (22.9, 23.0, 27.0, 27.1)
    rows = [Row(what="share", value=value, unit="%", low=23.0, high=27.0) for value in values]
    assert [row.is_met for row in rows] == [False, True, True, False]


def test_a_record_reads_as_it_was_written(tmp_path):
    record = Record(tmp_path / "record")
    record.ran("one")
    record.row(MET)
    record.ran("two")
    record.row(TOLD)
    record.end("ended")
    found = recorded(tmp_path / "record")
    assert (found.ran, found.rows, found.ending) == ("one; two", (MET, TOLD), "ended")


def test_a_record_of_a_killed_process_has_what_came_before(tmp_path):
    record = Record(tmp_path / "record")
    record.row(MET)
    with (tmp_path / "record").open("a") as file:
        file.write('{"row": {"wha')
    found = recorded(tmp_path / "record")
    assert (found.rows, found.ending) == ((MET,), None)


def test_a_process_that_wrote_nothing_has_an_empty_record(tmp_path):
    assert recorded(tmp_path / "none").rows == ()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_refused(tmp_path, value):
    with pytest.raises(ExperimentError, match="no number"):
        Record(tmp_path / "record").row(Row(what="share", value=value, unit="%"))


def test_the_table_has_every_experiment_and_its_numbers():
    page = markdown({"card": {"name": "H100"}}, [outcome(MET, MISSED)])
    assert "| card | name H100 |" in page
    assert r"| 7 | a limit | gemm \| 50 % | 1 of 2 met | within 2 points | missed |" in page
    assert "| share | 24 % | 23 to 27 | yes |  |" in page
    assert "| time | 1.5 s | <= 1 | **no** |  |" in page


def test_the_table_says_why_an_experiment_was_not_run():
    page = markdown({}, [outcome(ending="not run", problem="no GPU")])
    assert "not run: no GPU |" in page
    assert "## 7." not in page


def test_the_document_holds_verdicts(tmp_path):
    write_document(tmp_path / "all.json", {"size": "small"}, [outcome(MET)])
    document = json.loads((tmp_path / "all.json").read_text())
    assert document["size"] == "small"
    experiment = document["experiments"][0]
    assert experiment["verdict"] == "passed"
    assert experiment["rows"][0]["is_met"] is True
