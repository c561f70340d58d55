"""Reports over real recorded usage: sensible numbers for every workload."""

import json

import pandas as pd
import pytest

from autoscaler.cli.exits import ExitCode
from autoscaler.cli.main import main
from tests.traces import needs_traces, recorded_traces

pytestmark = needs_traces


def report_of(capsys, name, *arguments):
    usage = recorded_traces() / "data" / f"{name}.parquet"
    code = main(["report", "--from", str(usage), "-o", "json", "--progress", "never", *arguments])
    assert code == ExitCode.OK
    return usage, json.loads(capsys.readouterr().out)


@pytest.mark.filterwarnings("default")
def test_gpu_pods_of_a_day_get_a_request_and_a_limit_that_a_card_can_hold(capsys):
    usage, report = report_of(capsys, "gentd26", "--gpu-model", "A100", "--no-what-if")
    pods = pd.read_parquet(usage).series_id.nunique()
    items = [item for item in report["items"] if item["resource"] != "replicas"]
    assert len(items) == 2 * pods
    assert {item["verdict"]["severity"] for item in items} == {"UNSET"}
    card = {"tflops": 312.0, "vram_bytes": 80 * 2.0**30}
    for item in items:
        request, limit = item["recommended"]["request"], item["recommended"]["limit"]
        assert 0 < request <= limit <= card[item["resource"]]
        assert item["evidence"]["p50"] <= request * 1.25


@pytest.mark.filterwarnings("default")
def test_clients_of_llms_are_sized_in_their_own_unit(capsys):
    usage, report = report_of(capsys, "servegen")
    items = report["items"]
    highest = pd.read_parquet(usage).groupby("series_id").value.max()
    assert len(items) == len(highest)
    for item in items:
        assert item["resource"] == "tokens_per_s"
        identity = item["identity"]
        seen = highest[f"{identity['namespace']}/{identity['workload']}"]
        assert 0 < item["recommended"]["request"] <= item["recommended"]["limit"]
        assert item["recommended"]["request"] <= 1.3 * seen
        assert item["what_if"]["request"]["violated_share"] < 0.2
