import pytest

from autoscaler.api.names import CONTROL_CONFIG_MAP, PAUSED, EventReason
from autoscaler.errors import ApiUnavailableError
from autoscaler.kube.resource import (
    CONFIG_MAPS,
    DISRUPTION_BUDGETS,
    PODS,
    POOLS,
    QUOTAS,
    WORKLOADS,
)
from autoscaler.workloads.books.reading_claims import claim_of
from autoscaler.workloads.placement.preempting import NOMINATED_S, SETTLE_S, SPARED_S
from autoscaler.workloads.work import WorkKey, WorkKind
from tests.autoscaler.workloads.entries import amounts
from tests.autoscaler.workloads.objects import (
    TEAM,
    gpu,
    made,
    node,
    owned,
    placed,
    pool,
    quota,
    worker,
    workload,
)
from tests.autoscaler.workloads.placing_world import PlacingWorld
from tests.autoscaler.workloads.toolbox import NAMESPACE

OWNER = made("ReplicaSet", "job-1", api_version="apps/v1")
WHOLE = {"tflops-request": "100", "vram-request": "1Gi"}
HALF = {"tflops-request": "50", "vram-request": "1Gi"}


class PreemptingWorld(PlacingWorld):
    """A cluster whose pool lets workers be evicted, and time that a test moves."""

    def __init__(self, *, preemption="LowerQoS", mode="apply", paused="false", **fields):
        self.now_s = 0.0
        super().__init__(
            pools=(pool(placement={"preemption": preemption}),),
            monotonic_s=lambda: self.now_s,
            **fields,
        )
        data = {"mode": mode, "paused": paused}
        self.api.add(
            CONFIG_MAPS, made("ConfigMap", CONTROL_CONFIG_MAP, namespace=NAMESPACE, data=data)
        )
        self.show()

    def run(self, name, qos="low", *, is_owned=True, **fields):
        pod = placed(name, qos=qos, amounts=fields.pop("amounts", WHOLE), **fields)
        self.add(owned(pod, OWNER) if is_owned else pod)

    def want(self, name="job", qos="high", **fields):
        """Let a pod come that finds no room, or does."""
        self.place(owned(worker(name, qos=qos, **{"amounts": WHOLE, **fields}), OWNER))

    def end(self, *names):
        """Let evicted pods be gone."""
        for name in names:
            self.api.remove(PODS, TEAM, name)
        self.show()

    def evicted(self):
        return [
            path.split("/")[-2]
            for method, path in self.api.writes()
            if method == "POST" and path.endswith("/eviction")
        ]

    def budget(self, allowed, name="budget", **selector):
        self.api.add(
            DISRUPTION_BUDGETS,
            made(
                "PodDisruptionBudget",
                name,
                api_version="policy/v1",
                spec={"selector": selector},
                status={"disruptionsAllowed": allowed},
            ),
        )


def ready(pod):
    conditions = [{"type": "Ready", "status": "True"}]
    return {**pod, "status": {**pod["status"], "conditions": conditions}}


@pytest.fixture
def world():
    return PreemptingWorld()


def test_a_pod_without_room_gets_that_of_a_lower_worker(world):
    world.run("low")
    world.want()
    waiting = world.shortage()
    world.end("low")
    world.reconcile()

    assert world.evicted() == ["low"]
    assert waiting.reason == EventReason.NO_GPU_AVAILABLE
    assert waiting.message == "waits for workers on node n1 to end, whose GPUs it gets"
    assert waiting.missing_gpus == 0
    assert world.gpus_of() == "GPU-1"
    assert world.tools.nominations.awaited() == frozenset()


def test_both_are_told_without_the_names_of_each_other(world):
    world.run("low")
    world.want()

    told = {name: note for _, name, reason, note in world.box.told() if reason == "Preempted"}
    uid = world.pod()["metadata"]["uid"]
    assert told == {
        "job": "workers of lower quality of service on node n1 are evicted: 1 low",
        "low": "evicted from node n1: a worker of quality of service high "
        f"(UID {uid}) needs its GPUs",
    }
    assert world.tools.counts.snapshot().preempted == {"low": 1, "medium": 0, "high": 0}


@pytest.mark.parametrize(
    ("running", "waiting", "is_evicted"),
    [
        ("low", "low", False),
        ("low", "medium", True),
        ("medium", "medium", False),
        ("medium", "high", True),
        ("high", "high", False),
        ("high", "critical", True),
        ("critical", "critical", False),
        ("critical", "high", False),
    ],
)
def test_only_workers_of_lower_quality_of_service_are_evicted(world, running, waiting, is_evicted):
    world.run("other", running)
    world.want(qos=waiting)

    assert world.evicted() == (["other"] if is_evicted else [])


@pytest.mark.parametrize("word", ["Never", None])
def test_nobody_is_evicted_unless_the_pool_says_so(word):
    world = PreemptingWorld(preemption=word)
    world.run("low")
    world.want()

    assert world.evicted() == []


def test_a_bare_pod_is_never_evicted(world):
    world.run("low", is_owned=False)
    world.want()

    assert world.evicted() == []
    assert "the best, on node n1" in world.shortage().message


