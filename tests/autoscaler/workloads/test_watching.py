"""Which change leads to which look, and that the books are right before it."""

import pytest

from autoscaler.api.names import GPU_IDS, MANAGED_BY, PAUSED, PREFIX, WORKLOAD_PROFILE, Component
from autoscaler.kube.lanes import Priority
from autoscaler.kube.resource import (
    CONFIG_MAPS,
    CONNECTIONS,
    DEPLOYMENTS,
    GPUS,
    NODES,
    PODS,
    POOLS,
    QUOTAS,
    REPLICA_SETS,
    WORKLOAD_PROFILES,
    WORKLOADS,
)
from autoscaler.workloads.books.freed import Freed
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.nodes.node_books import NodeBooks
from autoscaler.workloads.pod_changes import GATHERED_S
from autoscaler.workloads.watching import watch
from autoscaler.workloads.work import WorkKey, WorkKind
from tests.autoscaler.workloads.objects import (
    GIB,
    TEAM,
    gpu,
    made,
    node,
    owned,
    placed,
    pod,
    pool,
    quota,
    worker,
    workload,
)
from tests.autoscaler.workloads.owning import deployment, generated, pod_of, replica_set
from tests.autoscaler.workloads.toolbox import NAMESPACE, Toolbox

CLIENT = {f"{PREFIX}component": str(Component.CLIENT)}


class WaitingDouble:
    def __init__(self):
        self.retried = []

    def retry(self, pools=None):
        self.retried.append(None if pools is None else sorted(pools))


class CappedDouble:
    def __init__(self):
        self.found = set()
        self.asked = []

    def capped_workloads_on(self, gpus, namespaces):
        self.asked.append(Freed(gpus=frozenset(gpus), namespaces=frozenset(namespaces)))
        return self.found


class WatchedWorld:
    """Caches whose changes are watched; ``keys`` are those that the last changes led to."""

    def __init__(self, *objects):
        self.box = Toolbox()
        self.api, self.tools, self.books = self.box.api, self.box.tools, self.box.tools.books
        self.node_books = NodeBooks()
        self.waiting, self.capped = WaitingDouble(), CappedDouble()
        watch(self.tools, self.node_books, waiting=self.waiting, capped=self.capped)
        self.add((POOLS, pool()), (NODES, node()), (GPUS, gpu()), *objects)
        self.forget()

    def add(self, *objects):
        for resource, obj in objects:
            self.api.add(resource, obj)
        return self.show()

    def edit(self, resource, name, change, *, namespace=TEAM):
        namespace = namespace if resource.is_namespaced else ""
        self.api.edit(resource, namespace, name, change)
        return self.show()

    def remove(self, resource, name):
        self.api.remove(resource, TEAM if resource.is_namespaced else "", name)
        return self.show()

    def show(self):
        """Let the caches see it all, and return the keys that are to be looked at."""
        self.box.show()
        work = self.box.work
        keys = [*work.keys(), *(key for key, _ in work.delayed)]
        work.delayed.clear()
        return {(str(key.kind), key.name) for key in keys}

    def forget(self):
        self.show()
        self.waiting.retried.clear()
        self.capped.asked.clear()

    def used(self):
        return self.books.used("gpu-1")


def labels(**fields):
    return lambda obj: obj["metadata"]["labels"].update(fields)


def annotations(**fields):
    return lambda obj: obj["metadata"].setdefault("annotations", {}).update(fields)


def spec(**fields):
    return lambda obj: obj["spec"].update(fields)


def status(**fields):
    return lambda obj: obj.setdefault("status", {}).update(fields)


def test_a_gated_worker_is_to_be_placed_and_to_have_a_workload():
    assert WatchedWorld().add((PODS, worker())) == {("pod", "job"), ("workload", "job")}


def test_pods_come_before_what_only_shows_something():
    here = WatchedWorld()
    here.api.add(PODS, worker())
    here.box.show()
    urgency = {key.kind: priority for key, priority in here.box.work.added}
    assert urgency == {WorkKind.POD: Priority.RAISE, WorkKind.WORKLOAD: Priority.STATUS}


def test_changes_of_the_pods_of_a_workload_are_gathered():
    here = WatchedWorld((PODS, placed()))
    here.api.edit(PODS, TEAM, "job", status(podIP="10.0.0.7"))
    here.box.show()
    assert here.box.work.added == []
    assert here.box.work.delayed == [(WorkKey(WorkKind.WORKLOAD, TEAM, "job"), GATHERED_S)]


