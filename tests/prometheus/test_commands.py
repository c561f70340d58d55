"""The commands over real servers, as a user calls them."""

import pytest

from tests.components.histories import END_S, ODD_POOL

UNTIL = "2026-03-03T06:00:00Z"


def test_until_is_the_end_of_the_history():
    assert END_S == 1_772_517_600


def test_a_report_of_a_server_holds_its_workloads_with_what_is_in_force(tfa, history_server):
    ended = tfa(
        "report", "--prometheus-url", history_server.url, "--until", UNTIL, "-o", "json", "-q"
    )
    assert ended.code == 0, ended.err
    report = ended.json
    items = {
        (item["identity"]["namespace"], item["identity"]["workload"], item["resource"]): item
        for item in report["items"]
    }
    chat = items["serving", "chat", "tflops"]
    assert chat["current"]["request"] == 200.0
    assert chat["current"]["limit"] == 600.0
    assert chat["identity"]["gpu_model"] == "H100 SXM" or "H100" in chat["identity"]["gpu_model"]
    assert items["lab", "notebook", "tflops"]["identity"]["pool"] == ODD_POOL
    assert {key[:2] for key in items} == {
        ("serving", "chat"),
        ("serving", "translate"),
        ("serving", "embed"),
        ("batch", "train"),
        ("lab", "notebook"),
    }


def test_explain_shows_the_queries_and_they_are_answered(tfa, history_server, source):
    ended = tfa(
        "explain", "serving/embed", "--prometheus-url", history_server.url, "--until", UNTIL, "-q"
    )
    assert ended.code == 0, ended.err
    queries = [line.strip() for line in ended.out.splitlines() if "_over_time(" in line]
    for series in ("tf_worker_memory_bytes", "tf_worker_compute_throttled_seconds_total"):
        assert any(series in query for query in queries)
    for query in queries:
        answer = source.client.instant(query, END_S)
        assert {label["worker"] for label in answer.labels} == {"embed-0"}


def test_check_finds_the_series_of_a_server_and_its_short_history(tfa, history_server):
    ended = tfa("check", "--prometheus-url", history_server.url, "-o", "json")
    findings = {
        finding["check"]: finding
        for section in ended.json["sections"]
        for finding in section["findings"]
    }
    assert findings["reachable"]["status"] == "ok"
    # The history ended long ago: nothing was measured lately.
    assert ended.code == 3
    assert "failed" in {finding["status"] for finding in findings.values()}


WITHOUT_SOME_TFLOPS = """
prometheus:
  mapping:
    metrics:
      tflops:
        series: tf_worker_compute_tflops
        matchers: {method: sm_time, qos: {"!=": low}}
"""
REFUSED_VRAM = """
prometheus:
  mapping:
    metrics:
      vram_bytes: {series: tf_worker_memory_bytes, matchers: {pool: {"=~": "(?!none).*"}}}
"""
"""Go's regular expressions look neither ahead nor behind."""


def report_with(tfa, server, path, settings):
    path.write_text(settings)
    return tfa(
        "report", "--prometheus-url", server.url, "--until", UNTIL, "--since", "1d",
        "--config", path, "--no-what-if", "-o", "json", "-q",
    )  # fmt: skip


def use_of(ended):
    """Return the highest use by workload and resource, of what was measured."""
    return {
        (item["identity"]["workload"], item["resource"]): item["evidence"]["highest"]
        for item in ended.json["items"]
        if item["evidence"]["points"]
    }


def test_a_worker_without_tflops_is_reported_as_if_it_had_them(tfa, history_server, tmp_path):
    whole, partly = (
        report_with(tfa, history_server, tmp_path / "tfa.yaml", settings)
        for settings in ("{}", WITHOUT_SOME_TFLOPS)
    )
    assert (whole.code, partly.code) == (0, 0)
    assert use_of(partly) == pytest.approx(use_of(whole), rel=1e-4)
    assert ("train", "tflops") in use_of(partly)
    queries = partly.item("train", "tflops")["promql"]
    assert any("tf_worker_compute_percentage" in query for query in queries)


def test_a_metric_that_a_server_refuses_is_an_error_of_an_otherwise_whole_report(
    tfa, history_server, tmp_path
):
    whole, partly = (
        report_with(tfa, history_server, tmp_path / "tfa.yaml", settings)
        for settings in ("{}", REFUSED_VRAM)
    )
    assert (whole.code, partly.code) == (0, 4)
    compute = {key: value for key, value in use_of(whole).items() if key[1] == "tflops"}
    assert {key: use_of(partly)[key] for key in compute} == compute
    [error] = partly.json["errors"]
    assert error["resource"] == "vram_bytes"
