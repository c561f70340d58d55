"""What users switch the autoscaler on for: limits, requests and replicas follow measured use.

One cluster in small runs for all tests: real API server, scheduler and Prometheus, the processes of
an installation, agents and limiters; workers are processes on a fake driver.  All workloads begin
before the first test, and each test waits for what it is about.  What they change in the first ten
minutes is within the budget of a small fleet, five workers: a forecast that waited for the next ten
would have learned by then that demand did not come.
"""

from __future__ import annotations

import pytest

from tests.cluster.live_history import Past
from tests.cluster.live_laws import assert_laws
from tests.cluster.live_scene import DEADLINE_S, scene
from tests.cluster.live_workloads import FITTING_TFLOPS, GIB, LIMITS, REQUESTS, amounts_of
from tests.cluster.live_world import A100_CARD, LiveNode, running_world, some_ticks
from tests.cluster.telling import is_told, shows
from tests.components.processes import until
from tests.components.worker_series import constant, daily

NAMESPACE = "live"
A100 = A100_CARD.name


def past(workload, tflops, vram_gib=5.0, **others):
    return Past(
        namespace=NAMESPACE, workload=workload, tflops=tflops, vram_bytes=vram_gib * GIB, **others
    )


PASTS = [
    past("steady", daily(50.0, 10.0)),
    past("burst", daily(30.0, 5.0)),
    past("hungry", constant(35.0), 3.0),
    past("later", constant(60.0), 3.0),
    past("foreseen", daily(100.0, 5.0), 3.0),
]


@pytest.fixture(scope="module")
def world(control_plane, tmp_path_factory):
    nodes = [
        LiveNode(name="live-a100-0", gpus=4),
        LiveNode(name="live-a100-1", gpus=4),
    ]
    folder = tmp_path_factory.mktemp("live")
    with running_world(control_plane, folder, nodes=nodes, pasts=PASTS) as running:
        yield running


@pytest.fixture(scope="module")
def live(world):
    """Have all workloads that the tests are about, with what they want at first."""
    with scene(world, NAMESPACE) as made:
        made.want("steady", tflops=50.0)
        made.want("burst", tflops=30.0)
        made.want("memory", tflops=30.0, vram_bytes=4 * GIB)
        made.want("service", tflops=FITTING_TFLOPS, is_shared=True)
        made.want("hungry", tflops=100.0, vram_bytes=10 * GIB, shown_ratio=0.3)
        made.want("later", tflops=60.0, vram_bytes=3 * GIB)
        made.want("foreseen", tflops=30.0, vram_bytes=3 * GIB)
        large = {"vram_request": "4Gi", "vram_limit": "16Gi"}
        # On another model there is no past to learn from.
        where_it_ran = {"gpu_model": A100}
        made.space.apply(
            made.deployment("steady", **REQUESTS, **LIMITS, **where_it_ran),
            made.deployment("burst", **LIMITS),
            made.deployment("memory", **LIMITS),
            made.deployment("service", workload_profile="scaled"),
            made.deployment("hungry", workload_profile="sized", **large, **where_it_ran),
            made.deployment("later", workload_profile="initial", **where_it_ran),
            made.deployment("foreseen", workload_profile="foreseen", **where_it_ran),
        ).well()
        yield made


@pytest.fixture(scope="module", autouse=True)
def autoscaler(world, live):
    return world.leading_autoscaler()


def test_a_limit_follows_a_burst_until_nothing_waits_any_more(live):
    [before] = live.has_workers("burst", 1)
    assert amounts_of(before)[:2] == (40.0, 80.0)

    live.want("burst", tflops=170.0)

    request, limit, *_ = live.has("burst", lambda has: has[1] >= 170.0, what="limit")
    assert request == 40.0
    assert limit <= 5 * 40.0
    [after] = live.workers("burst")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    live.gets("burst", tflops=170.0)
    live.want("burst", tflops=30.0)


