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
    scored = {
        (layer, resource, name)
        for layer in ("requests", "limits")
        for resource in ("tflops", "vram_bytes")
        for name in (None, "chat", "search", "train")
    }
    assert set(rows) == scored | {("all", "gpu", name) for name in (None, "chat", "search")}
    for key in scored:
        row = rows[key]
        assert row["slack_ratio"] > 0
        assert 0 <= row["violated_share"] < 0.05
        assert row["allocated_hours"] == pytest.approx(row["used_hours"] * (1 + row["slack_ratio"]))
    assert rows["requests", "vram_bytes", None]["denied_vram_minutes"] == 0
    assert rows["requests", "tflops", None]["denied_vram_minutes"] is None


def test_workers_cost_what_their_share_of_a_device_costs(backtest):
    rows = rows_of(backtest("--decision-step", "1h", "-o", "json"))
    chat, fleet = rows["all", "gpu", "chat"], rows["all", "gpu", None]
    hours = rows["requests", "vram_bytes", "chat"]["allocated_hours"]
    assert chat["allocated_hours"] >= hours / 80 * 0.99
    assert chat["cost"] == pytest.approx(3 * chat["allocated_hours"])
    assert chat["is_cost_estimated"] is True
    assert fleet["cost"] == pytest.approx(chat["cost"])
    assert fleet["unpriced_workloads"] == 2
    assert fleet["allocated_hours"] > chat["allocated_hours"]


def test_a_report_for_people_says_what_the_cost_leaves_out(backtest):
    out = backtest("--decision-step", "1h").out
    assert "COST leaves out 2 workloads without a price" in out
    assert " USD\n" in out


def test_one_workload_has_the_scores_that_it_has_in_the_fleet(backtest):
    hourly = ("--decision-step", "1h", "-o", "json")
    alone, whole = rows_of(backtest(*hourly, "-w", "team/chat")), rows_of(backtest(*hourly))
    assert {name for *_, name in alone} == {None, "chat"}
    for key, row in alone.items():
        assert row == whole[key] or key[2] is None


def test_namespaces_and_globs_select(backtest):
    hourly = ("--decision-step", "1h", "-o", "json")
    assert {name for *_, name in rows_of(backtest(*hourly, "-n", "b*"))} == {None, "train"}
    chosen = rows_of(backtest(*hourly, "--workload", "*/s*", "--workload", "batch/train"))
    assert {name for *_, name in chosen} == {None, "search", "train"}


ETS = """\
apiVersion: tensor-fusion.ai/v1
kind: WorkloadProfile
metadata: {name: ets}
spec:
  autoScalingConfig:
    autoSetLimits: {enable: true, targetResource: tflops, prediction: {enable: true, model: ets}}
"""


@pytest.fixture
def ets(tmp_path):
    path = tmp_path / "ets.yaml"
    path.write_text(ETS)
    return path


@pytest.mark.parametrize(("output", "stream"), [("table", "out"), ("md", "out"), ("csv", "err")])
def test_a_model_that_is_not_replayed_is_told_beside_the_scores(backtest, ets, output, stream):
    asked = ("--decision-step", "1h", "--compare", ets, "-o", output)
    told = getattr(backtest(*asked), stream)
    assert "ets: In place of ets, auto counts: the history is shorter than two seasons" in told
    assert "(3 workloads: batch/train, team/chat, team/search)" in told
    assert "own: In place" not in told


def test_what_there_is_to_say_of_a_policy_is_a_note_of_a_comparison_in_json(backtest, ets):
    asked = ("--decision-step", "1h", "--compare", ets, "-o", "json")
    absent, late = backtest(*asked).json["notes"]
    assert absent.startswith("ets: In place of ets, auto counts")
    assert late.startswith("ets: Limits are decided every 1 h and forecast 10 min ahead")


def test_scores_without_a_model_by_name_have_no_notes(backtest):
    assert backtest("--decision-step", "1h", "-o", "json").json["notes"] == []


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
    markdown = backtest(*hourly, "-o", "md").out
    assert markdown.count("\n| requests ") == sum(row["layer"] == "requests" for row in records)
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
        (["--workload", "team/chatt"], "no measured workload 'team/chatt'; did you mean team/chat"),
        (["--namespace", "teem"], "'teem' matches no measured namespace; did you mean team?"),
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
