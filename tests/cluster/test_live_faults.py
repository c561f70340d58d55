"""What goes wrong around an autoscaler, and what others do to its workloads, takes nothing away.

One cluster in small runs for all tests, which stand in the order in which things happen: what takes
minutes, a limit that comes down after a burst, goes on beside the others.
"""

from __future__ import annotations

import time
from datetime import datetime
from itertools import pairwise

import pytest

from autoscaler.api.names import AUTOSCALER_LEASE, CONTROLLER_LEASE, PAUSED
from autoscaler.api.names import NAMESPACE as OWN_NAMESPACE
from recommender.quantities import parse_quantity
from tests.cluster.live_history import Past
from tests.cluster.live_laws import assert_laws
from tests.cluster.live_ledger import said_by, turn_of
from tests.cluster.live_scene import scene
from tests.cluster.live_workloads import FITTING_TFLOPS, GIB, LIMITS, REQUESTS
from tests.cluster.live_world import LiveNode, running_world, some_ticks
from tests.cluster.nodes import HOSTNAME
from tests.cluster.telling import is_said, is_told
from tests.components.processes import until
from tests.components.worker_series import constant, daily

NAMESPACE = "faults"
NODES = ("faults-0", "faults-1")
OUTAGE_S = 120.0
CALM_DEADLINE_S = 660.0
"""A limit comes down five minutes after its last raise."""
MUCH_TFLOPS = 3.5 * FITTING_TFLOPS
"""Work for four workers."""
PASTS = [
    Past(namespace=NAMESPACE, workload="calm", tflops=daily(30.0, 5.0), vram_bytes=5 * GIB),
    Past(namespace=NAMESPACE, workload="steady", tflops=constant(50.0), vram_bytes=5 * GIB),
    Past(namespace=NAMESPACE, workload="hungry", tflops=constant(35.0), vram_bytes=3 * GIB),
    Past(namespace=NAMESPACE, workload="anew", tflops=constant(60.0), vram_bytes=5 * GIB),
    Past(namespace=NAMESPACE, workload="stated", tflops=constant(60.0), vram_bytes=5 * GIB),
]


@pytest.fixture(scope="module")
def world(control_plane, tmp_path_factory):
    nodes = [LiveNode(name=name, gpus=8) for name in NODES]
    folder = tmp_path_factory.mktemp("faults")
    with running_world(control_plane, folder, nodes=nodes, pasts=PASTS) as running:
        yield running


@pytest.fixture(scope="module")
def live(world):
    """Have all workloads that the tests are about, with what they want at first."""
    with scene(world, NAMESPACE) as made:
        for name in ("calm", "other", "resting", "bursting", "stated"):
            made.want(name, tflops=30.0)
        for name in ("again", "owned"):
            made.want(name, tflops=MUCH_TFLOPS, is_shared=True)
        made.want("steady", tflops=50.0)
        made.want("anew", tflops=60.0)
        made.want("hungry", tflops=35.0, vram_bytes=10 * GIB, shown_ratio=0.3)
        # Its compute fits, so that the budget for decreases is left to others.
        large = {"tflops_limit": "44", "vram_request": "4Gi", "vram_limit": "16Gi"}
        rolling = made.deployment("rolling", workload_profile="growing", replicas=4)
        rolling["spec"]["strategy"] = {"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}
        made.space.apply(
            made.deployment("calm", **LIMITS),
            made.deployment("steady", **REQUESTS, **LIMITS),
            made.deployment("hungry", workload_profile="sized", **large),
            on_node(NODES[0], made.deployment("other", **LIMITS)),
            on_node(NODES[1], made.deployment("watched", workload_profile="steadier", replicas=4)),
            made.deployment("again", workload_profile="growing"),
            made.deployment("owned", workload_profile="growing"),
            made.deployment("resting", **LIMITS),
            made.deployment("bursting", **LIMITS),
            made.deployment("stated", **REQUESTS),
            made.deployment("anew", workload_profile="sized"),
            rolling,
            horizontal_autoscaler("owned"),
        ).well()
        # All share the load from its beginning on, so that nothing has to be scaled.
        for name in ("watched", "rolling"):
            made.has_workers(name, 4)
            made.want(name, tflops=MUCH_TFLOPS, is_shared=True)
        yield made


def on_node(node, owner):
    """Have the workers of an owner on one node."""
    owner["spec"]["template"]["spec"]["nodeSelector"] = {HOSTNAME: node}
    return owner


def horizontal_autoscaler(name):
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3},
    }


