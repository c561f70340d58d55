"""A real autoscaler process over a real Prometheus: its fleet's models are trained and told of."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import orjson
import pytest

from tests.cluster.child_processes import start_child
from tests.cluster.elected_process import ElectedProcess
from tests.cluster.gpus import A100
from tests.cluster.live_prometheus import ScrapingPrometheus
from tests.components.openmetrics import blocks, write_openmetrics
from tests.components.processes import LOOPBACK, free_port, until
from tests.components.worker_metrics import COMPUTE_PERCENT, EFFECTIVE_SHARE, MEMORY_BYTES, TFLOPS
from tests.components.worker_series import History, Worker, constant, daily, worker_labels

ROOT = Path(__file__).parents[2]
NAMES = ("chat", "search", "speech", "vision", "code")
MINUTE_S, HOURS = 60, 14
FORECAST = {"autoSetLimits": {"enable": True, "prediction": {"enable": True}, "riskTarget": 0.01}}
DEADLINE_S = 180.0


@pytest.fixture(scope="module")
def measured(tmp_path_factory, prometheus_binaries):
    """Run a server that measured some workers until a moment ago."""
    assert prometheus_binaries.promtool.exists()
    folder = tmp_path_factory.mktemp("measured")
    text = folder / "measured.om"
    write_openmetrics(text, history().families())
    with ScrapingPrometheus(folder, [], tsdb=blocks(text, folder / "tsdb")) as server:
        yield server


def history():
    end_s = int(time.time()) // MINUTE_S * MINUTE_S
    metrics = (TFLOPS, COMPUTE_PERCENT, MEMORY_BYTES, EFFECTIVE_SHARE)
    workers = tuple(
        Worker(
            labels=worker_labels("team", name, f"{name}-0", gpu_model=A100),
            formulas={
                TFLOPS.name: daily(40.0 + 5 * number, 20.0, peak_hour=3.0 * number),
                COMPUTE_PERCENT.name: constant(13.0),
                MEMORY_BYTES.name: constant(6e9),
                EFFECTIVE_SHARE.name: constant(100.0),
            },
        )
        for number, name in enumerate(NAMES)
    )
    return History(
        workers=workers,
        metrics=metrics,
        start_s=end_s - HOURS * 60 * MINUTE_S,
        end_s=end_s,
        step_s=MINUTE_S,
    )


@pytest.fixture
def autoscaler(tmp_path, measured):
    """Run a process whose workloads all ask for a forecast."""
    stated = [
        {
            "namespace": "team",
            "workload": name,
            "tflops_request": 50,
            "tflops_limit": 100,
            "autoScalingConfig": FORECAST,
        }
        for name in NAMES
    ]
    workloads = tmp_path / "workloads.yaml"
    workloads.write_bytes(orjson.dumps(stated))
    health_port = free_port()
    command = [
        *(sys.executable, "-m", "autoscaler", "autoscaler", "--profile=recommend-only"),
        f"--prometheus-url={measured.url}",
        f"--workloads={workloads}",
        f"--bind-address={LOOPBACK}",
        f"--health-port={health_port}",
        f"--page-port={free_port()}",
        "--tick=1s",
        f"--since={HOURS}h",
    ]
    process = start_child(command, tmp_path / "autoscaler.log", folder=ROOT)
    yield ElectedProcess(process=process, health_url=f"http://{LOOPBACK}:{health_port}")
    if process.is_running:
        process.stop()


def test_the_models_of_the_fleet_are_trained_once_its_history_was_read(autoscaler):
    autoscaler.wait_until_ready()
    of = {"layer": "limits", "resource": "tflops", "ahead_seconds": "600"}

    until(
        lambda: autoscaler.metric("forecast_model_rows", **of) >= 500,
        what="a model is trained",
        deadline_s=DEADLINE_S,
    )

    gates = autoscaler.metric("forecast_gate_workloads", layer="limits", resource="tflops")
    promised = {"layer": "limits", "resource": "tflops", "workload": "chat"}
    assert gates == len(NAMES)
    assert autoscaler.metric("forecast_training_failures_total") == 0
    assert autoscaler.metric("workload_risk_promised_ratio", **promised) == 0.01
    assert "the fleet's model of limits of tflops, 10 min ahead was trained on" in autoscaler.log()
    assert "Traceback" not in autoscaler.log()
