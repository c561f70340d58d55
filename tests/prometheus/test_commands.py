"""The commands over real servers, as a user calls them."""

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
    assert any("tf_worker_memory_bytes" in query for query in queries)
    for query in queries:
        answer = source.client.instant(query[query.index("_over_time(") - 3 :], END_S)
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
