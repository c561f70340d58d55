"""``tfa report`` and ``tfa explain`` on a server: what the user gives, sees and gets back."""

import jsonschema
import numpy as np
import pytest

from recommender.report.jsonform import report_schema
from tests.fakes.prometheus import FakePrometheus, served

END_S = 1_772_323_200
END = "2026-03-01T00:00:00Z"
HOUR_S = 3600
GIB = 2.0**30


def scrapes(from_s, upto_s=0, step_s=30):
    return np.arange(END_S + from_s, END_S + upto_s, step_s) + 0.25


def add_worker(server, workload, worker, *, tflops, request=40.0, limit=80.0, from_s=-3 * HOUR_S):
    labels = {
        "namespace": "team",
        "workload": workload,
        "worker": worker,
        "pool": "main",
        "gpu_model": "A100",
        "uuid": f"GPU-{worker}",
    }
    ts = scrapes(from_s)
    wave = tflops * (1 + 0.1 * np.sin(ts / 300))
    server.add("tf_worker_compute_tflops", ts, wave, method="sm_time", **labels)
    server.add("tf_worker_memory_bytes", ts, 6 * GIB, **labels)
    for name, amount in (
        ("tf_worker_tflops_request", request),
        ("tf_worker_tflops_limit", limit),
        ("tf_worker_vram_bytes_request", 8 * GIB),
        ("tf_worker_vram_bytes_limit", 12 * GIB),
    ):
        server.add(name, ts, amount, **labels)


@pytest.fixture
def server():
    server = FakePrometheus()
    add_worker(server, "chat", "chat-0", tflops=10.0)
    add_worker(server, "chat", "chat-1", tflops=12.0)
    add_worker(server, "search", "search-0", tflops=70.0)
    return server


@pytest.fixture
def url(server, monkeypatch):
    monkeypatch.delenv("TFA_PROMETHEUS_URL", raising=False)
    with served(server) as url:
        yield url


@pytest.fixture
def measured(tfa, url):
    """Run ``tfa report`` on the server, three hours back from a fixed time."""

    def measured(*arguments, command=("report",)):
        return tfa(
            *command, "--prometheus-url", url, "--until", END, "--since", "3h", "--no-what-if",
            *arguments,
        )  # fmt: skip

    return measured


def test_the_report_is_that_of_what_was_measured(measured):
    ended = measured("-o", "json")
    assert ended.code == 0
    jsonschema.validate(ended.json, report_schema())
    item = ended.item("chat", "tflops")
    assert (item["current"]["request"], item["current"]["limit"]) == (40.0, 80.0)
    assert item["current"]["sources"]["request"] == "metric tf_worker_tflops_request"
    assert item["identity"]["gpu_model"] == "NVIDIA A100-SXM4-80GB"
    assert (item["identity"]["pool"], item["identity"]["replicas"]) == ("main", 2)
    assert 10 < item["recommended"]["request"] < 20
    assert item["verdict"]["severity"] == "SAVING"
    assert ended.item("search", "tflops")["verdict"]["severity"] in {"WARNING", "CRITICAL"}


def test_each_item_carries_the_queries_that_repeat_its_evidence(measured):
    ended = measured("-o", "json")
    own = 'namespace="team",workload="chat"'
    assert ended.item("chat", "tflops")["promql"] == [
        f'avg_over_time(tf_worker_compute_tflops{{method="sm_time",{own}}}[60s] offset 1ms)',
        f'max_over_time(tf_worker_compute_tflops{{method="sm_time",{own}}}[60s] offset 1ms)',
        f"last_over_time(tf_worker_compute_throttled_seconds_total{{{own}}}[60s] offset 1ms)",
        f"max_over_time(tf_worker_effective_share_percentage{{{own}}}[60s] offset 1ms)",
    ]
    assert ended.item("chat", "vram_bytes")["promql"] == [
        f"max_over_time(tf_worker_memory_bytes{{{own}}}[60s] offset 1ms)",
        f"last_over_time(tf_worker_vram_denied_total{{{own}}}[60s] offset 1ms)",
    ]


