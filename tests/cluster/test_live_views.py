"""What the live autoscaler sees of a real API server, whose workloads the controller makes."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from autoscaler.api.condition_reasons import ReplicasReason
from autoscaler.api.names import NAMESPACE, ServiceAccount
from autoscaler.clock import SystemClock
from autoscaler.kube.api_server import ApiServer
from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.live.caches import LiveCaches
from autoscaler.scaling.live.replicas.replica_guards import ReplicaGuards
from autoscaler.scaling.live.replicas.rivals import Rivals
from autoscaler.scaling.live.replicas.scale_targets import ScaleTarget, ScaleTargets
from autoscaler.scaling.live.viewing.views import LiveViews
from tests.cluster.gpu_pools import running_pool
from tests.cluster.gpus import A100
from tests.cluster.spaces import owning
from tests.cluster.test_admission_in_force import switched
from tests.cluster.test_controller import decide
from tests.cluster.webhook_process import enabled_pod
from tests.components.processes import until

DEADLINE_S = 60.0
GIB = 2.0**30
AMOUNTS = {
    "tflops_request": "10",
    "tflops_limit": "20",
    "vram_request": "4Gi",
    "vram_limit": "8Gi",
}
ENROLLED = {"auto_requests": "true", "auto_limits": "true", "auto_replicas": "true"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What an autoscaler sees, with its own rights."""

    api: ApiServer
    caches: LiveCaches
    rivals: Rivals
    targets: ScaleTargets
    views: LiveViews

    def view(self, space: Any, condition: Any = bool, name: str = "chat") -> Any:
        """Wait until the only view of a workload meets a condition, and return it."""

        def found() -> Any:
            views = self.views.of([(space.name, name)])
            return views[0] if len(views) == 1 and condition(views[0]) else None

        what = f"the view of {name} is as expected"
        return until(found, what=what, deadline_s=DEADLINE_S)


@pytest.fixture(scope="module")
def pool(control_plane, controller_process, tmp_path_factory):
    """Have a node with four GPUs of 100 TFLOPS and 16 GiB, of which some stay free."""
    with running_pool(
        control_plane, tmp_path_factory.mktemp("kubelet"), gpus=4, tflops="100", vram="16Gi"
    ) as running:
        yield running


@pytest.fixture
def applying(control_plane):
    with switched(control_plane, mode="apply"):
        yield


def seen_by(api: ApiServer, **options: Any) -> Seen:
    caches = LiveCaches(api, namespace=NAMESPACE, **options)
    rivals, targets = Rivals(api, caches), ScaleTargets(api, scalable=["ReplicaSet.apps"])
    views = LiveViews(
        caches,
        rivals=rivals,
        scale_targets=targets,
        replica_guards=ReplicaGuards(SystemClock()),
        external=lambda _: None,
        gpu_models=GpuModels(),
    )
    return Seen(api=api, caches=caches, rivals=rivals, targets=targets, views=views)


@pytest.fixture(scope="module")
def seen(control_plane, pool):
    """Look at the cluster with the rights of the autoscaler's account."""
    kubeconfig = control_plane.kubeconfig(ServiceAccount.AUTOSCALER)
    with closing(ApiServer.from_environment(kubeconfig=kubeconfig, user_agent="test")) as api:
        found = seen_by(api)
        found.caches.start()
        try:
            until(lambda: not found.caches.problems(), what="the caches are filled")
            yield found
        finally:
            found.caches.stop()


def owner_of(pool, kind="Deployment", replicas=1, **annotations):
    pod = enabled_pod("chat", gpupool=pool.name, **{**AMOUNTS, **annotations})
    owner = owning(kind, "chat", pod)
    if kind != "DaemonSet":
        owner["spec"]["replicas"] = replicas
    return owner


def ready(count):
    def is_so(view):
        return sum(1 for each in view.workers if each.ready_s is not None) == count

    return is_so


def scalable(count):
    """Return whether so many workers are ready, and it is known where their number is set."""
    return lambda view: ready(count)(view) and not view.replicas_held


def test_a_deployment_is_seen_with_what_it_states_has_and_could_have(space, pool, seen):
    space.apply(owner_of(pool, replicas=2, **ENROLLED)).well()

    view = seen.view(space, scalable(2))

    assert (view.owner, view.pool, view.gpu_model) == ("Deployment/chat", pool.name, A100)
    assert (view.replicas, view.stated_replicas, view.replicas_held) == (2, 2, "")
    assert view.policy.replicas.is_enrolled
    amounts = {"tflops": 10.0, "vram_bytes": 4 * GIB}, {"tflops": 20.0, "vram_bytes": 8 * GIB}
    assert (dict(view.request), dict(view.limit)) == amounts
    assert (dict(view.stated_request), dict(view.stated_limit)) == amounts
    assert dict(view.card) == {"tflops": 100.0, "vram_bytes": 16 * GIB, "tflops_pct": 100.0}
    assert view.stated_sources["tflops-request"] == "annotation tensor-fusion.ai/tflops-request"
    assert all(each.started_s <= each.ready_s for each in view.workers)
    whole = {"tflops": 100.0, "vram_bytes": 16 * GIB}
    seen.view(space, lambda view: view.largest_placeable == whole)
    assert seen.views.problem_of((space.name, "chat")) == ""


