import csv
import io

import jsonschema
import pytest
import yaml

from recommender.report.jsonform import read_report, report_schema
from tests.generated_usage import minutes, series, workload, write_csv


def severities(ended):
    return {
        (item["identity"]["workload"], item["resource"]): item["verdict"]["severity"]
        for item in ended.json["items"]
    }


def test_the_result_alone_is_on_stdout(report):
    ended = report("-o", "json")
    assert ended.code == 0
    jsonschema.validate(ended.json, report_schema())
    assert ended.err.splitlines()[-1].startswith("3 workloads: ")


def test_quiet_leaves_stderr_empty(report):
    assert report("-o", "json", "-q").err == ""


def test_too_large_is_a_saving_and_too_small_a_risk(report):
    found = severities(report("-o", "json"))
    assert found["chat", "tflops"] == "SAVING"
    assert found["search", "tflops"] in {"CRITICAL", "WARNING"}


def test_amounts_and_their_sources_are_those_of_the_workloads_file(report):
    item = report("-o", "json").item("chat", "tflops")
    assert (item["current"]["request"], item["current"]["limit"]) == (40.0, 80.0)
    assert item["current"]["sources"] == {"request": "workloads file", "limit": "workloads file"}
    assert item["identity"]["owner"] == "Deployment/chat"
    assert item["identity"]["gpu_model"] == "NVIDIA A100-SXM4-80GB"
    assert 0 < item["recommended"]["request"] < 40


def test_without_a_workloads_file_everything_is_unset_and_nothing_fails(tfa, usage):
    ended = tfa("report", "--from", usage, "--no-what-if", "-o", "json", "--fail-on", "unknown")
    assert ended.code == 0
    assert set(severities(ended).values()) == {"UNSET"}
    for item in ended.json["items"]:
        assert item["recommended"]["request"] > 0
        assert item["change_ratio"] is None
        assert item["money"] is None


def test_three_samples_are_unknown_and_say_why(tfa, tmp_path):
    path = write_csv(series("a/b", "tflops", minutes(3), [1.0, 2.0, 3.0]), tmp_path / "u.csv")
    ended = tfa("report", "--from", path, "-o", "json")
    item = ended.item("b", "tflops")
    assert ended.code == 0
    assert item["verdict"]["severity"] == "UNKNOWN"
    assert item["verdict"]["sentence"] == "less than 30 min or 12 samples: no recommendation"
    assert item["recommended"]["request"] is None


def test_unknown_can_be_asked_to_fail(tfa, tmp_path):
    path = write_csv(series("a/b", "tflops", minutes(3), [1.0, 2.0, 3.0]), tmp_path / "u.csv")
    assert tfa("report", "--from", path, "--fail-on", "unknown").code == 1


