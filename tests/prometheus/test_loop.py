"""The loop over a real server: a history, what comes after it, and a process that starts again.

The truth is the same loop over the same server without the trouble.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from autoscaler.clock import VirtualClock
from autoscaler.scaling.loop import Loop, LoopSettings
from autoscaler.sources.prometheus.client import PrometheusClient
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.mappings import AGENT
from autoscaler.sources.prometheus.prometheus_source import PrometheusSource
from recommender.resources import TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import StandingCluster, view
from tests.autoscaler.scaling.histories import read_history
from tests.autoscaler.scaling.running.starts import checkpoints_of, start
from tests.components.histories import SPIKE_S, START_S

NOW_S = START_S + 36 * 3600
SINCE_S = START_S
GIB = 2.0**30
H100 = {"gpu_model": "NVIDIA H100 80GB HBM3"}


@pytest.fixture
def client(history_server) -> Iterator[PrometheusClient]:
    client = PrometheusClient(Connection(url=history_server.url))
    yield client
    client.close()


def fleet() -> StandingCluster:
    return StandingCluster(
        view("chat", "auto-requests", "auto-limits", namespace="serving", workers=2, **H100),
        view("embed", "auto-requests", namespace="serving", gpu_model="A10"),
        view("train", "auto-requests", "auto-limits", namespace="batch", **H100),
    )


def loop_at(client: PrometheusClient, now_s: int, step_s: int = 15) -> Loop:
    source = PrometheusSource(client, AGENT, peak_tflops=lambda _name: None)
    return Loop(
        fleet(),
        source,
        VirtualClock(now_s),
        UsageModel([TFLOPS, VRAM]),
        LoopSettings(step_s=step_s),
    )


def is_restored(loop: Loop, state: Path, since_s: int) -> bool:
    """Start a loop from a state or the history; return which."""
    views = loop._cluster.snapshot()
    return start(loop, state, since_s, source=loop._source, clock=loop._clock, views=views)


def run(loop: Loop, until_s: int, every_s: int = 60) -> None:
    clock = loop._clock
    while clock.now_s() < until_s:
        clock.advance_to(min(clock.now_s() + every_s, until_s))
        assert loop.tick().errors == {}


def shares(weights: np.ndarray) -> np.ndarray:
    """Return each bucket's share; the weights' common factor is the bank's own business."""
    return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)


def kept(loop: Loop) -> dict[str, np.ndarray]:
    """Return what is kept of each workload, by its name, in the order of names."""
    model = loop.model
    keys = sorted(key for key in model.workloads.keys if key is not None)
    rows = model.workload_rows(keys)
    usage = {"workloads": np.array(keys)}
    for store in model.stores:
        name = store.resource.name
        usage |= {
            f"{name} requests": shares(store.requests.weights[rows]),
            f"{name} limits": shares(store.limits.weights[rows]),
            f"{name} blocks": store.blocks.top.values[:, rows],
            f"{name} points": store.points[rows],
        }
    # A history of VRAM is read as maxima alone.
    usage["tflops means"] = model.stores[0].blocks.mean.values[:, rows]
    return usage


def assert_same(actual: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert actual["workloads"].tolist() == expected["workloads"].tolist()
    for name, array in expected.items():
        if name != "workloads":
            np.testing.assert_allclose(actual[name], array, rtol=2e-5, atol=1e-9, err_msg=name)


def test_a_history_read_at_once_and_one_read_as_it_came_are_kept_alike(client):
    """Minutes read as blocks on the one side, samples of every tick on the other."""
    start_s = NOW_S - 3 * 3600
    at_once = loop_at(client, NOW_S)
    # The first tick reads the last two minutes again, of which the bootstrap saw one.
    read_history(at_once, start_s - 60)
    at_once.tick()
    as_it_came = loop_at(client, start_s + 60)
    read_history(as_it_came, start_s)
    run(as_it_came, NOW_S)
    assert_same(kept(at_once), kept(as_it_came))


def test_a_peak_of_one_sample_is_in_the_history_that_decides(client):
    loop = loop_at(client, SPIKE_S + 7200)
    read_history(loop, SPIKE_S - 12 * 3600)
    [row] = [i for i, key in enumerate(loop.model.workloads.keys) if key[1] == "embed"]
    assert np.nanmax(loop.model.stores[1].blocks.top.values[:, row]) == 14 * GIB


@pytest.mark.parametrize(("away_s", "is_short"), [(1800, True), (7200, False)])
def test_a_process_that_starts_again_goes_on_as_if_it_had_never_ended(
    client, tmp_path, away_s, is_short
):
    state = tmp_path / "state"
    first = loop_at(client, NOW_S)
    assert not is_restored(first, state, SINCE_S)
    run(first, NOW_S + 600)
    checkpoints_of(first, state).save()

    again_s = NOW_S + away_s
    second = loop_at(client, again_s)
    assert is_restored(second, state, SINCE_S + away_s) is is_short
    run(second, again_s + 600)
    run(first, again_s + 600)
    assert_same(kept(second), kept(first))


def test_a_damaged_state_is_rebuilt_from_the_server_and_kept_aside(client, tmp_path, caplog):
    state = tmp_path / "state"
    first = loop_at(client, NOW_S)
    assert not is_restored(first, state, SINCE_S)
    checkpoints_of(first, state).save()
    data = bytearray(state.read_bytes())
    data[len(data) // 2] ^= 0xFF
    state.write_bytes(data)

    second = loop_at(client, NOW_S)
    assert not is_restored(second, state, SINCE_S)
    assert f"the state file {state} cannot be used: " in caplog.text
    assert_same(kept(second), kept(first))
