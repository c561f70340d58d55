from functools import partial

import pytest

from autoscaler.api.names import POOL_LABEL
from autoscaler.kube.resource import GPUS, PODS, POOLS
from autoscaler.workloads.statuses.gpu_status import GpuReconciler
from autoscaler.workloads.work import WorkKey, WorkKind
from tests.autoscaler.workloads.objects import gpu, node, placed, pool
from tests.autoscaler.workloads.placing_world import PlacingWorld


class World(PlacingWorld):
    def __init__(self, **facts):
        super().__init__(**facts)
        self.now_s = 100.0
        self.reconciler = GpuReconciler(self.tools, monotonic_s=lambda: self.now_s)

    def settle(self, name="gpu-1"):
        """Look at a GPU until nothing is left to be written."""
        for _ in range(3):
            self.reconciler.reconcile("", name)
            self.show()
            self.now_s += 10

    def gpu(self, name="gpu-1"):
        return self.api.find(GPUS, None, name)

    def status(self, name="gpu-1"):
        return self.gpu(name)["status"]


def test_a_gpu_gets_the_label_of_the_pool_that_selects_its_node():
    world = World()
    world.settle()

    assert world.gpu()["metadata"]["labels"][POOL_LABEL] == "pool"


def test_a_gpu_that_no_pool_selects_any_more_loses_the_label():
    world = World()
    world.settle()
    world.api.remove(POOLS, None, "pool")
    world.show()
    world.settle()

    assert POOL_LABEL not in world.gpu()["metadata"]["labels"]


def test_what_is_free_counts_oversubscription_and_what_workers_request():
    spec = {"capacityConfig": {"oversubscription": {"tflopsOversellRatio": 150}}}
    world = World(pools=(pool(**spec),))
    world.add(placed("a"), placed("b"))
    world.settle()

    assert world.status()["available"] == {"tflops": "130", "vram": "72Gi"}
    assert world.status()["usedBy"] == "tensor-fusion"
    assert world.status()["runningApps"] == [
        {
            "namespace": "team",
            "name": "job",
            "count": 2,
            "pods": [
                {"uid": "uid-of-pod-a", "name": "a"},
                {"uid": "uid-of-pod-b", "name": "b"},
            ],
        }
    ]


def test_what_the_agent_says_of_a_gpu_is_left_alone():
    world = World()
    before = world.status()
    world.settle()

    assert {key: world.status()[key] for key in before} == before


def test_a_gpu_of_which_too_much_is_requested_has_nothing_free():
    world = World()
    world.add(placed("a"))
    world.api.edit(
        GPUS, None, "gpu-1", lambda obj: obj["status"]["capacity"].update(tflops="5", vram="1Gi")
    )
    world.show()
    world.settle()

    assert world.status()["available"] == {"tflops": "0", "vram": "0"}


def test_a_gpu_of_a_device_plugin_is_said_to_be_so():
    world = World(nodes=(node(allocatable={"nvidia.com/gpu": "1"}),))
    world.settle()

    assert world.status()["usedBy"] == "nvidia-device-plugin"


def test_a_gpu_that_is_empty_again_names_no_workloads():
    world = World()
    world.add(placed("a"))
    world.settle()
    world.api.remove(PODS, "team", "a")
    world.show()
    world.settle()

    assert "runningApps" not in world.status()
    assert world.status()["available"] == {"tflops": "100", "vram": "80Gi"}


def test_nothing_is_written_twice():
    world = World()
    world.settle()
    before = len(world.api.writes())
    world.settle()

    assert len(world.api.writes()) == before


def test_the_status_of_a_gpu_is_written_once_a_second_at_most():
    world = World()
    world.settle()
    world.reconciler.reconcile("", "gpu-1")
    look = partial(world.reconciler.reconcile, "", "gpu-1")
    world.add(placed("a"))
    look()
    world.show()
    world.now_s += 0.25
    world.add(placed("b"))
    before = len(world.api.writes())
    look()

    assert len(world.api.writes()) == before
    assert (WorkKey(WorkKind.GPU, "", "gpu-1"), pytest.approx(0.75)) in world.box.work.delayed


def test_its_pool_is_looked_at_when_what_is_free_of_a_gpu_has_changed():
    world = World()
    world.add(placed("a"))
    world.settle()

    assert (WorkKey(WorkKind.POOL, "", "pool"), 1.0) in world.box.work.delayed


def test_a_gpu_that_is_gone_is_left_alone():
    world = World(gpus=(gpu("GPU-1"),))
    world.api.remove(GPUS, None, "gpu-1")
    world.show()
    world.settle()

    assert world.api.writes() == []