def test_throttled_use_is_explained_as_demand(measured, server):
    ts = scrapes(-3 * HOUR_S)
    one = next(labels for labels, *_ in server.series if labels["worker"] == "search-0")
    labels = {name: one[name] for name in ("namespace", "workload", "worker", "uuid", "gpu_model")}
    server.add("tf_worker_compute_throttled_seconds_total", ts, 0.5 * (ts - ts[0]), **labels)
    ended = measured("team/search", command=("explain",))
    assert "held back by its limit or its share of the GPU in " in ended.out
    assert "    demand: mean " in ended.out
    assert "p95 of demand, weighted by load, is at most " in ended.out


def test_the_head_names_server_window_and_step(measured, url):
    meta = measured("-o", "json", "--selector", "pool=main").json["meta"]
    assert meta["source"] == f'{url} (agent, pool="main")'
    assert meta["window"] == {
        "start_s": END_S - 3 * HOUR_S,
        "end_s": END_S,
        "step_s": 60,
        "first_sample_s": END_S - 3 * HOUR_S,
        "last_sample_s": END_S - 30,
    }
    assert meta["scanned_workloads"] == 2


def test_the_same_usage_in_a_file_gives_the_same_amounts(measured, tfa, tmp_path):
    path = tmp_path / "usage.csv"
    lines = ["namespace,workload,worker,ts,resource,value"]
    for worker, tflops in (("chat-0", 10.0), ("chat-1", 12.0)):
        for ts in scrapes(-3 * HOUR_S):
            value = tflops * (1 + 0.1 * np.sin(ts / 300))
            lines.append(f"team,chat,{worker},{int(ts)},tflops,{value}")
            lines.append(f"team,chat,{worker},{int(ts)},vram_bytes,{6 * GIB}")
    path.write_text("\n".join(lines) + "\n")
    from_file = tfa(
        "report",
        "--from",
        path,
        "--until",
        END,
        "--gpu-model",
        "A100",
        "--no-what-if",
        "-o",
        "json",
    )
    for resource in ("tflops", "vram_bytes"):
        there = from_file.item("chat", resource)["recommended"]
        here = measured("-o", "json").item("chat", resource)["recommended"]
        assert here["request"] == pytest.approx(there["request"], rel=1e-6)


def test_longer_steps_read_less_and_keep_the_peak(measured, server):
    ts = scrapes(-3 * HOUR_S)
    peak = np.where(ts == scrapes(-HOUR_S)[0], 11 * GIB, 6 * GIB)
    one = {"namespace": "team", "workload": "chat", "worker": "chat-0"}
    server.series = [s for s in server.series if s[0]["__name__"] != "tf_worker_memory_bytes"]
    server.add("tf_worker_memory_bytes", ts, peak, **one)
    ended = measured("-o", "json", "--step", "5m")
    assert ended.json["meta"]["window"]["step_s"] == 300
    assert ended.item("chat", "vram_bytes")["evidence"]["highest"] == 11 * GIB


def test_a_row_states_and_the_difference_is_told(measured, tmp_path):
    path = tmp_path / "w.yaml"
    path.write_text("- {series_id: team/chat, tflops_request: 30, owner: Deployment/chat}\n")
    ended = measured("--workloads", path, "-o", "json")
    item = ended.item("chat", "tflops")
    assert item["current"]["request"] == 40.0
    assert item["current"]["sources"]["request"] == "metric tf_worker_tflops_request"
    assert item["identity"]["owner"] == "Deployment/chat"
    difference = "team/chat (tflops request 30 TFLOPS stated, 40 TFLOPS in force)"
    assert any(difference in note for note in ended.json["meta"]["notes"])
    assert difference in ended.err


SHARES = """
prometheus:
  mapping:
    metrics:
      tflops: &busy {series: gpu_busy, unit: cardPercent}
      tflops_pct: *busy
"""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {"chat": ["tflops"], "search": ["tflops_pct"], "train": ["tflops"]}),
        (["--gpu-model", "L4"], {name: ["tflops"] for name in ("chat", "search", "train")}),
    ],
)
def test_a_share_is_tflops_where_the_card_is_reported_stated_or_the_default(
    tfa, tmp_path, arguments, expected
):
    server = FakePrometheus()
    for name, labels in (("chat", {}), ("search", {}), ("train", {"gpu_model": "A100"})):
        one = {"namespace": "team", "workload": name, "worker": f"{name}-0"}
        server.add("gpu_busy", scrapes(-2 * HOUR_S), 50.0, **one, **labels)
    (tmp_path / "tfa.yaml").write_text(SHARES)
    (tmp_path / "w.yaml").write_text("- {series_id: team/chat, gpu_model: H100}\n")
    with served(server) as url:
        ended = tfa(
            "report", "--prometheus-url", url, "--until", END, "--since", "2h", "--no-what-if",
            "--config", tmp_path / "tfa.yaml", "--workloads", tmp_path / "w.yaml", "-o", "json",
            *arguments,
        )  # fmt: skip

    compute = {"chat": [], "search": [], "train": []}
    for item in ended.json["items"]:
        if item["resource"].startswith("tflops") and item["evidence"]["points"]:
            compute[item["identity"]["workload"]].append(item["resource"])
    assert compute == expected
    assert ended.item("chat", "tflops")["evidence"]["highest"] == pytest.approx(989.4 / 2)
    assert ended.item("train", "tflops")["evidence"]["highest"] == pytest.approx(156.0)