def test_what_is_in_force_follows_a_decision(space, pool, seen, applying, control_plane):
    space.apply(owner_of(pool, **ENROLLED)).well()
    before = seen.view(space, ready(1))

    decided = {
        "epoch": 1,
        "sequence": 1,
        "requests": {"tflops": "30", "vram": "4Gi"},
        "limits": {"tflops": "60", "vram": "8Gi"},
        "nextStart": {"requests": {"vram": "3Gi"}},
    }
    decide(control_plane, space, "chat", decided)

    # Pods and workloads come by watches of their own: one tells of the decision before the other.
    after = seen.view(
        space,
        lambda view: (
            view.limit.get("tflops") == 60.0 and dict(view.start_request) == {"vram_bytes": 3 * GIB}
        ),
    )
    assert dict(after.request) == {"tflops": 30.0, "vram_bytes": 4 * GIB}
    assert dict(after.stated_request) == dict(before.stated_request)
    assert after.policy is before.policy
    steady = seen.view(space)
    until(lambda: seen.view(space) is steady, what="the view stays the same object")


def test_scaling_and_its_rollout_are_seen(space, pool, seen):
    space.apply(owner_of(pool, replicas=2, **ENROLLED)).well()
    seen.view(space, ready(2))

    space.kubectl("scale", "deployment", "chat", "--replicas=1").well()
    view = seen.view(space, lambda view: view.replicas == 1 and ready(1)(view))
    assert [each.is_surplus for each in view.workers] == [False]

    space.kubectl("scale", "deployment", "chat", "--replicas=0").well()
    resting = seen.view(space, lambda view: view.replicas == 0 and not view.workers)
    assert resting.gpu_model == A100
    assert dict(resting.request) == {"tflops": 10.0, "vram_bytes": 4 * GIB}


def test_another_autoscaler_holds_the_replicas_until_it_is_gone(space, pool, seen):
    space.apply(owner_of(pool, **ENROLLED)).well()
    seen.view(space, scalable(1))
    target = seen.targets.target_of(seen.caches.workload(space.name, "chat"))
    assert isinstance(target, ScaleTarget)
    scale = seen.api.request("GET", target.path)
    assert scale["spec"]["replicas"] == 1

    metrics = ["--cpu=80%", "--min=1", "--max=3"]
    space.kubectl("autoscale", "deployment", "chat", *metrics).well()

    view = seen.view(space, lambda view: view.replicas_held)
    assert view.replicas_held == (
        f"HorizontalPodAutoscaler {space.name}/chat sets the replicas of Deployment chat"
    )
    held = seen.views.held_of((space.name, "chat"))
    assert held.reason is ReplicasReason.OTHER_AUTOSCALER

    space.kubectl("delete", "hpa", "chat").well()
    seen.view(space, lambda view: not view.replicas_held)


def test_a_daemon_set_is_seen_and_has_no_replicas(space, pool, seen):
    owner = owner_of(pool, kind="DaemonSet", **ENROLLED)
    owner["spec"]["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": pool.nodes[0]}
    space.apply(owner).well()

    view = seen.view(space, ready(1), name="chat-daemonset")

    assert (view.owner, view.replicas) == ("DaemonSet/chat", None)
    held = seen.views.held_of((space.name, "chat-daemonset"))
    assert held.reason is ReplicasReason.NO_SCALE


def test_kinds_that_the_server_serves_with_a_scale_may_be_added(space, pool, seen):
    owner = owner_of(pool, **ENROLLED)
    bare = {**owner, "kind": "ReplicaSet"}
    bare["spec"] = {key: bare["spec"][key] for key in ("replicas", "selector", "template")}
    space.apply(bare).well()
    name = "chat-replicaset"
    before = seen.view(space, lambda view: "was not asked" in view.replicas_held, name)
    assert before.owner == "ReplicaSet/chat"

    seen.targets.refresh()

    seen.view(space, scalable(1), name)
    target = seen.targets.target_of(seen.caches.workload(space.name, name))
    assert seen.targets.kinds[-1] == target.kind_and_group == "ReplicaSet.apps"
    assert target.path.endswith("/replicasets/chat/scale")


def test_without_keda_there_are_no_scaled_objects(seen, caplog):
    seen.rivals.refresh()
    assert caplog.messages == []


def test_a_pause_and_a_quota_are_seen(space, pool, seen):
    space.apply(owner_of(pool, **ENROLLED)).well()
    seen.view(space, ready(1))

    space.kubectl("annotate", "tfw", "chat", "tensor-fusion.ai/paused=true").well()
    quota = {
        "apiVersion": "tensor-fusion.ai/v1",
        "kind": "GPUResourceQuota",
        "metadata": {"name": "gold"},
        "spec": {
            "total": {"requests": {"tflops": "50"}, "maxWorkers": 4},
            "single": {"maxRequests": {"vram": "9Gi"}},
        },
    }
    space.apply(quota).well()

    view = seen.view(space, lambda view: view.is_paused and view.quota.get("tflops") == 50.0)
    assert (view.quota["vram_bytes"], view.replica_quota) == (9 * GIB, 4)


def test_an_autoscaler_for_a_part_of_the_namespaces_sees_those(space, pool, seen, control_plane):
    space.apply(owner_of(pool)).well()
    seen.view(space, ready(1))
    part = seen_by(seen.api, namespace_selector=f"part={space.name}")
    part.caches.start()
    try:
        until(lambda: not part.caches.problems(), what="the caches are filled")
        assert part.views.snapshot() == []
        label = json.dumps({"metadata": {"labels": {"part": space.name}}})
        control_plane.kubectl("patch", "namespace", space.name, "--type=merge", "-p", label).well()
        part.view(space)
        assert {view.namespace for view in part.views.snapshot()} == {space.name}
    finally:
        part.caches.stop()
