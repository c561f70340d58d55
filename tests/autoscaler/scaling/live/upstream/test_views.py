"""Workloads of an upstream operator as the loop sees them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.api.names import PAUSED, PREFIX
from autoscaler.kube.resource import GPUS
from autoscaler.scaling.cluster import amounts
from autoscaler.scaling.external.answers import ExternalAnswer
from recommender.policy.model import Dimension
from recommender.resources import GIB
from tests.autoscaler.scaling.live.upstream.upstream_world import (
    A100,
    L4,
    UpstreamWorld,
    gpu,
    switches,
    worker,
    workload,
)


def test_a_worker_its_workload_and_its_gpu_make_a_view():
    view = UpstreamWorld(worker(auto_limits="true"), workload(), gpu()).view()
    assert (view.namespace, view.workload, view.uid) == ("team", "chat", "uid-of-chat")
    assert dict(view.request) == {"tflops": 40.0, "vram_bytes": 10 * GIB}
    assert dict(view.limit) == {"tflops": 80.0, "vram_bytes": 16 * GIB}
    assert dict(view.stated_request) == {"tflops": 30.0, "vram_bytes": 10 * GIB}
    assert view.gpu_model == A100
    assert view.card["tflops"] == 312.0
    assert (view.replicas, view.stated_replicas) == (1, 1)
    assert view.policy.limits[Dimension.COMPUTE].is_enrolled
    assert [each.name for each in view.workers] == ["chat-1"]
    assert (dict(view.start_request), dict(view.start_limit)) == ({}, {})


def test_the_operators_own_settings_enrol_nothing():
    view = UpstreamWorld(worker(), workload(), gpu()).view()
    assert not any(rule.is_enrolled for rule in view.policy.requests.values())


def test_without_workload_and_gpu_the_worker_alone_is_enough():
    view = UpstreamWorld(worker()).view()
    assert view.uid == "team/chat"
    assert view.stated_request == view.request
    assert view.replicas == 1
    assert dict(view.card) == {}


def test_what_was_in_force_first_stays_stated_where_no_workload_says_it():
    world = UpstreamWorld(worker())
    world.views.snapshot()
    world.put(worker(tflops_request="70"))
    view = world.view()
    assert view.request["tflops"] == 70.0
    assert view.stated_request["tflops"] == 40.0


@pytest.mark.parametrize(
    "pod",
    [worker(gpus=None), worker(phase="Succeeded"), worker(of="")],
)
def test_pods_that_hold_nothing_make_no_view(pod):
    assert UpstreamWorld(pod, workload()).views.snapshot() == []


def test_a_workload_is_gone_with_its_last_worker():
    pod = worker()
    world = UpstreamWorld(pod, workload())
    assert len(world.views.snapshot()) == 1
    world.remove(pod)
    assert world.views.snapshot() == []


def test_workers_on_two_gpu_models_make_two_views():
    world = UpstreamWorld(
        worker("chat-1"),
        worker("chat-2", gpus="gpu-2", tflops_request="10"),
        workload(replicas=2),
        gpu(),
        gpu("gpu-2", model=L4),
    )
    found = {view.gpu_model: view.request["tflops"] for view in world.views.snapshot()}
    assert found == {A100: 40.0, L4: 10.0}


def test_replicas_are_held_where_they_are_automatic():
    enrolled = UpstreamWorld(worker(auto_replicas="true"), workload()).view()
    assert "asked for amounts only" in enrolled.replicas_held
    assert UpstreamWorld(worker(), workload()).view().replicas_held == ""


@pytest.mark.parametrize(
    "paused",
    [
        [worker(paused="true"), workload()],
        [worker(), workload(annotations={PAUSED: "true"})],
        [worker(), workload(), switches(mode="apply", paused="true")],
    ],
)
def test_a_workload_can_be_paused_on_its_workers_its_workload_or_with_all(paused):
    assert UpstreamWorld(*paused).view().is_paused


def test_a_pause_counts_from_the_next_look():
    world = UpstreamWorld(worker(), workload())
    assert not world.view().is_paused
    world.put(switches(mode="apply", paused="true"))
    assert world.view().is_paused


def test_an_answer_of_an_external_scaler_is_part_of_the_view():
    answers = {}
    config = {"externalScaler": {"enable": True, "url": "http://scaler.example"}}
    profiles = {("team", "asked"): {"autoScalingConfig": config}}
    pod = worker(workload_profile="asked")
    world = UpstreamWorld(pod, workload(), external=answers.get, profiles=profiles)
    assert dict(world.view().external_request) == {}
    answers["uid-of-chat"] = ExternalAnswer(request=amounts({"tflops": 60.0}))
    assert dict(world.view().external_request) == {"tflops": 60.0}


def test_views_that_say_the_same_are_the_same_objects():
    world = UpstreamWorld(worker(), worker("chat-2"), workload(replicas=2), gpu())
    before = world.view()
    world.put(worker(), workload(replicas=2), gpu())
    assert world.view() is before


def test_amounts_that_cannot_be_read_are_left_out_and_the_others_count():
    view = UpstreamWorld(worker(tflops_request="many"), workload()).view()
    assert dict(view.request)["vram_bytes"] == 10 * GIB


def test_wrong_settings_are_named_and_logged_once(caplog):
    world = UpstreamWorld(worker(auto_limits="sometimes"), workload())
    world.views.snapshot()
    world.put(worker(auto_limits="sometimes", tflops_request="41"))
    world.views.snapshot()
    [told] = caplog.messages
    assert told.startswith("workload team/chat: ")
    assert "auto-limits" in told


def test_a_look_at_some_workloads_finds_those_that_are_there():
    world = UpstreamWorld(worker(), worker("other-1", of="other"))
    found = world.views.of([("team", "other"), ("team", "other"), ("team", "gone")])
    assert [view.workload for view in found] == ["other"]


EVENTS = st.one_of(
    st.builds(
        worker,
        st.sampled_from(["w-1", "w-2"]),
        of=st.sampled_from(["chat", "other"]),
        gpus=st.sampled_from([None, "gpu-1", "gpu-2"]),
        tflops_request=st.sampled_from(["10", "40", "odd"]),
        auto_limits=st.sampled_from([None, "true"]),
    ),
    st.builds(workload, st.sampled_from(["chat", "other"]), replicas=st.sampled_from([1, 2, None])),
    st.builds(gpu, st.sampled_from(["gpu-1", "gpu-2"]), model=st.sampled_from([A100, L4])),
    st.builds(switches, mode=st.just("apply"), paused=st.sampled_from(["true", "false"])),
)


@settings(max_examples=60)
@given(st.lists(st.tuples(EVENTS, st.booleans()), max_size=12))
def test_views_brought_up_to_date_equal_views_made_anew(events):
    objects = {}
    world = UpstreamWorld(workload(), workload("other"))
    objects[("TensorFusionWorkload", "chat")] = workload()
    objects[("TensorFusionWorkload", "other")] = workload("other")
    world.put(*objects.values())
    for event, looks in events:
        world.put(event)
        objects[event["kind"], event["metadata"]["name"]] = event
        if looks:
            world.views.snapshot()
    assert world.views.snapshot() == UpstreamWorld(*objects.values()).views.snapshot()


def test_the_room_of_a_gpu_is_followed():
    world = UpstreamWorld(worker(), workload(), gpu())
    before = world.view().largest_placeable["tflops"]
    world.put(gpu(free={"tflops": "5", "vram": "1Gi"}))
    assert world.view().largest_placeable["tflops"] < before
    assert world.caches.store(GPUS).get(None, "gpu-1") is not None


def test_annotations_of_others_are_not_kept():
    world = UpstreamWorld(worker())
    (pod,) = world.caches.workers_of("team", "chat")
    assert all(key.startswith(PREFIX) for key in pod["metadata"]["annotations"])
