"""A small fleet in recorded time whose policies ask for forecasts."""

from __future__ import annotations

import numpy as np

from recommender.backtest.replayed_fleet import ReplayedFleet, unbounded_workloads
from recommender.decision import Layer
from recommender.policy.parse import parse_auto_scaling_config
from recommender.resources import TFLOPS
from recommender.usage.model import UsageModel

STEP_S = 60
BLOCK_STEPS = 5
TICK_S = BLOCK_STEPS * STEP_S
PREDICTS = {"enable": True, "prediction": {"enable": True}}
LIMITS_ALONE = {"autoSetLimits": PREDICTS}
ALL_LAYERS = {
    "autoSetLimits": PREDICTS,
    "autoSetRequests": PREDICTS,
    "autoSetReplicas": PREDICTS,
}


def fleet(
    series,
    config=None,
    *,
    replicas=2.0,
    workloads=None,
    resources=(TFLOPS,),
    layers=frozenset(Layer),
    **columns,
):
    """Return a fleet of one worker per workload (or ``workloads``, a row of each series)."""
    row = np.arange(series) if workloads is None else np.asarray(workloads)
    rows = int(row.max()) + 1
    stated = unbounded_workloads(
        [("team", f"w{i}") for i in range(rows)],
        len(resources),
        replicas=np.full(rows, replicas),
        stated_replicas=np.full(rows, replicas),
        **columns,
    )
    policy = parse_auto_scaling_config(ALL_LAYERS if config is None else config)
    assert policy.problems == ()
    policies = [policy] * rows
    return ReplayedFleet(
        resources, policies, stated, row, step_s=STEP_S, begin_s=0, forecast_layers=layers
    )


def show(replayed, use, *, first=0, limits=None, requests=None):
    """Show minutes of compute, ``[T, S]``, tick by tick; what is given comes into force each time.

    Yields what is forecast after each block.
    """
    model, rows = replayed.model, replayed.rows
    for minute in range(first, first + len(use), BLOCK_STEPS):
        part = use[minute - first : minute - first + BLOCK_STEPS].T
        now_s = minute * STEP_S + TICK_S
        replayed.see(0, minute * STEP_S, part, now_s=now_s)
        decided = replayed.decide(now_s)
        if limits is not None:
            amounts = np.full(replayed.workloads.limit.shape, np.nan)
            amounts[:, 0] = limits(decided, model.forecasts.read(rows, now_s))
            replayed.put_in_force(limit=amounts)
        if requests is not None:
            replayed.put_in_force(request=requests(decided))
        yield model.forecasts.read(rows, now_s)


def daily_minutes(days, series, *, seed=1, noise=20.0):
    """Return use with a peak each day, ``[T, S]``, one value a minute."""
    random = np.random.default_rng(seed)
    minute = np.arange(days * 1440)[:, None]
    level = random.uniform(5.0, 50.0, series)
    shape = 1.2 + 0.8 * np.sin(2 * np.pi * minute / 1440)
    return level * shape * random.gamma(noise, 1 / noise, (len(minute), series))


def last_of(replayed, use, **options):
    """Return what is forecast at the end."""
    forecasts = None
    for found in show(replayed, use, **options):
        forecasts = found
    return forecasts


def model_of(use, workload_row=None):
    """Return a usage model with minutes of compute ``[T, S]`` that are all closed."""
    model = UsageModel((TFLOPS,))
    row = np.arange(use.shape[1]) if workload_row is None else np.asarray(workload_row)
    rows = model.workload_rows([("team", f"w{i}", "") for i in range(int(row.max()) + 1)])
    workers = model.worker_rows(rows[row], [f"{i}" for i in range(use.shape[1])])
    end_s = len(use) * STEP_S
    minute, series = np.nonzero(~np.isnan(use))
    model.ingest(
        0, workers[series], minute * STEP_S, use[minute, series], now_s=end_s, step_s=STEP_S
    )
    model.advance(end_s + 120)
    return model