def test_requests_converge_to_what_the_history_asks_for_and_stay_there(live, autoscaler):
    request, limit, *_ = live.has("steady", lambda has: has[0] > 60.0, what="request")
    # A daily wave of 40 to 60 TFLOPS, and a margin of 15 %.
    assert request < 75.0
    assert request <= limit

    some_ticks(autoscaler)

    assert {has[0] for has in live.ledger.amounts("steady")} == {40.0, request}


def test_replicas_grow_with_demand_shrink_after_it_and_settle(live, autoscaler):
    live.has_workers("service", 1)
    some_ticks(autoscaler)
    assert live.replicas("service") == 1

    live.want("service", tflops=3.5 * FITTING_TFLOPS, is_shared=True)
    live.settles("service", 4, autoscaler)
    is_told(live.space, "TensorFusionWorkload", "ReplicasScaled", "1 ->")
    live.want("service", tflops=1.5 * FITTING_TFLOPS, is_shared=True)
    live.settles("service", 2, autoscaler)

    assert live.ledger.replicas("service")[0] == 1
    live.has_workers("service", 2)


def test_vram_is_raised_when_an_allocation_is_refused(live):
    live.has_workers("memory", 1)

    live.want("memory", tflops=30.0, vram_bytes=9 * GIB)

    live.has("memory", lambda has: has[3] > 9.0, what="VRAM limit")
    until(
        lambda: live.shown("tf_worker_memory_bytes", "memory") == 9 * GIB,
        what="the allocation went well",
    )


def test_mode_initial_changes_new_workers_alone(live):
    [first] = live.has_workers("later", 1)
    stated = shows(live.space, "tfw", "later", lambda obj: obj["status"]["desiredResources"])
    desired = stated["status"]["desiredResources"]
    assert "nextStart" in desired
    assert not {"requests", "limits"} & desired.keys()

    live.space.kubectl("scale", "deployment", "later", "--replicas=2").well()

    by_uid = {pod["metadata"]["uid"]: pod for pod in live.has_workers("later", 2)}
    old = by_uid.pop(first["metadata"]["uid"])
    [new] = by_uid.values()
    assert amounts_of(old) == (40.0, 80.0, 8.0, 8.0)
    assert amounts_of(new)[0] > 60.0
    assert amounts_of(new)[2] < 8.0


def test_metrics_that_lie_low_bring_a_smaller_worker_and_that_is_taken_back(live):
    """A recommendation that is wrong: the use that is shown is less than a third of it."""
    guard = live.loses_and_regains_vram("hungry", limit_gib=16.0)

    assert guard["noDecreaseUntil"]
    until(
        lambda: live.shown("tf_worker_memory_bytes", "hungry") == 0.3 * 10 * GIB,
        what="the worker has the VRAM that it needs",
    )


def test_a_limit_is_raised_to_the_forecast_before_demand_comes(live, autoscaler, tfa):
    def raised():
        return [has for has in live.ledger.amounts("foreseen") if has[1] > 95.0]

    # In time the forecast learns that demand did not come, and the limit comes down again.
    [(request, limit, *_), *_] = until(
        raised, what="a limit for 95 TFLOPS and more", deadline_s=DEADLINE_S
    )
    # A daily wave of 95 to 105 TFLOPS, and a margin of 20 %.
    assert (request, limit <= 135.0) == (40.0, True)

    ended = tfa("explain", f"{NAMESPACE}/foreseen", "--autoscaler", autoscaler.page_url)

    assert "demand to come is forecast to stay below" in ended.out


def test_every_change_is_explained_from_the_record(live, autoscaler, tfa):
    changed = {name for name, _ in live.ledger.statements}
    assert changed == {"burst", "steady", "memory", "hungry", "later", "foreseen"}
    for name in sorted(changed):
        ended = tfa("explain", f"{NAMESPACE}/{name}", "--autoscaler", autoscaler.page_url)
        assert (ended.code, ended.err) == (0, ""), name
        assert name in ended.out


def test_all_laws_held_all_the_time(world, live):
    assert_laws(world, live.ledger)


def test_what_was_logged_has_no_traceback(autoscaler):
    assert "Traceback" not in autoscaler.log()
