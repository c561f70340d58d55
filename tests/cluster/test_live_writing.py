"""What the live autoscaler writes to a real API server, beside a controller that carries it out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from autoscaler.api.names import NAMESPACE, PREFIX, ServiceAccount
from autoscaler.clock import SystemClock
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.event_recorder import EventRecorder
from autoscaler.kube.resource import WORKLOADS
from autoscaler.kube.write_budget import WriteBudget
from autoscaler.kube.writer import Writer
from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.cluster import Change, Guard, Outcome, WorkloadView, amounts
from autoscaler.scaling.live.caches import LiveCaches
from autoscaler.scaling.live.replicas.replica_guards import ReplicaGuards
from autoscaler.scaling.live.replicas.rivals import Rivals
from autoscaler.scaling.live.replicas.scale_targets import ScaleTargets
from autoscaler.scaling.live.showing.showing import Showing
from autoscaler.scaling.live.status.status_parts import guard_from
from autoscaler.scaling.live.viewing.views import LiveViews
from autoscaler.scaling.live.writing.write_results import WriteOutcome
from autoscaler.scaling.live.writing_parts import WritingParts, writing_parts
from recommender.policy.model import Mode
from tests.autoscaler.scaling.live.deciding import tick
from tests.cluster.gpu_pools import running_pool
from tests.cluster.spaces import annotation, owning
from tests.cluster.telling import condition_of, is_told, shows
from tests.cluster.test_admission_in_force import switched
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
USED = {"request": (12.0, 5 * GIB), "limit": (24.0, 9 * GIB)}


@dataclass(slots=True)
class Switches:
    """How far the process may go."""

    mode: Mode = Mode.APPLY
    hold: None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """One autoscaler that leads, with its own rights; tests are its loop."""

    api: ApiServer
    caches: LiveCaches
    views: LiveViews
    parts: WritingParts
    showing: Showing

    def view(self, space: Any, condition: Any = bool) -> WorkloadView:
        """Wait until the view of the workload ``chat`` meets a condition, and return it."""

        def found() -> WorkloadView | None:
            self.parts.cluster.snapshot()
            views = self.views.of([(space.name, "chat")])
            return views[0] if len(views) == 1 and condition(views[0]) else None

        return until(found, what="the view is as expected", deadline_s=DEADLINE_S)

    def apply(self, *changes: Change) -> list[Outcome]:
        """Do what a tick does with its changes."""
        self.parts.cluster.snapshot()
        return list(self.parts.cluster.apply(changes))

    def applied(self, space: Any, **wanted: Any) -> None:
        """Change the workload ``chat``, deciding anew where it has just changed."""

        def is_applied() -> bool:
            view = self.view(space)
            [outcome] = self.apply(change_of(view, **wanted))
            return outcome.applied

        until(is_applied, what=f"{wanted} is applied", deadline_s=DEADLINE_S)

    def written(self) -> int:
        """Return how often a status was written."""
        return self.parts.stating.snapshot().outcomes.get(WriteOutcome.WRITTEN, 0)

    def is_idle(self) -> bool:
        """Return whether nothing waits to be written, or is being written."""
        queue = self.parts.stating.snapshot().queue
        return not any(queue.backlog.values()) and queue.in_hand == 0

    def show(self, space: Any, **decided: Any) -> None:
        """Show a tick that decided this about the workload ``chat``."""
        view = self.view(space)
        self.showing(tick([view], now_s=SystemClock().now_s(), **(decided or USED)))


def change_of(view: WorkloadView, **wanted: Any) -> Change:
    for side in ("request", "limit", "start_request", "start_limit"):
        if side in wanted:
            wanted[side] = amounts(wanted[side])
    return Change(
        namespace=view.namespace,
        workload=view.workload,
        uid=view.uid,
        gpu_model=view.gpu_model,
        **wanted,
    )


@contextmanager
def leading(plane: Any, *, epoch: int) -> Iterator[Leader]:
    """Run what a leader writes with within a block."""
    kubeconfig = plane.kubeconfig(ServiceAccount.AUTOSCALER)
    with closing(ApiServer.from_environment(kubeconfig=kubeconfig, user_agent="tests")) as api:
        caches, budget = LiveCaches(api, namespace=NAMESPACE), WriteBudget()
        guards, targets = ReplicaGuards(SystemClock()), ScaleTargets(api)
        events = EventRecorder(
            api, controller="tensor-fusion-autoscaler", instance=f"test-{epoch}", budget=budget
        )
        views = LiveViews(
            caches,
            rivals=Rivals(api, caches),
            scale_targets=targets,
            replica_guards=guards,
            external=lambda uid: None,
            gpu_models=GpuModels(),
        )
        parts = writing_parts(
            api,
            caches=caches,
            views=views,
            targets=targets,
            guards=guards,
            writer=Writer(api, budget, is_leader=lambda: True),
            events=events,
            clock=SystemClock(),
            epoch=lambda: epoch,
            external_state=lambda uid: None,
        )
        caches.start()
        parts.stating.start()
        events.start()
        try:
            until(lambda: caches.has_synced, what="the caches are filled", deadline_s=DEADLINE_S)
            showing = parts.showing(Switches(), tuple)
            yield Leader(api=api, caches=caches, views=views, parts=parts, showing=showing)
        finally:
            parts.stating.stop()
            events.stop()
            caches.stop()


@pytest.fixture
def leader(control_plane, controller_process):
    with switched(control_plane, mode="apply"), leading(control_plane, epoch=1) as leader:
        yield leader


@pytest.fixture
def pool(control_plane, controller_process, tmp_path):
    """Have two GPUs of 100 TFLOPS and 16 GiB."""
    with running_pool(
        control_plane, tmp_path / "kubelet", gpus=2, tflops="100", vram="16Gi"
    ) as running:
        yield running


def running(space: Any, pool: Any, *, replicas: int = 1, **annotations: str) -> None:
    """Have a Deployment whose workers run."""
    settings = {**AMOUNTS, **ENROLLED, **annotations}
    pod = enabled_pod("chat", gpupool=pool.name, **settings)
    owner = owning("Deployment", "chat", pod)
    owner["spec"]["replicas"] = replicas
    space.apply(owner).well()
    shows(space, "tfw", "chat", lambda obj: obj["status"]["readyWorkers"] == replicas)


def in_force(space: Any) -> Sequence[tuple[str | None, ...]]:
    keys = ("tflops-request", "tflops-limit", "vram-request", "vram-limit")
    return [tuple(annotation(pod, key) for key in keys) for pod in space.pods(f"{PREFIX}component")]


def have(space: Any, *expected: str) -> None:
    until(
        lambda: set(in_force(space)) == {expected},
        what=f"workers have {expected}",
        deadline_s=DEADLINE_S,
    )


def replicas_of(space: Any) -> int:
    number: int = space.get("deployment", "chat")["spec"]["replicas"]
    return number


def test_what_is_stated_reaches_the_workers_and_is_not_stated_again(leader, space, pool):
    running(space, pool)
    guard = Guard(changes=1, previous_request=amounts({"tflops": 10.0}))

    leader.applied(space, request={"tflops": 12.0}, limit={"tflops": 30.0}, guard=guard)

    have(space, "12", "30", "4Gi", "8Gi")
    shown = shows(space, "tfw", "chat", lambda obj: obj["status"]["applied"]["workers"] == 1)
    assert guard_from(shown["status"], "NVIDIA A100-SXM4-80GB") == guard
    view = leader.view(space, lambda view: view.limit.get("tflops") == 30.0)
    [again] = leader.apply(change_of(view, limit={"tflops": 30.0}))
    assert (again.applied, again.reason) == (False, "stated already")


def test_the_api_server_keeps_every_word_of_a_statement(leader, space, pool):
    running(space, pool)
    leader.applied(
        space,
        limit={"tflops": 30.0, "vram_bytes": 9 * GIB},
        start_limit={"vram_bytes": 6 * GIB},
        guard=Guard(
            last_change_s=1_767_225_600,
            changes=2,
            watched_until_s=1_767_227_400,
            previous_limit=amounts({"tflops": 40.0}),
            no_decrease_until_s=1_767_312_000,
        ),
    )
    leader.show(space, is_stale=True, **USED)
    shown = shows(
        space, "tfw", "chat", lambda obj: condition_of(obj, "StaleMetrics")["status"] == "True"
    )

    status = shown["status"]
    assert status["desiredResources"]["nextStart"] == {"limits": {"vram": "6Gi"}}
    assert status["recommendation"]["requests"] == {"tflops": "12", "vram": "5Gi"}
    assert status["guard"]["noDecreaseUntil"] == "2026-01-02T00:00:00Z"
    assert status["readyWorkers"] == 1
    is_told(space, "TensorFusionWorkload", "StaleMetrics", "no fresh samples")

    written = leader.written()
    leader.view(space)
    leader.parts.stating.show((space.name, "chat"))
    leader.show(space, is_stale=True, **USED)
    until(leader.is_idle, what="it was looked at")
    assert leader.written() == written


def test_replicas_are_set_at_the_owner_and_a_number_of_others_is_not_fought(leader, space, pool):
    running(space, pool)
    leader.applied(space, replicas=2, reason="demand is twice the target")

    assert replicas_of(space) == 2
    leader.view(space, lambda view: view.replicas == 2 and view.stated_replicas == 1)
    is_told(space, "TensorFusionWorkload", "ReplicasScaled", "1 -> 2: demand is twice the target")

    space.kubectl("scale", "deployment", "chat", "--replicas=3").well()

    view = leader.view(space, lambda view: view.stated_replicas == 3)
    assert (view.replicas, view.replicas_held) == (3, "")
    is_told(space, "TensorFusionWorkload", "ReplicasReset", "somebody else set 3 replicas")


def test_the_next_leader_goes_on_where_the_last_one_ended(leader, control_plane, space, pool):
    running(space, pool)
    leader.applied(space, request={"tflops": 12.0})
    leader.applied(space, replicas=2)
    have(space, "12", "20", "4Gi", "8Gi")
    leader.view(space, lambda view: view.replicas == 2)

    with leading(control_plane, epoch=2) as second:
        view = second.view(space, lambda view: view.replicas == 2)
        same = second.apply(change_of(view, request={"tflops": 12.0}), change_of(view, replicas=2))
        assert [each.applied for each in same] == [False, False]
        assert view.stated_replicas == 1
        second.applied(space, request={"tflops": 14.0})

        have(space, "14", "20", "4Gi", "8Gi")
        stated = space.get("tfw", "chat")["status"]["desiredResources"]
        assert (stated["epoch"], stated["sequence"]) == (2, 1)


def test_an_enrolment_that_is_taken_back_takes_what_was_stated_with_it(leader, space, pool):
    running(space, pool)
    leader.applied(space, request={"tflops": 12.0})
    have(space, "12", "20", "4Gi", "8Gi")
    removed = dict.fromkeys(f"{PREFIX}{key.replace('_', '-')}" for key in ENROLLED)
    patch = {"spec": {"template": {"metadata": {"annotations": removed}}}}
    space.kubectl("patch", "deployment", "chat", "--type=merge", "-p", json.dumps(patch)).well()
    leader.view(space, lambda view: not view.policy.replicas.is_enrolled)

    def is_taken_back() -> bool:
        leader.show(space)
        return "desiredResources" not in space.get("tfw", "chat")["status"]

    until(is_taken_back, what="nothing is stated any more", deadline_s=DEADLINE_S)
    assert leader.api.get(WORKLOADS, "chat", space.name)["status"]["recommendation"]


def test_the_autoscaler_s_conditions_stand_beside_those_of_the_controller(leader, space, pool):
    running(space, pool, auto_limits="false", auto_requests="false", auto_replicas="false")
    leader.show(space)

    shown = shows(
        space,
        "tfw",
        "chat",
        lambda obj: condition_of(obj, "ResourceUpdate")["reason"] == "NotEnrolled",
    )
    types = {each["type"] for each in shown["status"]["conditions"]}
    assert types >= {"Ready", "Placed", "RecommendationProvided", "ResourceUpdate"}
    assert "desiredResources" not in shown["status"]