def test_a_paused_workload_keeps_its_workers(world):
    paused = workload(metadata={"annotations": {PAUSED: "true"}})
    world.api.add(WORKLOADS, paused)
    world.run("low")
    world.want()

    assert world.evicted() == []


@pytest.mark.parametrize(
    ("switches", "said"),
    [
        ({"paused": "true"}, "no worker is evicted for it while the pool or everything is paused"),
        ({"mode": "recommend"}, "no worker is evicted for it in mode recommend"),
    ],
)
def test_where_no_running_worker_may_change_none_is_evicted_and_that_is_said(switches, said):
    world = PreemptingWorld(**switches)
    world.run("low")
    world.want()

    assert world.evicted() == []
    assert said in world.shortage().message


def test_a_paused_pool_evicts_nobody(world):
    def pause(obj):
        obj["metadata"]["annotations"][PAUSED] = "true"

    world.api.edit(POOLS, None, "pool", pause)
    world.run("low")
    world.want()

    assert world.evicted() == []


def test_nobody_else_goes_while_the_first_ones_end():
    world = PreemptingWorld(gpus=(gpu("GPU-1"), gpu("GPU-2", index=1)))
    world.run("a")
    world.run("b", gpus=("GPU-2",))
    world.want()
    for _ in range(3):
        world.reconcile()
        world.show()

    assert len(world.evicted()) == 1
    assert world.reasons().count(EventReason.PREEMPTED) == 2


def test_the_room_that_was_made_is_kept_from_those_that_are_not_more_important(world):
    world.run("low")
    world.want(qos="medium")
    world.end("low")
    world.want("again", qos="low")
    world.want("equal", qos="medium")
    kept_from = [world.gpus_of("again"), world.gpus_of("equal")]
    world.reconcile()

    assert kept_from == [None, None]
    assert world.gpus_of() == "GPU-1"


def test_a_more_important_pod_may_take_the_room(world):
    world.run("low")
    world.want(qos="medium")
    world.end("low")
    world.want("critical", qos="critical")

    assert world.gpus_of("critical") == "GPU-1"


def test_a_more_important_pod_takes_the_room_that_comes_and_evicts_nobody_more():
    world = PreemptingWorld(gpus=(gpu("GPU-1"), gpu("GPU-2", index=1)))
    world.run("a")
    world.run("b", "medium", gpus=("GPU-2",))
    world.want(qos="medium")
    world.want("high", qos="high")
    world.end("a")
    world.reconcile()
    world.reconcile("high")

    assert world.evicted() == ["a"]
    assert (world.gpus_of(), world.gpus_of("high")) == (None, "GPU-1")


def test_the_room_is_free_for_all_when_the_pod_is_gone(world):
    world.run("low")
    world.want()
    world.want("other", qos="medium")
    world.end("low", "job")
    world.box.work.keys()
    world.reconcile()

    assert WorkKey(WorkKind.POD, TEAM, "other") in world.box.work.keys()  # noqa: SIM118
    world.reconcile("other")
    assert world.gpus_of("other") == "GPU-1"


def test_the_room_is_kept_for_a_bound_time_only(world):
    world.run("low")
    world.want()
    world.now_s += NOMINATED_S
    world.box.advance(NOMINATED_S)
    world.reconcile()

    assert world.tools.nominations.get(TEAM, "job") is None
    assert world.evicted() == ["low"]


def test_the_room_that_a_pod_does_not_get_is_kept_a_moment_only(world):
    world.run("low")
    world.want(amounts={**WHOLE, "vram-request": "80Gi"})
    world.end("low")
    world.run("taken", "high", amounts=HALF)
    world.reconcile()
    is_kept = world.tools.nominations.get(TEAM, "job") is not None
    world.now_s += SETTLE_S
    world.reconcile()

    assert is_kept
    assert world.tools.nominations.get(TEAM, "job") is None


def test_a_pod_waits_for_a_worker_that_ends_anyway():
    world = PreemptingWorld(gpus=(gpu("GPU-1"), gpu("GPU-2", index=1)))
    world.run("a", "high", metadata={"deletionTimestamp": "2026-01-01T00:00:30Z"})
    world.run("b", gpus=("GPU-2",))
    world.want()

    assert world.evicted() == []
    assert world.tools.nominations.awaited() == {world.pod("a")["metadata"]["uid"]}


def test_the_room_of_a_worker_that_does_not_end_is_not_counted_on():
    world = PreemptingWorld(gpus=(gpu("GPU-1"), gpu("GPU-2", index=1)))
    world.box.advance(600)
    world.run("stuck", metadata={"deletionTimestamp": "2026-01-01T00:00:30Z"})
    world.run("b", gpus=("GPU-2",))
    world.want()

    assert world.evicted() == ["b"]


def test_a_worker_whose_disruption_budget_is_used_up_stays_and_another_one_goes(world):
    labels = {"matchLabels": {"app": "kept"}}
    world.budget(0, **labels)
    world.run("a", amounts=HALF, metadata={"creationTimestamp": "2026-01-02T00:00:00Z"})
    world.run("b", amounts=HALF)

    def label(pod):
        pod["metadata"]["labels"]["app"] = "kept"

    world.api.edit(PODS, TEAM, "a", label)
    world.show()
    world.want(amounts=HALF)
    world.reconcile()

    assert "deletionTimestamp" not in world.pod("a")["metadata"]
    assert "deletionTimestamp" in world.pod("b")["metadata"]


