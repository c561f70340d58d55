from autoscaler.api.names import CONTROL_CONFIG_MAP, NAMESPACE
from autoscaler.kube.resource import (
    CONFIG_MAPS,
    GPUS,
    HPAS,
    NAMESPACES,
    PODS,
    POOLS,
    QUOTAS,
    WORKLOADS,
)
from autoscaler.scaling.live.caches import LiveCaches
from autoscaler.scaling.live.kept import kept_of_gpu, kept_of_pool, kept_of_workload
from tests.autoscaler.kube.test_cache_set import SelectingApi
from tests.autoscaler.scaling.live.live_objects import gpu, namespace, pool, quota, workload
from tests.autoscaler.scaling.live.live_world import LiveWorld
from tests.components.processes import until

ALL = (WORKLOADS, PODS, GPUS, POOLS, QUOTAS, HPAS, NAMESPACES, CONFIG_MAPS)


def selectors_asked_for(**options):
    api = SelectingApi({resource: [] for resource in ALL})
    caches = LiveCaches(api, namespace=NAMESPACE, **options)
    caches.start()
    try:
        until(lambda: caches.has_synced, what="all caches are filled", deadline_s=20.0)
    finally:
        caches.stop()
    assert ("configmaps", NAMESPACE, f"metadata.name={CONTROL_CONFIG_MAP}", False) in api.asked
    return api.selectors


def test_of_pods_only_workers_are_read_and_of_namespaces_nothing():
    assert selectors_asked_for() == {
        "tensorfusionworkloads": "",
        "pods": "tensor-fusion.ai/component=worker",
        "gpus": "",
        "gpupools": "",
        "gpuresourcequotas": "",
        "horizontalpodautoscalers": "",
        "configmaps": "",
    }


def test_an_autoscaler_for_a_part_reads_the_namespaces_of_its_selector():
    assert selectors_asked_for(namespace_selector="tier=gold")["namespaces"] == "tier=gold"


def test_every_namespace_is_chosen_without_a_selector():
    world = LiveWorld()
    world.put(WORKLOADS, workload())
    assert world.caches.has_chosen("anything")
    assert world.caches.workload("team", "chat")["metadata"]["name"] == "chat"


def test_a_workload_of_a_namespace_that_is_not_chosen_is_not_there():
    world = LiveWorld(namespace_selector="tier=gold")
    world.put(WORKLOADS, workload())
    assert world.caches.workload("team", "chat") is None
    world.put(NAMESPACES, namespace("team"))
    assert world.caches.workload("team", "chat") is not None


def test_quotas_are_those_of_a_namespace():
    world = LiveWorld()
    world.put(QUOTAS, quota("a"), quota("b"))
    assert [each["metadata"]["name"] for each in world.caches.quotas("team")] == ["a", "b"]
    assert world.caches.quotas("other") == ()


def test_of_a_workload_the_lists_of_its_workers_are_not_kept():
    full = workload(
        workerPodTemplate={"big": "x"},
        status={"workerStatuses": [{"workerName": "w"}], "phase": "Running"},
    )
    full["metadata"]["managedFields"] = [{"manager": "x"}]
    kept = kept_of_workload(full)
    assert "workerPodTemplate" not in kept["spec"]
    assert kept["spec"]["replicas"] == 1
    assert "workerStatuses" not in kept["status"]
    assert kept["status"]["phase"] == "Running"
    assert "managedFields" not in kept["metadata"]
    assert kept["metadata"]["resourceVersion"]


def test_of_a_gpu_what_runs_there_is_not_kept():
    kept = kept_of_gpu(gpu(runningApps=[{"namespace": "team", "name": "chat"}]))
    assert "runningApps" not in kept["status"]
    assert kept["status"]["available"] == {"tflops": "50", "vram": "40Gi"}


def test_of_a_pool_its_switch_is_kept():
    kept = kept_of_pool(pool(is_paused=True))
    assert kept["metadata"]["annotations"] == {"tensor-fusion.ai/paused": "true"}
    assert "spec" not in kept
