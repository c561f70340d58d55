import csv
import io

import pytest

from tests.generated_usage import fleet, minutes, series, write_csv


@pytest.fixture
def backtest(tfa, usage, workloads):
    def backtest(*arguments):
        return tfa(
            "backtest", "--from", usage, "--workloads", workloads, "--since", "12h", *arguments
        )

    return backtest


def rows_of(ended):
    return {(row["layer"], row["resource"], row["workload"]): row for row in ended.json["scores"]}


def test_scores_are_given_for_every_layer_resource_and_workload(backtest):
    ended = backtest("-o", "json")
    assert ended.code == 0
    rows = rows_of(ended)
    assert set(rows) == {
        (layer, resource, name)
        for layer in ("requests", "limits")
        for resource in ("tflops", "vram_bytes")
        for name in (None, "chat", "search", "train")
    }
    for row in rows.values():
        assert row["slack_ratio"] > 0
        assert 0 <= row["violated_share"] < 0.05
    assert rows["requests", "vram_bytes", None]["denied_vram_minutes"] == 0
    assert rows["requests", "tflops", None]["denied_vram_minutes"] is None


def test_fleet_only_leaves_out_the_workloads(backtest):
    assert {name for *_, name in rows_of(backtest("-o", "json", "--fleet-only"))} == {None}


def test_a_closed_loop_sees_no_use_above_its_own_limit(backtest):
    ended = backtest("--layer", "limits", "--closed-loop", "--decision-step", "10m", "-o", "json")
    assert ended.code == 0
    assert ended.json["is_closed_loop"] is True
    assert ended.json["decision_steps_s"] == {"limits": 600}


def test_next_amounts_of_workloads_that_are_not_enrolled_do_not_move(backtest):
    rows = rows_of(backtest("--layer", "requests", "--amounts", "next", "-o", "json"))
    assert rows["requests", "tflops", "chat"]["changes_per_day"] == 0


def test_replicas_need_a_stated_limit(backtest):
    rows = rows_of(backtest("--layer", "replicas", "-o", "json"))
    assert {name for *_, name in rows} == {None, "chat", "search"}


def test_formats_agree(backtest):
    hourly = ("--decision-step", "1h")
    records = backtest(*hourly, "-o", "json").json["scores"]
    found = list(csv.DictReader(io.StringIO(backtest(*hourly, "-o", "csv").out)))
    assert [row["workload"] or None for row in found] == [row["workload"] for row in records]
    table = backtest(*hourly).out
    assert table.count("\n") >= len(records)
    assert "(fleet)" in table


def test_a_step_of_ten_minutes_is_replayed_in_its_own_multiples(tfa, tmp_path):
    ts = minutes(500, 600)
    path = write_csv(series("a/b", "tokens", ts, [5.0] * 500), tmp_path / "u.csv")
    ended = tfa("backtest", "--from", path, "-o", "json")
    assert ended.json["decision_steps_s"] == {"requests": 3600, "limits": 600}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--engine", "spark"], "engine: 'spark' is not valid; allowed: local, or dask://"),
        (["--jobs", "0"], "jobs: 0 is not valid"),
        (["--decision-step", "90s"], "a multiple of 60 s"),
        (["--decision-step", "often"], "--decision-step: 'often' is not valid"),
        (["--delay", "5"], "--delay"),
    ],
)
def test_wrong_arguments_end_with_2(backtest, arguments, words):
    ended = backtest(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


def test_a_clock_that_jumped_far_is_an_input_error(tfa, tmp_path):
    frame = fleet([f"a/{i}" for i in range(10)], 0.05)
    path = write_csv(frame, tmp_path / "u.csv")
    late = series("a/0", "tflops", minutes(9) + 4_000_000_000, [1.0] * 9)
    late.to_csv(path, mode="a", header=False, index=False)
    ended = tfa("backtest", "--from", path, "--since", "1200000h")
    assert (ended.code, ended.out) == (3, "")
    assert "did a clock jump?" in ended.err


def test_three_samples_leave_nothing_to_judge(tfa, tmp_path):
    path = write_csv(series("a/b", "tflops", minutes(3), [1.0, 2.0, 3.0]), tmp_path / "u.csv")
    ended = tfa("backtest", "--from", path)
    assert ended.code == 0
    assert "nothing to judge: no workload has at least 30 min and 12 samples" in ended.out


def test_without_an_enrolled_layer_there_is_no_next_amount_to_judge(tfa, usage):
    ended = tfa("backtest", "--from", usage, "--amounts", "next", "--since", "4h")
    assert ended.code == 0
    assert "a layer that the workloads file enrols (--amounts next)" in ended.out