def test_wrong_rows_are_told_before_the_server_is_asked(measured, server, tmp_path):
    path = tmp_path / "w.yaml"
    path.write_text("- {series_id: team/chat, replicas: two}\n- {series_id: a/b, qos: golden}\n")
    ended = measured("--workloads", path)
    assert (ended.code, ended.out) == (2, "")
    assert "replicas: 'two'" in ended.err
    assert "qos: 'golden'" in ended.err
    assert server.queries == []


def test_workloads_that_ran_earlier_are_counted_as_skipped(measured, server, tfa, url):
    ts = np.arange(END_S - 40 * HOUR_S, END_S - 30 * HOUR_S, 60) + 0.25
    gone = {"namespace": "team", "workload": "gone", "worker": "gone-0", "gpu_model": "A100"}
    server.add("tf_worker_memory_bytes", ts, GIB, **gone)
    ended = tfa(
        "report", "--prometheus-url", url, "--until", END, "--since", "2d", "--no-what-if",
        "-o", "json",
    )  # fmt: skip
    assert ended.code == 0
    assert ended.json["meta"]["skipped"] == {"not measured for a day": 1}
    assert {item["identity"]["workload"] for item in ended.json["items"]} == {"chat", "search"}


def test_a_fleet_that_nobody_measures_any_more_is_told_apart_from_one_of_now(
    measured, server, tfa, url
):
    assert "no worker was measured" not in measured().err
    later = "2026-03-01T02:00:00Z"
    ended = tfa(
        "report", "--prometheus-url", url, "--until", later, "--since", "5h", "--no-what-if",
        "-o", "json",
    )  # fmt: skip
    assert ended.code == 0
    window = ended.json["meta"]["window"]
    assert (window["end_s"], window["last_sample_s"]) == (END_S + 2 * HOUR_S, END_S - 60)
    assert {item["confidence"]["grade"] for item in ended.json["items"]} <= {"C", "D"}
    told = f"no worker was measured shortly before {later}"
    assert any(note.startswith(told) for note in ended.json["meta"]["notes"])
    assert told in ended.err


def test_explain_tells_one_workload(measured):
    ended = measured("team/chat", command=("explain",))
    assert ended.code == 0
    assert ended.out.startswith("team/chat\n")
    assert "request  40 -> " in ended.out
    assert "metric tf_worker_tflops_request" in ended.out
    assert "max_over_time(tf_worker_memory_bytes" in ended.out
    assert " of the expected ones; the newest are 30 s apart\n" in ended.out
    assert "search" not in ended.out


def test_explain_suggests_names(measured):
    ended = measured("team/chta", command=("explain",))
    assert (ended.code, "did you mean team/chat" in ended.err) == (2, True)


def test_the_server_may_be_named_by_the_settings_file(tfa, url, tmp_path):
    path = tmp_path / "tfa.yaml"
    path.write_text(f"prometheus: {{url: '{url}'}}\n")
    ended = tfa("report", "--config", path, "--until", END, "--since", "3h", "--no-what-if", "-q")
    assert (ended.code, "team/chat" in ended.out) == (0, True)


def test_the_server_may_be_named_by_the_environment(tfa, url, monkeypatch):
    monkeypatch.setenv("TFA_PROMETHEUS_URL", url)
    ended = tfa("report", "--until", END, "--since", "3h", "--no-what-if", "-q")
    assert (ended.code, "team/chat" in ended.out) == (0, True)