@pytest.fixture(scope="module", autouse=True)
def autoscaler(world, live):
    return world.leading_autoscaler()


@pytest.fixture(scope="module")
def burst(live, autoscaler):
    """Have a burst, which ends when its limit has followed."""
    live.has_workers("calm", 1)
    live.want("calm", tflops=170.0)
    live.has("calm", lambda has: has[1] >= 170.0, what="limit")
    live.want("calm", tflops=30.0)


@pytest.fixture(scope="module")
def rolled_back(live, burst):
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
    before, seen = live.limits("watched"), live.ledger.replicas("watched")

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
    assert live.ledger.replicas("watched") == seen
    live.want("other", tflops=30.0)


def test_two_minutes_without_prometheus_lower_nothing_and_remove_no_worker(world, live, autoscaler):
    live.has_workers("watched", 4)
    before, seen = lowest(live), live.ledger.replicas("watched")
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
    assert live.ledger.replicas("watched") == seen
    live.want("watched", tflops=MUCH_TFLOPS, is_shared=True)
    world.prometheus.start()
    until(
        lambda: autoscaler.metric("health_gate_open", part="metrics") == 1.0, what="the gate opens"
    )
    is_said(live.space, "steady", "ResourceUpdate", "Updated")


def test_replicas_that_another_autoscaler_sets_are_left_to_it_until_it_is_gone(live, autoscaler):
    live.has_workers("owned", 1)
    rival = f"HorizontalPodAutoscaler {NAMESPACE}/owned"
    is_said(live.space, "owned", "ReplicasNotScaled", "OtherAutoscaler", rival)

    some_ticks(autoscaler)

    assert live.replicas("owned") == 1
    live.space.kubectl("delete", "hpa", "owned").well()
    live.grows("owned")


def test_a_manifest_that_is_applied_again_is_named_and_not_fought(live, autoscaler):
    manifest = live.deployment("again", workload_profile="growing")
    for _ in range(3):
        live.grows("again")
        some_ticks(autoscaler)
        live.space.apply(manifest).well()

    is_told(live.space, "TensorFusionWorkload", "ReplicasReset")
    is_said(live.space, "again", "ReplicasNotScaled", "ResetByOthers")
    some_ticks(autoscaler)
    assert live.replicas("again") == 1


def test_a_rollout_with_surge_changes_no_replicas(live, autoscaler):
    live.has_workers("rolling", 4)
    some_ticks(autoscaler)
    names = {pod["metadata"]["name"] for pod in live.workers("rolling")}

    live.restart("rolling")

    until(
        lambda: names.isdisjoint(pod["metadata"]["name"] for pod in live.workers("rolling")),
        what="all workers are new",
    )
    live.has_workers("rolling", 4)
    some_ticks(autoscaler)
    assert live.ledger.replicas("rolling") == [4]


def test_a_workload_that_is_made_anew_is_sized_by_what_it_used_under_its_name(live):
    """When it gets that is a question of the fleet's budget, which others may have used up."""
    until(
        lambda: recommended_tflops(live, "anew") > 60.0, what="its use is known", deadline_s=180.0
    )
    before = live.space.get("tfw", "anew")["metadata"]["uid"]

    live.space.kubectl("delete", "deployment", "anew").well()
    until(lambda: live.space.kubectl("get", "tfw", "anew").code != 0, what="the workload is gone")
    live.space.apply(live.deployment("anew", workload_profile="sized")).well()

    live.has_workers("anew", 1)
    until(
        lambda: recommended_tflops(live, "anew") > 60.0,
        what="its use is known again",
        deadline_s=180.0,
    )
    assert live.space.get("tfw", "anew")["metadata"]["uid"] != before


def recommended_tflops(live, workload):
    """Return the recommended request of a workload; 0 where none is known."""
    status = live.space.get("tfw", workload).get("status") or {}
    requests = (status.get("recommendation") or {}).get("requests") or {}
    return float(parse_quantity(requests.get("tflops", "0")))


