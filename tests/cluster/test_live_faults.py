"""What goes wrong around an autoscaler takes nothing away from anybody, and is mended by itself.

One cluster in small runs for all tests, which stand in the order in which things happen: what takes
minutes, a limit that comes down after a burst, goes on beside the faults.
"""

from __future__ import annotations

import time

import pytest

from tests.cluster.live_history import Past
from tests.cluster.live_laws import assert_laws
from tests.cluster.live_ledger import said_by, turn_of
from tests.cluster.live_scene import scene
from tests.cluster.live_workloads import FITTING_TFLOPS, GIB, LIMITS, REQUESTS
from tests.cluster.live_world import LiveNode, running_world, some_ticks
from tests.cluster.nodes import HOSTNAME
from tests.cluster.telling import is_said
from tests.components.processes import until
from tests.components.worker_series import constant, daily

NAMESPACE = "faults"
NODES = ("faults-0", "faults-1")
OUTAGE_S = 120.0
CALM_DEADLINE_S = 420.0
"""A limit comes down five minutes after its last raise."""
MUCH_TFLOPS = 3.5 * FITTING_TFLOPS
"""Work for four workers."""
PASTS = [
    Past(namespace=NAMESPACE, workload="calm", tflops=daily(30.0, 5.0), vram_bytes=5 * GIB),
    Past(namespace=NAMESPACE, workload="steady", tflops=constant(50.0), vram_bytes=5 * GIB),
    Past(namespace=NAMESPACE, workload="hungry", tflops=constant(35.0), vram_bytes=3 * GIB),
]


@pytest.fixture(scope="module")
def world(control_plane, tmp_path_factory):
    nodes = [LiveNode(name=name, gpus=4) for name in NODES]
    folder = tmp_path_factory.mktemp("faults")
    with running_world(control_plane, folder, nodes=nodes, pasts=PASTS) as running:
        yield running


@pytest.fixture(scope="module")
def live(world):
    with scene(world, NAMESPACE) as made:
        made.want("calm", tflops=30.0)
        made.want("steady", tflops=50.0)
        made.want("hungry", tflops=100.0, vram_bytes=10 * GIB, shown_ratio=0.3)
        made.want("watched", tflops=MUCH_TFLOPS, is_shared=True)
        made.want("other", tflops=30.0)
        large = {"vram_request": "4Gi", "vram_limit": "16Gi"}
        made.space.apply(
            made.deployment("calm", **LIMITS),
            made.deployment("steady", **REQUESTS, **LIMITS),
            made.deployment("hungry", workload_profile="sized", **large),
            on_node(NODES[0], made.deployment("other", **LIMITS)),
            on_node(NODES[1], made.deployment("watched", workload_profile="scaled", replicas=4)),
        ).well()
        yield made


def on_node(node, owner):
    """Have the workers of an owner on one node."""
    owner["spec"]["template"]["spec"]["nodeSelector"] = {HOSTNAME: node}
    return owner


@pytest.fixture(scope="module", autouse=True)
def autoscaler(world, live):
    return world.leading_autoscaler()


@pytest.fixture(scope="module")
def burst_limit(live, autoscaler):
    """Have a burst, which ends when its limit has followed; return that limit."""
    live.has_workers("calm", 1)
    live.want("calm", tflops=170.0)
    _, limit, *_ = live.has("calm", lambda has: has[1] >= 170.0, what="limit")
    live.want("calm", tflops=30.0)
    return limit


@pytest.fixture(scope="module")
def rolled_back(live, burst_limit):
    """Have a smaller size taken back; return what guard rails remember of it."""
    return live.loses_and_regains_vram("hungry", limit_gib=16.0)


def lowest(live):
    """Return the least that each worker ever had."""
    return {
        worker: tuple(map(min, zip(*seen, strict=True)))
        for worker, seen in live.ledger.all_amounts.items()
    }