def test_headers_and_tokens_reach_the_server(measured, server, tmp_path):
    token = tmp_path / "token"
    token.write_text("hunter2\n")
    ended = measured(
        "--prometheus-header", "X-Scope-OrgID: team-a", "--prometheus-token-file", token, "-v"
    )
    assert ended.code == 0
    assert {headers["X-Scope-OrgID"] for headers in server.headers} == {"team-a"}
    assert {headers["Authorization"] for headers in server.headers} == {"Bearer hunter2"}
    assert "hunter2" not in ended.out + ended.err


def test_a_partial_answer_is_used_and_ends_with_4(measured, server):
    server.warnings = ("store-1 is down",)
    ended = measured("-o", "json")
    assert ended.code == 4
    [error] = ended.json["errors"]
    assert error["message"] == "a partial answer: store-1 is down"
    assert any("partial" in note for note in ended.json["meta"]["notes"])
    assert ended.item("chat", "tflops")["recommended"]["request"] > 0


def test_a_metric_that_fails_ends_with_4_and_the_others_are_reported(measured, server):
    server.rejects = "avg_over_time"
    ended = measured("-o", "json")
    assert ended.code == 4
    [error] = ended.json["errors"]
    assert (error["resource"], error["stage"]) == ("tflops", "collect")
    assert "refused: avg_over_time" in error["message"]
    assert ended.item("chat", "vram_bytes")["recommended"]["request"] > 0


def test_series_that_name_no_worker_end_with_4_and_say_why(measured, server):
    server.add("tf_worker_memory_bytes", scrapes(-600), GIB, namespace="team", workload="lost")
    ended = measured("-o", "json")
    assert ended.code == 4
    [error] = ended.json["errors"]
    assert (error["namespace"], error["workload"]) == ("team", "lost")
    assert "honorLabels: true" in error["message"]
    assert "left out: " in ended.err


def test_a_server_that_is_down_ends_with_3_and_says_what_to_do(tfa):
    ended = tfa("report", "--prometheus-url", "http://127.0.0.1:9")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("error: http://127.0.0.1:9: ")
    assert "next: tfa check --prometheus-url http://127.0.0.1:9" in ended.err


def test_a_server_that_fails_while_it_is_read_ends_with_3_and_says_what_to_do(measured, server):
    server.rejects = "[60s]"
    ended = measured()
    assert (ended.code, ended.out) == (3, "")
    assert "next: tfa check" in ended.err


def test_a_server_that_measured_nobody_says_what_was_looked_for(measured):
    ended = measured("--selector", "cluster=other")
    assert (ended.code, ended.out) == (3, "")
    for words in ("no series", 'tf_worker_memory_bytes{cluster="other"}', "next: tfa check"):
        assert words in ended.err


def test_file_and_server_exclude_each_other(tfa, usage):
    ended = tfa("report", "--from", usage, "--prometheus-url", "http://x", "--step", "5m")
    assert ended.code == 2
    assert "not both: --prometheus-url, --step" in ended.err


def test_a_file_wins_over_a_server_of_the_environment(tfa, usage, monkeypatch):
    monkeypatch.setenv("TFA_PROMETHEUS_URL", "http://127.0.0.1:9")
    assert tfa("report", "--from", usage, "--no-what-if", "-q").code == 0


def test_without_any_input_the_ways_to_name_one_are_told(tfa, monkeypatch):
    monkeypatch.delenv("TFA_PROMETHEUS_URL", raising=False)
    for command in (["report"], ["explain", "team/chat"]):
        ended = tfa(*command)
        assert (ended.code, ended.out) == (2, "")
        for words in ("--from", "--prometheus-url", "TFA_PROMETHEUS_URL", "prometheus.url"):
            assert words in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--until", "2999-01-01"], "--until: 2999-01-01T00:00:00Z lies ahead"),
        (["--step", "90s"], "--step: '90s' is not valid; allowed: whole minutes that divide 1h"),
        (["--step", "7m"], "--step"),
        (["--step", "2h"], "--step"),
        (["--since", "0"], "allowed: at least 1m"),
        (["--prometheus-header", "Cookie: a=b"], "--prometheus-header-file Cookie=FILE"),
        (["--prometheus-token-file", "/dev/null/none"], "/dev/null/none"),
    ],
)
def test_wrong_arguments_end_with_2(tfa, arguments, words):
    ended = tfa("report", "--prometheus-url", "http://127.0.0.1:9", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
