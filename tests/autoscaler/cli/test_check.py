import os
import pty
import re
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from autoscaler.findings import Status
from tests.autoscaler.kube.kubeconfigs import kubeconfig
from tests.autoscaler.sources.prometheus.answering_server import (
    Refusal,
    Series,
    World,
    serving,
)

SIDES = ("tflops_request", "tflops_limit", "vram_bytes_request", "vram_bytes_limit")
NAMES = (
    "compute_tflops",
    "compute_percentage",
    "memory_bytes",
    "effective_share_percentage",
    "compute_throttled_seconds_total",
    "vram_denied_total",
    *SIDES,
)


@pytest.fixture
def world():
    """Return a server that lacks nothing; its clock is this machine's."""
    now_s = int(time.time())
    labels = {"namespace": "team", "workload": "chat", "worker": "chat-0", "method": "sm_time"}
    return World(
        server_s=now_s,
        series=[
            Series(
                labels={"__name__": f"tf_worker_{name}", **labels},
                first_s=now_s - 15 * 86400,
                last_s=now_s + 600,
            )
            for name in NAMES
        ],
    )


@pytest.fixture
def check(tfa):
    def check(world, *arguments):
        with serving(world) as url:
            return tfa("check", "--no-cluster", "--prometheus-url", url, *arguments)

    return check


def on_terminal(world, *, columns):
    """Run the command with a terminal as its output; return its exit code and what was shown."""
    ours, theirs = pty.openpty()
    with serving(world) as url:
        ended = subprocess.run(
            [sys.executable, "-m", "autoscaler", "check", "--no-cluster", "--prometheus-url", url],
            stdout=theirs,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "COLUMNS": str(columns)},
            check=False,
        )
    os.close(theirs)
    shown = b""
    # The end of a terminal is an error on Linux.
    with os.fdopen(ours, "rb", buffering=0) as terminal, suppress(OSError):
        while part := terminal.read(4096):
            shown += part
    return ended.returncode, shown.decode()


def without(world, name):
    world.series = [each for each in world.series if not each.labels["__name__"].endswith(name)]
    return world


def test_a_healthy_server_ends_with_0_and_says_so(check, world):
    ended = check(world)

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("source: http://127.0.0.1:")
    assert ended.out.splitlines()[0].endswith("mapping agent")
    last = ended.out.splitlines()[-1]
    assert last.endswith(" ok")
    assert "," not in last


def test_a_warning_is_shown_with_what_to_do_and_ends_with_0(check, world):
    ended = check(without(world, "vram_denied_total"))

    assert ended.code == 0
    assert "warning  signals" in ended.out
    assert "-> Look at the targets page" in ended.out
    assert ended.out.splitlines()[-1].endswith("1 warning")


def test_a_failure_ends_with_3(check, world):
    world.series = []

    ended = check(world)

    assert ended.code == 3
    assert "failed   series" in ended.out


def test_a_server_that_is_down_ends_with_3_and_is_a_result_not_an_error(tfa, world):
    with serving(world) as url:
        pass

    ended = tfa("check", "--no-cluster", "--prometheus-url", url, "--timeout", "1s")

    assert (ended.code, ended.err) == (3, "")
    assert "failed   reachable" in ended.out
    assert (
        "skipped  16 checks  accepted, server, clock, ranges, series, newest, interval, "
        in ended.out
    )
    assert "mapping: Not looked at, because no query is answered" in ended.out
    assert ended.out.splitlines()[-1] == "1 failed, 16 skipped"


def test_without_a_server_it_is_asked_for(tfa):
    ended = tfa("check")

    assert (ended.code, ended.out) == (2, "")
    assert "--prometheus-url" in ended.err


def test_a_password_in_the_url_is_refused_and_not_repeated(tfa):
    ended = tfa("check", "--prometheus-url", "http://me:hunter2@prometheus:9090")

    assert ended.code == 2
    assert "hunter2" not in ended.out + ended.err


def test_a_token_file_that_is_missing_is_an_error_of_usage(check, world, tmp_path):
    ended = check(world, "--prometheus-token-file", tmp_path / "token")

    assert ended.code == 2
    assert str(tmp_path / "token") in ended.err