def test_gaps_of_40_percent_lower_the_coverage_and_nothing_else(tfa, tmp_path):
    frame = workload("a/b", 2.0)
    frame = frame[(frame.ts // 60) % 5 >= 2]
    path = write_csv(frame, tmp_path / "u.csv")
    ended = tfa("report", "--from", path, "--no-what-if", "-o", "json")
    item = ended.item("b", "tflops")
    assert ended.code == 0
    assert item["evidence"]["coverage_ratio"] == pytest.approx(0.6, abs=0.02)
    assert item["recommended"]["request"] > 0


def test_an_impossible_amount_alone_is_unknown_and_listed_as_failed(tfa, tmp_path):
    rows = "a/good,{ts},tflops,5\na/bad,{ts},tflops,1e9\n"
    path = tmp_path / "u.csv"
    lines = "".join(rows.format(ts=ts) for ts in minutes(60))
    path.write_text("series_id,ts,resource,value\n" + lines)
    ended = tfa("report", "--from", path, "-o", "json")
    item = ended.item("bad", "tflops")
    [error] = ended.json["errors"]
    assert (ended.code, item["verdict"]["severity"]) == (4, "UNKNOWN")
    assert item["verdict"]["code"] == "TF-NO-SAMPLES"
    assert (error["workload"], error["resource"]) == ("bad", "tflops")
    assert "more than any GPU has" in ended.err


def test_a_series_of_mixed_units_is_listed_and_the_rest_is_reported(tfa, tmp_path):
    frame = workload("a/good", 0.2)
    wrong = series("a/bad", "vram_bytes", minutes(60), [24000.0] * 60)
    path = write_csv(frame, tmp_path / "u.csv")
    wrong.to_csv(path, mode="a", header=False, index=False)
    ended = tfa("report", "--from", path, "--no-what-if", "-o", "json", "--fail-on", "critical")
    [error] = ended.json["errors"]
    assert ended.code == 4
    assert (error["workload"], error["resource"]) == ("bad", "vram_bytes")
    assert "looks like MiB" in error["message"]
    assert {name for name, _ in severities(ended)} >= {"good"}


@pytest.mark.parametrize(
    ("severity", "code"),
    [("critical", 1), ("warning", 1), ("saving", 1), ("none", 0)],
)
def test_fail_on_counts_findings_at_least_as_urgent(report, severity, code):
    assert report("-q", "--fail-on", severity).code == code


def test_fail_on_does_not_count_what_was_not_selected(report):
    assert report("--only", "savings", "--fail-on", "warning").code == 0


@pytest.mark.parametrize("severity", ["critical", "saving"])
def test_min_severity_keeps_what_is_at_least_as_urgent(report, severity):
    kept = set(severities(report("-o", "json", "--min-severity", severity)).values())
    allowed = ["CRITICAL", "WARNING", "SAVING"]
    assert kept <= set(allowed[: allowed.index(severity.upper()) + 1])


def test_namespaces_are_globs(report):
    ended = report("-o", "json", "-n", "ba*")
    assert {name for name, _ in severities(ended)} == {"train"}
    assert "namespace ba*" in ended.json["meta"]["filters"]


def test_usage_with_a_gpu_model_becomes_tflops(tfa, tmp_path):
    frame = series("a/b", "tflops_pct", minutes(2000), [50.0] * 2000)
    path = write_csv(frame, tmp_path / "u.csv")
    ended = tfa("report", "--from", path, "--no-what-if", "--gpu-model", "a100", "-o", "json")
    item = ended.item("b", "tflops")
    assert item["evidence"]["mean"] == pytest.approx(156.0, rel=1e-3)


def test_usage_in_percent_without_a_gpu_model_stays_percent_and_says_so(tfa, tmp_path):
    path = write_csv(series("a/b", "tflops_pct", minutes(60), [50.0] * 60), tmp_path / "u.csv")
    ended = tfa("report", "--from", path, "--no-what-if", "-o", "json")
    assert {resource for _, resource in severities(ended)} == {"tflops_pct"}
    [note] = ended.json["meta"]["notes"]
    assert "stays in percent of one GPU" in note
    assert note in ended.err


def test_until_is_the_time_of_now(tfa, usage):
    ended = tfa(
        "report", "--from", usage, "--no-what-if", "--until", "2026-03-01T12:00:00Z", "-o", "json"
    )
    assert ended.json["meta"]["window"]["end_s"] == int(minutes(1)[0]) + 12 * 3600


def test_now_is_one_step_after_the_last_sample(report):
    window = report("-o", "json").json["meta"]["window"]
    assert window == {
        "start_s": int(minutes(1)[0]),
        "end_s": int(minutes(1)[0]) + 2 * 86400,
        "step_s": 60,
        "first_sample_s": int(minutes(1)[0]),
        "last_sample_s": int(minutes(1)[0]) + 2 * 86400 - 60,
    }


def test_a_row_without_usage_is_named(tfa, usage, tmp_path):
    path = tmp_path / "w.csv"
    path.write_text("series_id,tflops_request,colour\nteam/gone,5,red\n")
    ended = tfa("report", "--from", usage, "--workloads", path, "--no-what-if")
    assert ended.code == 0
    assert "workloads without usage, left out: team/gone" in ended.err
    assert "unknown key 'colour' was not used" in ended.err


def test_prices_make_money(report):
    ended = report("-o", "json")
    money = [item["money"] for item in ended.json["items"] if item["money"] is not None]
    [priced] = [part for part in money if part["current_per_hour"] is not None]
    assert priced["saving_per_month"] > 0
    assert priced["price_source"] == "workloads file"


def test_a_profile_of_the_manifests_governs(tfa, usage, tmp_path):
    profiles, rows = tmp_path / "profiles.yaml", tmp_path / "w.yaml"
    profiles.write_text(
        """
apiVersion: tensor-fusion.ai/v1
kind: WorkloadProfile
metadata: {name: small, namespace: team}
spec:
  resources: {requests: {tflops: 30, vram: 6Gi}, limits: {tflops: 60, vram: 12Gi}}
  autoScalingConfig: {autoSetRequests: {enable: true, percentileForAutoRequests: 90}}
"""
    )
    rows.write_text("- {namespace: team, workload: chat, profile: small}\n")
    ended = tfa(
        "report", "--from", usage, "--workloads", rows, "--profiles", profiles,
        "--no-what-if", "-o", "json",
    )  # fmt: skip
    item = ended.item("chat", "tflops")
    assert item["current"]["request"] == 30.0
    assert item["current"]["sources"]["request"] == "profile team/small"
    assert item["enrolment"]["requests"] == "apply"


def test_all_problems_of_a_workloads_file_are_named_at_once(tfa, usage, tmp_path):
    path = tmp_path / "w.yaml"
    path.write_text(
        "- {namespace: team, workload: chat, tflops_request: many}\n"
        "- {namespace: team, workload: search, vram_limit: -3, profile: none}\n"
    )
    ended = tfa("report", "--from", usage, "--workloads", path)
    assert ended.code == 2
    assert ended.out == ""
    lines = ended.err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"error: {path} line ") for line in lines)
    assert "'many'" in lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--until", "soon"], "--until: 'soon' is no time"),
        (["--until", "1772323200000"], "looks like milliseconds"),
        (["--since", "14"], "--since"),
        (["--since", "0"], "allowed: at least 1m"),
        (["--gpu-model", "A1000000"], "GPU model 'A1000000' is not known"),
        (["--min-change", "lots"], "--min-change: 'lots' is not valid"),
        (["--group-by", "colour"], "--group-by: 'colour' is not valid"),
        (["--limit", "0"], "limit"),
        (["-o", "pdf"], "pdf"),
        (["--config", "/dev/null/none"], "cannot be read"),
    ],
)
def test_wrong_arguments_end_with_2_and_say_what_is_allowed(tfa, usage, arguments, words):
    ended = tfa("report", "--from", usage, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in " ".join(ended.err.replace("│", "").split())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("series_id,resource,value\n", "no column ts"),
        ("series_id,ts,resource,value\n", "a header and no rows"),
        ("series_id,ts,resource,value\na,1772323200,tflops,NaN\n", "no usable sample"),
        ("series_id,ts,resource,value\na,1772323200000,tflops,1\n", "looks like milliseconds"),
    ],
)
def test_unusable_usage_ends_with_3(tfa, tmp_path, text, words):
    path = tmp_path / "u.csv"
    path.write_text(text)
    ended = tfa("report", "--from", path, "--fail-on", "critical")
    assert (ended.code, ended.out) == (3, "")
    assert words in ended.err
    assert "Traceback" not in ended.err