def test_nobody_is_evicted_in_vain_where_a_budget_allows_fewer_than_are_needed(world):
    world.budget(1, matchLabels={})
    for name in ("a", "b"):
        world.add(ready(owned(placed(name, qos="low", amounts=HALF), OWNER)))
    world.want()
    world.reconcile()
    refused = world.evicted()
    world.now_s += SPARED_S
    world.api.edit(
        DISRUPTION_BUDGETS, TEAM, "budget", lambda obj: obj["status"].update(disruptionsAllowed=2)
    )
    world.reconcile()

    assert refused == []
    assert sorted(world.evicted()) == ["a", "b"]


def test_nobody_goes_where_a_quota_keeps_the_pod_waiting_anyway(world):
    world.api.add(QUOTAS, quota(total={"requests": {"tflops": "150"}}))
    world.run("low")
    world.want()

    assert world.evicted() == []


def test_the_cpu_of_the_victims_counts_as_free_and_is_kept_too():
    world = PreemptingWorld(nodes=(node(allocatable={"cpu": "1"}),))
    world.run("low", requests={"cpu": "800m"})
    world.want(requests={"cpu": "600m"})
    world.want("small", qos="low", amounts={"tflops-request": "0"}, requests={"cpu": "300m"})
    world.end("low")
    world.reconcile("small")
    world.want("small2", qos="low", amounts={"tflops-request": "0"}, requests={"cpu": "500m"})
    world.reconcile()

    assert world.evicted() == ["low"]
    assert world.gpus_of("small2") is None
    assert world.gpus_of() == "GPU-1"


def test_nobody_goes_from_a_node_that_the_scheduler_would_refuse_all_the_same():
    world = PreemptingWorld(nodes=(node(unschedulable=True),))
    world.run("low")
    world.want()

    assert world.evicted() == []


def test_an_eviction_whose_answer_got_lost_is_made_again(world):
    def lose(method, _path):
        if method == "POST":
            raise ApiUnavailableError("the connection ended")

    world.run("low")
    world.add(owned(worker(qos="high", amounts=WHOLE), OWNER))
    world.api.before = lose
    with pytest.raises(ApiUnavailableError):
        world.reconcile()
    is_noted = world.shortage() is not None
    world.api.before = lambda _method, _path: None
    world.reconcile()

    assert is_noted
    assert world.evicted() == ["low"]


def test_a_victim_that_is_gone_already_is_no_error(world):
    def end(method, path):
        if path.endswith("/eviction"):
            world.api.before = lambda _method, _path: None
            world.api.remove(PODS, TEAM, "low")

    world.run("low")
    world.add(owned(worker(qos="high", amounts=WHOLE), OWNER))
    world.api.before = end
    world.reconcile()
    world.show()
    world.reconcile()

    assert world.gpus_of() == "GPU-1"
    assert world.tools.counts.snapshot().preempted["low"] == 0


def test_where_nobody_could_make_room_that_is_looked_at_again_after_a_while(world):
    world.run("low", is_owned=False)
    world.want()

    def own(pod):
        pod["metadata"] |= {"ownerReferences": owned(pod, OWNER)["metadata"]["ownerReferences"]}

    world.api.edit(PODS, TEAM, "low", own)
    world.show()
    world.reconcile()
    before = world.evicted()
    world.now_s += world.tools.rules.waiting_s
    world.reconcile()

    assert (before, world.evicted()) == ([], ["low"])


def test_nobody_goes_in_the_moment_in_which_a_worker_is_gone_and_still_counted():
    world = PreemptingWorld(gpus=(gpu("GPU-1"), gpu("GPU-2", index=1)))
    world.run("a", "high")
    world.run("b", gpus=("GPU-2",))
    world.add(owned(worker(qos="high", amounts=WHOLE), OWNER))
    gone = world.pod("a")
    world.end("a")
    claim = claim_of(gone, world.tools.books.card)
    version = gone["metadata"]["resourceVersion"]
    world.tools.books.observe(claim.uid, claim, version)
    world.reconcile()
    before = world.evicted(), world.gpus_of()
    world.tools.books.observe_gone(claim.uid)
    world.reconcile()

    assert before == ([], None)
    assert (world.evicted(), world.gpus_of()) == ([], "GPU-1")
    assert (WorkKey(WorkKind.POD, TEAM, "job"), SETTLE_S) in world.box.work.delayed


def test_annotations_that_become_unreadable_free_the_room(world):
    world.run("low")
    world.want()

    def break_it(pod):
        pod["metadata"]["annotations"]["tensor-fusion.ai/gpu-count"] = "two"

    world.api.edit(PODS, TEAM, "job", break_it)
    world.show()
    world.reconcile()

    assert world.tools.nominations.get(TEAM, "job") is None
    assert world.tools.books.used("gpu-1") == amounts(100, 1)