def test_a_placed_worker_is_in_the_books_when_it_is_looked_at():
    here = WatchedWorld((QUOTAS, quota()))
    keys = here.add((PODS, placed(is_bound=False)))
    assert keys == {("pod", "job"), ("workload", "job"), ("gpu", "gpu-1"), ("quota", "quota")}
    assert here.used() == GpuAmounts(microtflops=10_000_000, vram_bytes=4 * GIB)
    assert here.node_books.taken("n1").pods == 1


def test_a_worker_that_runs_is_not_placed_again_for_a_change_of_its_status():
    here = WatchedWorld((PODS, placed()))
    keys = here.edit(PODS, "job", status(conditions=[{"type": "Ready", "status": "True"}]))
    assert keys == {("workload", "job")}


def test_changed_amounts_are_shown_by_gpu_and_quota():
    here = WatchedWorld((PODS, placed()), (QUOTAS, quota()))
    keys = here.edit(PODS, "job", annotations(**{f"{PREFIX}tflops-request": "15"}))
    assert keys == {("workload", "job"), ("gpu", "gpu-1"), ("quota", "quota")}
    assert here.used().microtflops == 15_000_000


@pytest.mark.parametrize("ending", ["gone", "Succeeded", "Failed"])
def test_a_worker_that_is_gone_or_has_ended_gives_everything_back(ending):
    here = WatchedWorld((PODS, placed()), (QUOTAS, quota()))
    if ending == "gone":
        keys = here.remove(PODS, "job")
    else:
        keys = here.edit(PODS, "job", status(phase=ending))
    assert keys == {("pod", "job"), ("workload", "job"), ("gpu", "gpu-1"), ("quota", "quota")}
    assert here.used() == GpuAmounts()
    assert here.node_books.taken("n1").pods == 0
    assert ["pool"] in here.waiting.retried


def test_a_worker_that_is_about_to_go_still_holds_its_gpu():
    here = WatchedWorld((PODS, placed()))
    going = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    here.edit(PODS, "job", lambda obj: obj["metadata"].update(going))
    assert here.used().microtflops == 10_000_000


def test_a_worker_that_cannot_be_read_holds_all_of_its_gpu():
    here = WatchedWorld((PODS, placed(annotations={f"{PREFIX}tflops-request": "many"})))
    assert here.books.free("gpu-1") == GpuAmounts()


def test_a_pod_that_is_no_worker_any_more_holds_nothing():
    here = WatchedWorld((PODS, placed()))
    here.edit(PODS, "job", lambda obj: obj["metadata"]["labels"].clear())
    assert here.used() == GpuAmounts()


def test_a_pod_of_others_takes_of_its_node_and_is_not_looked_at():
    here = WatchedWorld()
    assert here.add((PODS, pod("other", nodeName="n1", requests={"cpu": "2"}))) == set()
    assert here.node_books.taken("n1").pods == 1
    assert here.remove(PODS, "other") == set()
    assert here.waiting.retried == [["pool"]]


def test_a_client_has_a_connection_and_is_looked_at_when_a_worker_pod_changes():
    web = workload("web")
    made_worker = owned(worker("web-tf-worker-1", workload="web"), web)
    here = WatchedWorld((WORKLOADS, web))
    client = worker("app", workload="web", labels=CLIENT)
    assert here.add((PODS, client)) == {("connection", "app"), ("workload", "web")}
    assert ("connection", "app") in here.add((PODS, made_worker))


@pytest.mark.parametrize("ending", ["gone", "ended"])
def test_a_client_that_goes_leaves_a_worker_to_those_that_wait_for_one(ending):
    client = worker("app", workload="web", labels=CLIENT)
    other = worker("other", workload="web", labels=CLIENT)
    here = WatchedWorld((WORKLOADS, workload("web")), (PODS, client), (PODS, other))
    if ending == "gone":
        keys = here.remove(PODS, "app")
    else:
        keys = here.edit(PODS, "app", status(phase="Succeeded"))
    assert ("connection", "other") in keys


def test_a_pod_that_moves_to_another_workload_concerns_both():
    here = WatchedWorld((PODS, worker()))
    keys = here.edit(PODS, "job", labels(**{f"{PREFIX}workload": "other"}))
    assert {("workload", "job"), ("workload", "other")} <= keys


def test_a_new_gpu_is_a_card_of_its_pool():
    here = WatchedWorld()
    keys = here.add((GPUS, gpu("GPU-2")))
    assert keys == {("gpu", "gpu-2"), ("pool", "pool")}
    assert here.books.card("gpu-2").pool == "pool"