def test_a_time_before_all_samples_ends_with_3(tfa, usage):
    ended = tfa("report", "--from", usage, "--until", "2020-01-01")
    assert ended.code == 3
    assert "the file holds 2026-03-01T00:00:00Z to 2026-03-03T00:00:00Z" in ended.err


def test_csv_is_one_header_and_plain_numbers(report):
    rows = list(csv.DictReader(io.StringIO(report("-o", "csv").out)))
    assert {row["namespace"] for row in rows} == {"team", "batch"}


def test_every_format_is_written(report, tmp_path):
    for name in ("table", "json", "jsonl", "yaml", "csv", "md", "html", "patch"):
        path = tmp_path / f"report.{name}"
        ended = report("-q", "--out", f"{name}={path}")
        assert ended.code == 0
        assert path.stat().st_size > 0
    assert report("-o", "kustomize", "--out", tmp_path / "kustomize").code == 0
    component = yaml.safe_load((tmp_path / "kustomize" / "kustomization.yaml").read_text())
    assert component["kind"] == "Component"
    for patch in component["patches"]:
        assert (tmp_path / "kustomize" / patch["path"]).exists()


def test_a_report_survives_its_json(report):
    ended = report("-o", "json")
    assert read_report(ended.out).meta.scanned_workloads == 3


def test_the_back_test_stands_beside_what_is_in_force(tfa, usage, workloads):
    ended = tfa("report", "--from", usage, "--workloads", workloads, "-o", "json")
    what_if = ended.item("chat", "tflops")["what_if"]
    assert what_if["current_request"]["slack_ratio"] > what_if["request"]["slack_ratio"] > 0
    assert what_if["end_s"] == ended.json["meta"]["window"]["end_s"]


def test_a_namespace_asked_for_in_vain_is_told(tfa, usage):
    ended = tfa("report", "--from", usage, "--no-what-if", "-n", "teem", "-o", "json")
    assert (ended.code, ended.json["items"]) == (0, [])
    assert "--namespace: 'teem' matches no namespace of the report; it has " in ended.err


def test_a_misspelt_key_is_told_beside_the_other_problems(tfa, usage, tmp_path):
    path = tmp_path / "w.yaml"
    path.write_text("- {namespace: team, workload: chat, vram_requst: 8Gi, replicas: two}\n")
    ended = tfa("report", "--from", usage, "--workloads", path)
    assert ended.code == 2
    assert "did you mean vram_request?" in ended.err
    assert "replicas: 'two' is not valid" in ended.err
