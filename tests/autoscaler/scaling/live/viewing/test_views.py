"""Which views there are, and which of them are made anew."""

import pytest

from autoscaler.api.condition_reasons import ReplicasReason
from autoscaler.kube.resource import GPUS, HPAS, NAMESPACES, PODS, POOLS, QUOTAS, WORKLOADS
from autoscaler.scaling.external.answers import ExternalAnswer
from autoscaler.scaling.live.replicas.replica_state import Held
from tests.autoscaler.scaling.live.live_objects import (
    DEPLOYMENT,
    ENROLLED,
    RESOURCES,
    desired,
    gpu,
    hpa,
    in_force,
    namespace,
    pool,
    quota,
    worker,
    workload,
)
from tests.autoscaler.scaling.live.live_world import LiveWorld

KEY = ("team", "chat")
ASKED = {"externalScaler": {"enable": True, "url": "https://scaler.example.test"}}


def owned(name, **fields):
    return workload(name, owners=[{**DEPLOYMENT, "name": name}], **fields)


@pytest.fixture
def world():
    """Have two workloads, each with a worker on a GPU of its own."""
    found = LiveWorld()
    found.switch(mode="apply")
    found.put(POOLS, pool())
    found.put(GPUS, gpu("GPU-1", free=("50", "40Gi")), gpu("GPU-2", free=("20", "10Gi")))
    found.put(WORKLOADS, owned("chat", autoScalingConfig=ENROLLED), owned("web"))
    found.put(PODS, worker("chat-1"), worker("web-1", of="web", gpus=("GPU-2",)))
    return found


def changed_by(world, change):
    """Return the names of the workloads of which a view is another object after a change."""
    before = {id(view) for view in world.snapshot()}
    change()
    return [view.workload for view in world.snapshot() if id(view) not in before]


def test_views_are_in_the_order_of_their_names(world):
    world.put(WORKLOADS, owned("api"))
    assert [view.workload for view in world.snapshot()] == ["api", "chat", "web"]


def test_views_are_the_same_objects_while_nothing_changes(world):
    first, second = world.snapshot(), world.snapshot()
    assert all(one is other for one, other in zip(first, second, strict=True))
    assert first is not second


def test_a_part_of_the_views_is_the_same_objects(world):
    assert world.views.of([KEY, ("team", "gone"), KEY]) == world.snapshot()[:1]
    assert world.views.of([KEY])[0] is world.snapshot()[0]


def test_a_new_version_that_says_the_same_changes_no_view(world):
    assert (
        changed_by(
            world,
            lambda: (
                world.put(WORKLOADS, owned("chat", autoScalingConfig=ENROLLED)),
                world.put(PODS, worker("chat-1")),
                world.put(GPUS, gpu("GPU-1", free=("50", "40Gi"))),
                world.put(POOLS, pool()),
                world.switch(mode="apply"),
            ),
        )
        == []
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda w: w.put(WORKLOADS, owned("web", qos="high")), ["web"]),
        (lambda w: w.put(PODS, worker("chat-1", ready_s=90)), ["chat"]),
        (lambda w: w.put(PODS, worker("web-2", of="web", gpus=("GPU-2",))), ["web"]),
        (lambda w: w.remove(PODS, "web-1"), ["web"]),
        (lambda w: w.put(GPUS, gpu("GPU-2", free=("30", "10Gi"), tflops="99")), ["web"]),
        (lambda w: w.put(GPUS, gpu("GPU-2", free=("70", "10Gi"))), ["chat", "web"]),
        (lambda w: w.put(GPUS, gpu("GPU-3", free=("60", "1Gi"), pool="other")), []),
        (lambda w: w.put(POOLS, pool(is_paused=True)), ["chat", "web"]),
        (lambda w: w.put(QUOTAS, quota(total={"maxWorkers": 9})), ["chat", "web"]),
        (lambda w: w.put(HPAS, hpa()), ["chat"]),
        (lambda w: w.put(HPAS, hpa(target="other")), []),
        (lambda w: w.switch(mode="apply", paused="true"), ["chat", "web"]),
        (lambda w: w.guards.remember("chat", stated=9), ["chat"]),
    ],
)
def test_only_views_of_which_something_changed_are_made_anew(world, change, expected):
    assert changed_by(world, lambda: change(world)) == expected


