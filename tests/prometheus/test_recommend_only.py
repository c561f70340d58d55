"""``tfa autoscaler --profile recommend-only``: a Prometheus is all that it needs."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import pytest
import urllib3

from tests import pages
from tests.cluster.child_processes import start_child
from tests.cluster.elected_process import ElectedProcess
from tests.cluster.gpus import A100
from tests.cluster.live_prometheus import ScrapingPrometheus
from tests.components.lacking import lacks
from tests.components.openmetrics import blocks, write_openmetrics
from tests.components.processes import LOOPBACK, free_port, until
from tests.components.worker_metrics import (
    COMPUTE_PERCENT,
    EFFECTIVE_SHARE,
    MEMORY_BYTES,
    TFLOPS,
)
from tests.components.worker_series import History, Worker, constant, worker_labels
from tests.pages import BEFORE_THE_FIRST_HEAD, make_tfa, replaced, run_in, without

ROOT = Path(__file__).parents[2]
MINUTE_S, HOURS = 60, 3


@pytest.fixture(scope="module")
def lately(tmp_path_factory, prometheus_binaries):
    """Run a server that measured one worker until a moment ago."""
    assert prometheus_binaries.promtool.exists()
    folder = tmp_path_factory.mktemp("lately")
    text = folder / "lately.om"
    write_openmetrics(text, history().families())
    with ScrapingPrometheus(folder, [], tsdb=blocks(text, folder / "tsdb")) as server:
        yield server


def history():
    end_s = int(time.time()) // MINUTE_S * MINUTE_S
    used = ((TFLOPS, 40.0), (COMPUTE_PERCENT, 13.0), (MEMORY_BYTES, 6e9), (EFFECTIVE_SHARE, 100.0))
    worker = Worker(
        labels=worker_labels("team-a", "chat", "chat-0", gpu_model=A100),
        formulas={metric.name: constant(value) for metric, value in used},
    )
    return History(
        workers=(worker,),
        metrics=tuple(metric for metric, _ in used),
        start_s=end_s - HOURS * 60 * MINUTE_S,
        end_s=end_s,
        step_s=MINUTE_S,
    )


@pytest.fixture
def start(tmp_path):
    """Return what starts an autoscaler on a server, and the URL of its page."""
    started = []

    def start(url, *arguments):
        health_port, page_port = free_port(), free_port()
        command = [
            *(sys.executable, "-m", "autoscaler", "autoscaler", "--profile=recommend-only"),
            f"--prometheus-url={url}",
            f"--bind-address={LOOPBACK}",
            f"--health-port={health_port}",
            f"--page-port={page_port}",
            "--tick=1s",
            "--requests-every=2s",
            *arguments,
        ]
        process = start_child(command, tmp_path / f"{health_port}.log", folder=ROOT)
        started.append(process)
        page = f"http://{LOOPBACK}:{page_port}"
        return ElectedProcess(process=process, health_url=f"http://{LOOPBACK}:{health_port}"), page

    yield start
    for process in started:
        if process.is_running:
            process.stop()


def test_measured_workloads_are_recommended_for_and_shown(start, lately, tmp_path):
    log = tmp_path / "decisions.jsonl"
    autoscaler, page = start(lately.url, f"--decision-log={log}", "--since=3h")
    autoscaler.wait_until_ready()

    until(lambda: autoscaler.metric("recommended_request") > 0, what="something is recommended")
    until(lambda: autoscaler.metric("warming") == 0, what="the history was read")
    report = until(lambda: answer(f"{page}/api/v1/report"), what="there is a report")

    assert json.loads(report)["items"]
    assert autoscaler.metric("applied_total") == 0
    assert autoscaler.metric("decisions_total", mode="apply") == 0
    until(lambda: log.stat().st_size > 0, what="decisions are logged")
    assert "Traceback" not in autoscaler.log()


def answer(url):
    found = urllib3.request("GET", url, retries=False, timeout=30.0)
    return found.data if found.status == 200 else b""


def test_metrics_of_single_workloads_may_be_left_out(start, lately):
    autoscaler, _ = start(lately.url, "--no-workload-metrics", "--since=1h")
    autoscaler.wait_until_ready()

    until(lambda: autoscaler.metric("ticks_total") >= 2, what="it ticks")

    assert autoscaler.metric("usage_workloads") > 0
    assert autoscaler.metric("recommended_request") == 0


def test_the_page_is_asked_by_the_commands_of_its_page(start, lately, tmp_path):
    for program in ("curl", "jq"):
        if shutil.which(program) is None:
            lacks(f"{program} is not installed")
    [commands] = pages.blocks("page-and-api.md", BEFORE_THE_FIRST_HEAD, "console")
    # The port is reached without a kubelet, and there is no browser.
    commands = without(commands, " port-forward ", "open ")
    autoscaler, page = start(lately.url, "--since=3h")
    autoscaler.wait_until_ready()
    until(lambda: autoscaler.metric("recommended_request") > 0, what="something is recommended")
    make_tfa(tmp_path / "bin" / "tfa")
    commands = replaced(commands, "http://127.0.0.1:8090", page, count=3)

    ended = run_in(tmp_path, commands, programs=[tmp_path / "bin"])

    assert ended.returncode == 0, ended.stdout + ended.stderr
    decisions = json.loads(ended.stdout[ended.stdout.rindex("\n{") :])["decisions"]
    assert {each["workload"] for each in decisions} == {"chat"}