@pytest.mark.usefixtures("rolled_back")
def test_an_agent_that_is_gone_takes_nothing_from_its_workers_and_stops_no_other(
    world, live, autoscaler
):
    live.has_workers("watched", 4)
    some_ticks(autoscaler)
    before, seen = live.limits("watched"), live.ledger.replicas(NAMESPACE, "watched")

    world.agents.kill(NODES[1])
    live.want("other", tflops=100.0)
    until(lambda: live.shown("tf_worker_memory_bytes", "watched") is None, what="nobody shows it")
    live.has("other", lambda has: has[1] > 100.0, what="limit")
    some_ticks(autoscaler)
    assert live.limits("watched") == before

    world.agents.start(NODES[1])
    until(lambda: live.shown("tf_worker_memory_bytes", "watched"), what="its use is shown again")
    some_ticks(autoscaler)
    assert live.limits("watched") == before
    assert live.ledger.replicas(NAMESPACE, "watched") == seen
    live.want("other", tflops=30.0)


def test_two_minutes_without_prometheus_lower_nothing_and_remove_no_worker(world, live, autoscaler):
    live.has_workers("watched", 4)
    before, seen = lowest(live), live.ledger.replicas(NAMESPACE, "watched")
    end_s = time.monotonic() + OUTAGE_S

    world.prometheus.stop()
    live.want("watched", tflops=0.5 * FITTING_TFLOPS, is_shared=True)
    until(
        lambda: autoscaler.metric("health_gate_open", part="metrics") == 0.0,
        what="the gate closes",
        deadline_s=OUTAGE_S,
    )
    is_said(live.space, "steady", "ResourceUpdate", "Held")
    until(
        lambda: time.monotonic() > end_s or not autoscaler.process.is_running,
        what="the outage is over",
        deadline_s=2 * OUTAGE_S,
    )

    assert autoscaler.process.is_running
    assert lowest(live) == before
    assert live.ledger.replicas(NAMESPACE, "watched") == seen
    world.prometheus.start()
    until(
        lambda: autoscaler.metric("health_gate_open", part="metrics") == 1.0, what="the gate opens"
    )
    is_said(live.space, "steady", "ResourceUpdate", "Updated")


def test_an_api_server_that_starts_anew_is_met_again(live, control_plane, autoscaler):
    control_plane.stop_api_server()
    live.want("other", tflops=200.0)
    control_plane.start_api_server()
    control_plane.outlive_scheduler()

    live.has("other", lambda has: has[1] >= 160.0, what="limit")
    assert autoscaler.is_leader


def test_a_limit_comes_down_when_five_minutes_were_calm(live, burst_limit):
    _, limit, *_ = live.has(
        "calm",
        lambda has: has[1] < burst_limit,
        what="a lower limit",
        deadline_s=CALM_DEADLINE_S,
    )

    # A fifth of it a minute.
    assert limit >= 0.79 * burst_limit


def test_a_standby_takes_over_from_a_killed_leader_and_repeats_nothing(
    world, live, autoscaler, rolled_back
):
    standby = world.start_autoscaler()
    standby.wait_until_ready()
    assert not standby.is_leader
    before = last_statements(live)

    autoscaler.process.kill()
    standby.wait_until_leader()
    some_ticks(standby)
    live.want("steady", tflops=150.0)
    live.has("steady", lambda has: has[1] >= 150.0, what="limit")

    after = last_statements(live)
    assert turn_of(after["steady"]) > turn_of(before["steady"])
    assert after["steady"]["epoch"] > before["steady"]["epoch"]
    assert said_by(after["hungry"]) == said_by(before["hungry"])
    guard = live.space.get("tfw", "hungry")["status"]["guard"]
    assert guard["noDecreaseUntil"] >= rolled_back["noDecreaseUntil"]
    assert live.vram_gib_at_start("hungry") >= 16.0


def last_statements(live):
    """Return what was stated last for each workload."""
    return {name: stated[-1] for ((_, name), _), stated in live.ledger.all_statements.items()}


def test_all_laws_held_all_the_time(world, live):
    assert_laws(world, live.ledger)


def test_what_was_logged_has_no_traceback(autoscaler):
    assert "Traceback" not in autoscaler.log()
