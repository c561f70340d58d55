"""An autoscaler beside people and programs that have a word in the same workloads.

One cluster in small runs for all tests; all workloads begin before the first one.
"""

from __future__ import annotations

import pytest

from autoscaler.api.control import ProcessMode
from autoscaler.api.names import PAUSED
from tests.cluster.live_history import Past
from tests.cluster.live_laws import assert_laws
from tests.cluster.live_scene import scene
from tests.cluster.live_workloads import FITTING_TFLOPS, GIB, LIMITS, REQUESTS
from tests.cluster.live_world import LiveNode, running_world, some_ticks
from tests.cluster.telling import is_said, is_told
from tests.components.processes import until
from tests.components.worker_series import constant

NAMESPACE = "neighbours"
MUCH_TFLOPS = 3.5 * FITTING_TFLOPS
"""Work for four workers."""
PASTS = [
    Past(namespace=NAMESPACE, workload=name, tflops=constant(60.0), vram_bytes=5 * GIB)
    for name in ("anew", "stated")
]


@pytest.fixture(scope="module")
def world(control_plane, tmp_path_factory):
    nodes = [LiveNode(name=f"neighbours-{number}", gpus=6) for number in range(2)]
    folder = tmp_path_factory.mktemp("neighbours")
    with running_world(control_plane, folder, nodes=nodes, pasts=PASTS) as running:
        yield running


@pytest.fixture(scope="module")
def live(world):
    """Have all workloads that the tests are about, with what they want at first."""
    with scene(world, NAMESPACE) as made:
        for name in ("again", "owned", "rolling"):
            made.want(name, tflops=MUCH_TFLOPS, is_shared=True)
        for name in ("resting", "bursting", "stated"):
            made.want(name, tflops=30.0)
        made.want("anew", tflops=60.0)
        rolling = made.deployment("rolling", workload_profile="growing", replicas=4)
        rolling["spec"]["strategy"] = {"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}
        made.space.apply(
            made.deployment("again", workload_profile="growing"),
            made.deployment("owned", workload_profile="growing"),
            made.deployment("resting", **LIMITS),
            made.deployment("bursting", **LIMITS),
            made.deployment("stated", **REQUESTS),
            made.deployment("anew", workload_profile="sized"),
            rolling,
            horizontal_autoscaler("owned"),
        ).well()
        yield made


@pytest.fixture(scope="module", autouse=True)
def autoscaler(world, live):
    return world.leading_autoscaler()


def horizontal_autoscaler(name):
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3},
    }


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
    assert live.ledger.replicas(NAMESPACE, "rolling") == [4]


def test_a_workload_that_is_made_anew_is_sized_by_what_it_used_under_its_name(live):
    live.has("anew", lambda has: has[0] > 60.0, what="request")
    before = live.space.get("tfw", "anew")["metadata"]["uid"]

    live.space.kubectl("delete", "deployment", "anew").well()
    until(lambda: live.space.kubectl("get", "tfw", "anew").code != 0, what="the workload is gone")
    live.space.apply(live.deployment("anew", workload_profile="sized")).well()

    live.has("anew", lambda has: has[0] > 60.0, what="request")
    assert live.space.get("tfw", "anew")["metadata"]["uid"] != before


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
    world.switch(ProcessMode.RECOMMEND)
    is_said(live.space, "bursting", "ResourceUpdate", "RecommendOnly")
    before = live.ledger.all_statements, live.ledger.all_amounts

    live.want("bursting", tflops=200.0)
    live.want("rolling", tflops=5.5 * FITTING_TFLOPS, is_shared=True)
    live.waits("bursting")
    some_ticks(autoscaler)
    assert (live.ledger.all_statements, live.ledger.all_amounts) == before
    assert live.replicas("rolling") == 4

    world.switch(ProcessMode.APPLY)
    live.has("bursting", lambda has: has[1] >= 160.0, what="limit")
    live.grows("rolling", above=4)


def test_all_laws_held_all_the_time(world, live):
    assert_laws(world, live.ledger)


def test_what_was_logged_has_no_traceback(autoscaler):
    assert "Traceback" not in autoscaler.log()
