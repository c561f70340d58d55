import json

from tests.benchmarks.targets import Measured, as_text, write_json

ROWS = [
    Measured(what="tick", value=0.25, unit="s", target=2.0),
    Measured(what="page", value=5.0, unit="MB", target=4.0),
    Measured(what="stage", value=0.1, unit="s"),
]


def test_a_number_up_to_its_target_is_ok_and_one_above_is_missed():
    assert [row.verdict for row in ROWS] == ["ok", "MISSED", ""]


def test_the_table_has_a_line_per_number_with_units_on_both_sides():
    lines = as_text(ROWS).splitlines()
    assert len(lines) == 4
    assert lines[1].split() == ["tick", "0.25", "s", "<=", "2", "s", "ok"]
    assert lines[3].split() == ["stage", "0.1", "s"]


def test_the_file_holds_what_the_table_shows(tmp_path):
    path = tmp_path / "build" / "bench.json"
    write_json(ROWS, path)
    assert [row["verdict"] for row in json.loads(path.read_text())] == ["ok", "MISSED", ""]
