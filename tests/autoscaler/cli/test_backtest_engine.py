"""Back-tests on a Dask cluster, as users start them."""

import numpy as np
import pandas as pd
import pytest

from recommender.backtest import engine
from recommender.backtest.fleet import WORKLOADS_PER_PART
from tests.components.processes import free_port
from tests.generated_usage import minutes, series, write_csv
from tests.recommender.backtest.dask_cluster import dask_cluster

STEP_S = 300
FORECAST = """\
apiVersion: tensor-fusion.ai/v1
kind: WorkloadProfile
metadata: {name: forecast}
spec:
  autoScalingConfig:
    autoSetLimits:
      enable: true
      targetResource: tflops
      riskTarget: 1%
      prediction: {enable: true}
"""


@pytest.fixture(scope="module")
def forecast(tmp_path_factory):
    """Return the options of a fleet of two parts, under forecasts and without them."""
    folder = tmp_path_factory.mktemp("forecast")
    ts = minutes(288, STEP_S)
    names = [f"team/w{i}" for i in range(WORKLOADS_PER_PART + 2)]
    noise = np.random.default_rng(1).uniform(0.8, 1.2, (len(names), len(ts)))
    busy = 40.0 + 30.0 * np.sin(2 * np.pi * np.arange(len(ts)) / 48)
    usage = [
        series(name, "tflops", ts, busy * each) for name, each in zip(names, noise, strict=True)
    ]
    (folder / "forecast.yaml").write_text(FORECAST)
    return [
        *("--from", write_csv(pd.concat(usage), folder / "usage.csv")),
        *("--layer", "limits", "--decision-step", "1h", "-o", "json"),
        *("--compare", folder / "forecast.yaml", "--compare", "defaults"),
    ]


def test_forecasts_have_the_same_scores_on_a_cluster_as_here(tfa, forecast):
    here = tfa("backtest", *forecast, "--engine", "local")
    with dask_cluster() as address:
        there = tfa("backtest", *forecast, "--engine", f"dask://{address}")

    assert (there.code, there.json) == (0, here.json)
    [fleet] = [row for row in here.json["scores"] if row["workload"] is None]
    assert fleet["difference"]["allocated_hours"] != 0


def test_a_scheduler_that_does_not_answer_ends_with_3_as_every_service_does(
    tfa, forecast, monkeypatch
):
    monkeypatch.setattr(engine, "CONNECT_TIMEOUT_S", 1)
    nobody = f"dask://127.0.0.1:{free_port()}"

    ended = tfa("backtest", *forecast, "--engine", nobody)

    assert (ended.code, ended.out) == (3, "")
    assert f"{nobody}: no scheduler answers there (Timed out" in ended.err


def test_an_address_that_cannot_be_one_ends_with_2(tfa, forecast):
    ended = tfa("backtest", *forecast, "--engine", "dask://[::1:8786")

    assert (ended.code, ended.out) == (2, "")
    assert "engine: 'dask://[::1:8786' is not valid" in ended.err