def test_a_token_is_shown_nowhere(check, world, tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cr3t-t0ken\n")
    world.refusals.append(Refusal("vector(1)", 401, b"no", "text/plain"))

    ended = check(world, "--prometheus-token-file", token, "-v")

    assert ended.code == 3
    assert "401" in ended.out
    assert "s3cr3t" not in ended.out + ended.err


def test_json_holds_every_finding_and_the_counts(check, world):
    ended = check(without(world, "memory_bytes"), "-o", "json")

    document = ended.json
    assert document["schema"] == "tensorfusion-check/v1"
    [section] = document["sections"]
    assert section["name"] == "source"
    counted = {str(status): 0 for status in Status}
    for finding in section["findings"]:
        counted[finding["status"]] += 1
        assert set(finding) == {"check", "status", "text", "next_step", "subjects"}
    assert document["counts"] == counted
    assert ended.err == f"{counted['ok']} ok, {counted['warning']} warning\n"
    [missing] = [f for f in section["findings"] if f["subjects"] == ["vram_bytes"]]
    assert (missing["check"], missing["status"]) == ("series", "warning")


def test_quiet_json_leaves_stderr_empty(check, world):
    assert check(world, "-o", "json", "-q").err == ""


def test_how_much_history_is_wanted_can_be_said(check, world):
    ended = check(world, "--since", "30d", "-o", "json")

    [history] = [f for f in ended.json["sections"][0]["findings"] if f["check"] == "history"]
    assert history["status"] == "warning"
    assert "of the 30 d that are read" in history["text"]


def test_a_selector_and_a_mapping_reach_the_queries(check, world):
    check(world, "--selector", "cluster=prod", "--prometheus-mapping", "dcgm")

    of_series = [query for query in world.queries if "DCGM" in query and "[86400s]" in query]
    assert of_series
    assert [query for query in of_series if 'cluster="prod"' not in query] == []


def test_what_a_server_says_cannot_move_the_cursor(check, world):
    world.warnings = ["\x1b[2Jcleared\r\n"]

    ended = check(world)

    assert "The server warns: [2Jcleared" in ended.out
    assert "\x1b" not in ended.out


def test_labels_of_others_cannot_turn_a_line_of_json(check, world):
    for series in world.series:
        series.labels |= {"namespace": "", "zone": "\u202eleft\x9b31m"}

    ended = check(world, "-o", "json")

    assert "for example" in ended.out
    assert ended.out.replace("\n", "").isprintable()


def test_without_a_terminal_each_finding_is_one_line_whatever_columns_says(tfa, world, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    with serving(without(world, "vram_denied_total")) as url:
        table = tfa("check", "--no-cluster", "--prometheus-url", url).out
        document = tfa("check", "--no-cluster", "--prometheus-url", url, "-o", "json").json

    [section] = document["sections"]
    head, *lines, blank, _ = table.splitlines()
    assert (head, blank) == (f"source: {section['subject']}", "")
    for line, finding in zip(lines, section["findings"], strict=True):
        assert line.split()[:2] == [finding["status"], finding["check"]]
        step = f" -> {finding['next_step']}" if finding["next_step"] else ""
        # Between the two calls the newest sample grows older.
        if finding["check"] != "newest":
            assert line.endswith(f"{finding['text']}{step}")


def test_on_a_terminal_lines_are_folded_to_its_width(world):
    code, shown = on_terminal(without(world, "vram_denied_total"), columns=60)

    assert code == 0
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in shown.splitlines()]
    assert "-> Look at the" in shown
    assert [line for line in lines[1:] if len(line) > 60] == []


def test_the_settings_file_names_the_server(tfa, world, tmp_path):
    settings = tmp_path / "tfa.yaml"
    with serving(world) as url:
        settings.write_text(f"prometheus: {{url: '{url}'}}\n")
        ended = tfa("check", "--config", settings)

    assert ended.code == 0
    assert ended.out.startswith(f"source: {url}, mapping agent")


def cluster_findings(ended):
    [section] = [each for each in ended.json["sections"] if each["name"] == "cluster"]
    return [(each["check"], each["status"], each["text"]) for each in section["findings"]]


def test_without_a_cluster_a_sentence_says_that_none_is_looked_at(
    tfa, world, monkeypatch, tmp_path
):
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(variable, raising=False)

    with serving(world) as url:
        ended = tfa("check", "-o", "json", "--prometheus-url", url)

    [(check, status, text)] = cluster_findings(ended)
    assert (ended.code, check, status) == (0, "api-server", Status.SKIPPED)
    assert text.startswith("No cluster is looked at: no API server is named")


def test_a_cluster_that_is_down_is_skipped_unless_it_was_asked_for(
    tfa, world, monkeypatch, tmp_path
):
    path = kubeconfig(tmp_path / "config", token="t")
    monkeypatch.setenv("KUBECONFIG", str(path))

    with serving(world) as url:
        by_the_way = tfa("check", "-o", "json", "--prometheus-url", url)
        asked_for = tfa("check", "-o", "json", "--prometheus-url", url, "--kubeconfig", path)

    assert [status for _, status, _ in cluster_findings(by_the_way)] == [Status.SKIPPED]
    assert [status for _, status, _ in cluster_findings(asked_for)] == [Status.FAILED]
    assert (by_the_way.code, asked_for.code) == (0, 3)


def test_a_kubeconfig_that_is_missing_is_an_error_of_usage(tfa, world, tmp_path):
    with serving(world) as url:
        ended = tfa("check", "--prometheus-url", url, "--kubeconfig", tmp_path / "none")

    assert (ended.code, ended.out) == (2, "")
    assert f"{tmp_path / 'none'}: there is no such file" in ended.err