def test_pods_that_came_before_their_gpu_are_counted_by_its_card():
    """Percent and what is not stated depend on the card."""
    whole = {"compute-percent-request": "100"}
    here = WatchedWorld((PODS, placed(gpus=("GPU-2",), amounts=whole, peak_tflops="50")))
    assert here.books.used("gpu-2").microtflops == 50_000_000
    here.add((GPUS, gpu("GPU-2", tflops="200")))
    assert here.books.used("gpu-2").microtflops == 200_000_000


def test_a_gpu_that_vanishes_concerns_its_workers_and_pool():
    here = WatchedWorld((PODS, placed()))
    keys = here.remove(GPUS, "gpu-1")
    assert keys == {("gpu", "gpu-1"), ("pod", "job"), ("pool", "pool")}
    assert here.books.card("gpu-1") is None
    assert here.used().microtflops == 10_000_000


def test_a_gpu_that_fails_is_not_placed_on():
    here = WatchedWorld((PODS, placed()))
    assert ("pod", "job") in here.edit(GPUS, "gpu-1", status(phase="Unknown"))
    assert here.books.card("gpu-1").problem.startswith("in phase Unknown")


def test_heartbeats_of_a_node_lead_to_nothing():
    here = WatchedWorld()
    beat = [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:05:00Z"}]
    assert here.edit(NODES, "n1", status(conditions=beat)) == set()
    assert here.waiting.retried == []


def test_a_node_that_is_open_again_lets_waiting_pods_be_tried():
    here = WatchedWorld()
    here.edit(NODES, "n1", spec(unschedulable=True))
    here.forget()
    here.edit(NODES, "n1", lambda obj: obj["spec"].pop("unschedulable"))
    assert here.waiting.retried == [["pool"]]


def test_a_node_that_leaves_a_pool_takes_its_gpus_along():
    here = WatchedWorld((PODS, placed()))
    keys = here.edit(NODES, "n1", labels(pool="none"))
    assert keys == {("gpu", "gpu-1"), ("pod", "job"), ("pool", "pool")}
    assert here.books.card("gpu-1").problem == "on a node that no pool selects (n1)"
    assert here.books.cards_of_pool("pool") == {}


def test_a_node_that_is_deleted_leaves_gpus_without_a_node():
    here = WatchedWorld()
    here.remove(NODES, "n1")
    assert here.books.card("gpu-1").problem == "of a node that does not exist (n1)"


def test_the_gpus_of_a_deleted_pool_are_no_cards_of_it():
    here = WatchedWorld((WORKLOADS, workload("web")))
    keys = here.remove(POOLS, "pool")
    assert keys == {("gpu", "gpu-1"), ("pool", "pool"), ("workload", "web")}
    assert here.books.card("gpu-1").pool == ""


def test_gpus_go_to_the_older_of_two_pools_and_both_pools_are_looked_at():
    here = WatchedWorld()
    keys = here.add((POOLS, pool("older", created="2025-01-01T00:00:00Z")))
    assert {("pool", "older"), ("pool", "pool"), ("gpu", "gpu-1")} <= keys
    assert here.books.card("gpu-1").pool == "older"


def test_a_paused_pool_concerns_its_workloads_alone():
    here = WatchedWorld((WORKLOADS, workload("web")), (WORKLOADS, workload("x", poolName="other")))
    keys = here.edit(POOLS, "pool", annotations(**{PAUSED: "true"}))
    assert keys == {("pool", "pool"), ("workload", "web")}


def test_the_status_of_a_pool_leads_to_nothing():
    assert WatchedWorld().edit(POOLS, "pool", status(phase="Running")) == set()


def test_a_decision_is_urgent_and_other_status_is_no_reason_to_look():
    here = WatchedWorld((WORKLOADS, workload("web")))
    assert here.edit(WORKLOADS, "web", status(guard={"changesToday": 1}, phase="Running")) == set()
    here.api.edit(WORKLOADS, TEAM, "web", status(desiredResources={"sequence": 1}))
    here.box.show()
    assert here.box.work.added == [(WorkKey(WorkKind.WORKLOAD, TEAM, "web"), Priority.RAISE)]


def test_a_workload_that_is_edited_or_deleted_is_looked_at():
    here = WatchedWorld((WORKLOADS, workload("web")))
    assert here.edit(WORKLOADS, "web", spec(qos="low")) == {("workload", "web")}
    assert here.edit(WORKLOADS, "web", annotations(**{PAUSED: "true"})) == {("workload", "web")}
    assert here.remove(WORKLOADS, "web") == {("workload", "web")}


def test_a_profile_concerns_the_workloads_whose_pods_name_it():
    named = worker("a", workload="web", annotations={WORKLOAD_PROFILE: "small"})
    here = WatchedWorld((PODS, named), (PODS, worker("b", workload="x")))
    small = made("WorkloadProfile", "small", spec={})
    assert here.add((WORKLOAD_PROFILES, small)) == {("workload", "web")}
    assert here.edit(WORKLOAD_PROFILES, "small", spec(qos="low")) == {("workload", "web")}
    assert here.remove(WORKLOAD_PROFILES, "small") == {("workload", "web")}


def test_a_quota_concerns_the_workloads_of_its_namespace_and_all_that_wait():
    elsewhere = workload("y", namespace="other")
    here = WatchedWorld((WORKLOADS, workload("web")), (WORKLOADS, elsewhere))
    assert here.add((QUOTAS, quota())) == {("quota", "quota"), ("workload", "web")}
    assert here.waiting.retried == [None]


def test_an_owner_that_is_scaled_concerns_its_workload_and_its_status_does_not():
    web = deployment("web")
    here = WatchedWorld((DEPLOYMENTS, web), (WORKLOADS, generated("web", web)))
    assert here.edit(DEPLOYMENTS, "web", status(readyReplicas=1)) == set()
    assert here.edit(DEPLOYMENTS, "web", spec(replicas=9)) == {("workload", "web")}


def test_an_owner_that_comes_after_its_pod_concerns_that_pod_s_workload():
    web_1 = replica_set(deployment("web"))
    here = WatchedWorld((PODS, pod_of(web_1)))
    assert here.add((REPLICA_SETS, web_1)) == {("workload", "web")}


def test_an_owner_that_a_user_s_workload_lists_concerns_it():
    web = deployment("web")
    listed = {"owners": [{"kind": "Deployment", "name": "web", "uid": web["metadata"]["uid"]}]}
    here = WatchedWorld((DEPLOYMENTS, web), (WORKLOADS, workload("mine", status=listed)))
    assert here.edit(DEPLOYMENTS, "web", spec(replicas=9)) == {("workload", "mine")}


def test_a_connection_concerns_its_client():
    connection = made("TensorFusionConnection", "app", spec={"workloadName": "web"})
    assert WatchedWorld().add((CONNECTIONS, connection)) == {("connection", "app")}


def test_a_switch_concerns_all_workloads():
    here = WatchedWorld((WORKLOADS, workload("a")), (WORKLOADS, workload("b")))
    control = made(
        "ConfigMap",
        "tensor-fusion-control",
        api_version="v1",
        namespace=NAMESPACE,
        data={"mode": "apply"},
    )
    assert here.add((CONFIG_MAPS, control)) == {("workload", "a"), ("workload", "b")}


def test_what_is_freed_lets_capped_workloads_be_tried():
    here = WatchedWorld((PODS, placed()))
    here.capped.found = {(TEAM, "web")}
    assert ("workload", "web") in here.remove(PODS, "job")
    assert Freed(gpus=frozenset({"gpu-1"}), namespaces=frozenset({TEAM})) in here.capped.asked


def test_what_was_held_and_is_given_back_is_shown_by_gpu_and_quota():
    here = WatchedWorld((PODS, placed()), (QUOTAS, quota()))
    more = GpuAmounts(microtflops=20_000_000, vram_bytes=4 * GIB)
    here.books.raise_claim("uid-of-pod-job", more, more)
    here.books.cancel("uid-of-pod-job")
    assert {("gpu", "gpu-1"), ("quota", "quota")} <= here.show()


def test_a_worker_that_is_made_anew_under_its_name_does_not_hold_what_the_former_did():
    here = WatchedWorld((PODS, placed()))
    here.api.remove(PODS, TEAM, "job")
    here.add((PODS, worker(metadata={"uid": "another"})))
    assert here.used() == GpuAmounts()


def test_a_worker_whose_gpus_are_not_known_yet_is_counted_once_they_are():
    here = WatchedWorld((PODS, placed(gpus=("GPU-2",), is_bound=False)))
    assert here.node_books.taken("n1").pods == 0
    here.add((GPUS, gpu("GPU-2")))
    assert here.node_books.taken("n1").pods == 1


def test_a_gpu_without_a_node_is_a_card_with_a_problem():
    here = WatchedWorld()
    lost = gpu("GPU-3", metadata={"ownerReferences": [], "labels": {MANAGED_BY: ""}})
    lost["status"].pop("nodeSelector")
    here.add((GPUS, lost))
    assert here.books.card("gpu-3").problem == "of no known node"
    assert GPU_IDS not in lost["metadata"].get("annotations", {})