def test_what_is_in_use_of_a_quota_moves_the_bounds_alone(world):
    def use(workers):
        world.put(QUOTAS, quota(total={"maxWorkers": 9}, used={"workers": workers}))

    use(3)
    before = world.view()
    assert before.replica_quota == 7
    assert changed_by(world, lambda: use(5)) == ["chat", "web"]
    assert (world.view().replica_quota, world.view().workers is before.workers) == (5, True)
    assert changed_by(world, lambda: use(5)) == []


def test_a_quota_of_single_workers_moves_what_they_start_with():
    world = LiveWorld()
    world.switch(mode="apply")
    decided = desired(requests={"tflops": "15"}, limits={"tflops": "30"})
    world.put(WORKLOADS, workload(autoScalingConfig=ENROLLED, status=decided))
    assert world.view().request["tflops"] == 15.0
    world.put(QUOTAS, quota(single={"maxRequests": {"tflops": "12"}}))
    assert world.view().request["tflops"] == 12.0
    world.remove(QUOTAS, "quota")
    assert world.view().request["tflops"] == 15.0


def test_workers_that_stay_the_same_are_the_same_object_in_another_view(world):
    before = world.view()
    world.put(PODS, worker("chat-1", amounts=in_force(tflops_limit="99")))
    after = world.view()
    assert after.limit["tflops"] == 99.0
    assert after.workers is before.workers


def test_an_answer_of_an_external_scaler_makes_the_view_anew(world):
    world.put(WORKLOADS, owned("web", autoScalingConfig=ASKED))
    answer = ExternalAnswer(replicas=3)
    uid = "uid-of-tensorfusionworkload-web"
    assert changed_by(world, lambda: world.answers.update({uid: answer})) == ["web"]
    assert changed_by(world, lambda: None) == []
    assert changed_by(world, world.answers.clear) == ["web"]


def test_a_workload_that_is_gone_has_no_view(world):
    assert [view.workload for view in world.snapshot()] == ["chat", "web"]
    world.remove(WORKLOADS, "chat")
    assert [view.workload for view in world.snapshot()] == ["web"]
    assert world.views.of([KEY]) == []


def test_a_workload_that_is_about_to_go_has_no_view(world):
    going = {"deletionTimestamp": "2026-01-01T01:00:00Z"}
    world.put(WORKLOADS, owned("chat", metadata=going))
    assert [view.workload for view in world.snapshot()] == ["web"]


def test_a_workload_that_was_made_anew_has_another_uid(world):
    before = world.view()
    world.put(WORKLOADS, owned("chat", metadata={"uid": "second"}))
    assert (before.uid != "second", world.view().uid) == (True, "second")


def test_a_pod_that_changes_its_workload_changes_both(world):
    moved = lambda: world.put(PODS, worker("web-1", of="chat", gpus=("GPU-2",)))  # noqa: E731
    assert changed_by(world, moved) == ["chat", "web"]
    assert [each.name for each in world.view().workers] == ["chat-1", "web-1"]


def test_a_resting_workload_follows_the_models_of_its_pool():
    world = LiveWorld()
    world.put(WORKLOADS, workload())
    assert world.view().gpu_model == ""
    world.put(GPUS, gpu("GPU-1"))
    assert world.view().gpu_model == "NVIDIA A100-SXM4-80GB"
    world.put(GPUS, gpu("GPU-2", gpu_model="NVIDIA L4", model="L4"))
    assert world.view().gpu_model == ""


def test_only_workloads_of_chosen_namespaces_are_seen():
    world = LiveWorld(namespace_selector="tier=gold")
    world.put(WORKLOADS, workload(), workload("job", metadata={"namespace": "other"}))
    assert world.snapshot() == []
    world.put(NAMESPACES, namespace("team"))
    assert [view.key for view in world.snapshot()] == [KEY]
    world.remove(NAMESPACES, "team", namespace="")
    assert world.snapshot() == []