def test_a_workload_that_is_paused_waits_and_is_raised_when_the_pause_ends(live, autoscaler):
    live.has_workers("resting", 1)
    live.space.kubectl("annotate", "tfw", "resting", f"{PAUSED}=true").well()
    is_said(live.space, "resting", "ResourceUpdate", "Paused")

    live.want("resting", tflops=200.0)
    live.waits("resting")
    some_ticks(autoscaler)
    assert live.limits("resting") == [80.0]

    live.space.kubectl("annotate", "tfw", "resting", f"{PAUSED}-").well()
    live.has("resting", lambda has: has[1] >= 160.0, what="limit")


def test_a_layer_that_is_switched_off_keeps_running_workers_and_gives_new_ones_what_is_declared(
    live,
):
    live.has("stated", lambda has: has[0] > 60.0, what="request")
    given = live.has_workers("stated", 1)

    live.space.apply(live.deployment("stated")).well()

    live.has("stated", lambda has: has[0] == 40.0, what="declared request")
    until(
        lambda: "desiredResources" not in live.space.get("tfw", "stated")["status"],
        what="nothing is stated any more",
    )
    assert given[0]["metadata"]["uid"] not in {
        pod["metadata"]["uid"] for pod in live.workers("stated")
    }


def test_under_mode_recommend_nothing_is_changed_until_it_ends(world, live, autoscaler):
    with world.recommending():
        is_said(live.space, "bursting", "ResourceUpdate", "RecommendOnly")
        before, seen = (live.ledger.statements, live.ledger.all_amounts), live.replicas("rolling")

        live.want("bursting", tflops=200.0)
        live.want("rolling", tflops=5.5 * FITTING_TFLOPS, is_shared=True)
        live.waits("bursting")
        some_ticks(autoscaler)
        assert (live.ledger.statements, live.ledger.all_amounts) == before
        assert live.replicas("rolling") == seen

    live.has("bursting", lambda has: has[1] >= 160.0, what="limit")
    live.grows("rolling", above=seen)


@pytest.mark.usefixtures("burst")
def test_a_limit_comes_down_by_a_fifth_a_minute_when_five_minutes_were_calm(live):
    highest = max(has[1] for has in live.ledger.amounts("calm"))

    live.has(
        "calm",
        lambda has: has[1] < highest,
        what="a lower limit",
        deadline_s=CALM_DEADLINE_S,
    )

    limits = [has[1] for has in live.ledger.amounts("calm")]
    after = limits[limits.index(highest) :]
    assert after == sorted(after, reverse=True)
    assert all(lower >= 0.79 * higher for higher, lower in pairwise(after))


def test_an_api_server_that_starts_anew_is_met_again(world, live, control_plane, autoscaler):
    control_plane.stop_api_server()
    live.want("other", tflops=200.0)
    control_plane.start_api_server()
    lead_again(world, control_plane, autoscaler)

    live.has("other", lambda has: has[1] >= 160.0, what="limit")
    assert autoscaler.is_leader


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


def lead_again(world, control_plane, autoscaler):
    """Wait until both who elect a leader renewed their leases; who had to end is started anew.

    A server that is away for longer than a lease may stay unrenewed costs its leader the lease.
    """
    began_s = time.time()

    def renewed():
        control_plane.outlive_scheduler()
        for process in (world.controller.process, autoscaler.process):
            process.outlive()
        return all(
            renewed_s(control_plane, lease) > began_s
            for lease in (CONTROLLER_LEASE, AUTOSCALER_LEASE)
        )

    until(renewed, what="both lead again", deadline_s=OUTAGE_S)


def renewed_s(control_plane, lease):
    """Return when a lease was last renewed, in seconds since the epoch."""
    words = ("get", "lease", lease, "-n", OWN_NAMESPACE, "-o", "jsonpath={.spec.renewTime}")
    return datetime.fromisoformat(control_plane.kubectl(*words).well().out).timestamp()


def last_statements(live):
    """Return what was stated last for each workload."""
    return {name: stated[-1] for (name, _), stated in live.ledger.statements.items()}


def test_all_laws_held_all_the_time(world, live):
    assert_laws(world, live.ledger)


def test_what_was_logged_has_no_traceback(autoscaler):
    assert "Traceback" not in autoscaler.log()