# ----- who may set the replicas


def held(world, key=KEY):
    world.snapshot()
    found = world.views.held_of(key)
    return None if found is None else (found.reason, found.text)


def test_replicas_that_another_autoscaler_sets_are_held(world):
    assert held(world) is None
    world.put(HPAS, hpa("busy"))
    text = "HorizontalPodAutoscaler team/busy sets the replicas of Deployment chat"
    assert held(world) == (ReplicasReason.OTHER_AUTOSCALER, text)
    assert world.view().replicas_held == text
    world.remove(HPAS, "busy")
    assert held(world) is None


def test_replicas_that_are_not_automatic_are_not_held(world):
    world.put(HPAS, hpa(target="web"))
    assert held(world, ("team", "web")) is None


def test_what_is_remembered_may_hold_replicas(world):
    rests = Held(reason=ReplicasReason.RESET_BY_OTHERS, text="they rest")
    world.guards.remember("chat", held=rests)
    assert held(world) == (rests.reason, rests.text)


def test_a_further_kind_is_scaled_once_the_api_server_was_asked():
    world = LiveWorld(scalable=["Rollout.argoproj.io"])
    owner = {**DEPLOYMENT, "kind": "Rollout", "apiVersion": "argoproj.io/v1alpha1"}
    world.put(WORKLOADS, workload(owners=[owner], autoScalingConfig=ENROLLED))
    assert held(world)[0] == ReplicasReason.NO_SCALE
    listed = [
        {"name": "rollouts", "kind": "Rollout", "namespaced": True},
        {"name": "rollouts/scale", "kind": "Scale", "namespaced": True},
    ]
    world.api.answers |= {
        "/apis/argoproj.io": {"preferredVersion": {"version": "v1alpha1"}},
        "/apis/argoproj.io/v1alpha1": {"resources": listed},
    }
    world.targets.refresh()
    assert held(world) is None


# ----- what cannot be used


def test_settings_that_cannot_be_used_are_said_and_others_go_on(world):
    bad = {"autoSetRequests": {"enable": True, "extraBufferRatio": "lots"}}
    world.put(WORKLOADS, owned("web", autoScalingConfig=bad))
    assert [view.workload for view in world.snapshot()] == ["chat", "web"]
    assert "extraBufferRatio: 'lots' is not valid" in world.views.problem_of(("team", "web"))
    assert world.views.problem_of(KEY) == ""


def test_amounts_of_a_worker_that_cannot_be_read_are_said(world):
    world.put(PODS, worker("chat-1", amounts=in_force(tflops_limit="ten", vram_limit="8Gi")))
    assert "tflops" not in world.view().limit
    assert world.views.problem_of(KEY) == (
        "worker chat-1: annotation tensor-fusion.ai/tflops-limit: 'ten' is not valid; allowed: "
        "a quantity of TFLOPS from 0, such as 12 or 1500m"
    )


def test_a_workload_that_breaks_its_reader_does_not_hide_the_others(world, caplog):
    broken = owned("web", status={"owners": "nobody"})
    world.put(WORKLOADS, broken)
    assert [view.workload for view in world.snapshot()] == ["chat"]
    assert world.views.problem_of(("team", "web")) != ""
    assert len(caplog.records) == 1
    world.put(PODS, worker("web-9", of="web", gpus=("GPU-2",)))
    world.snapshot()
    assert len(caplog.records) == 1
    world.put(WORKLOADS, owned("web", resources=RESOURCES))
    assert [view.workload for view in world.snapshot()] == ["chat", "web"]


def test_a_decision_that_cannot_be_read_leaves_what_is_declared(world):
    world.put(
        WORKLOADS,
        owned("api", autoScalingConfig=ENROLLED, status=desired(requests={"tflops": "lots"})),
    )
    assert world.view("api").request["tflops"] == 10.0
