"""A cluster in memory whose workloads are looked after, with doubles of what they meet."""

from autoscaler.kube.resource import (
    DEPLOYMENTS,
    GPUS,
    PODS,
    POOLS,
    QUOTAS,
    REPLICA_SETS,
    STATEFUL_SETS,
    WORKLOAD_PROFILES,
    WORKLOADS,
)
from autoscaler.workloads.adjusting.adjusted import UNDECIDED
from autoscaler.workloads.generation.workload_reconciler import WorkloadReconciler
from autoscaler.workloads.worker_pods.worker_pods import WorkerPods
from tests.autoscaler.workloads.objects import TEAM, pool
from tests.autoscaler.workloads.toolbox import Toolbox

RESOURCES = {
    each.kind: each
    for each in (
        DEPLOYMENTS,
        GPUS,
        PODS,
        POOLS,
        QUOTAS,
        REPLICA_SETS,
        STATEFUL_SETS,
        WORKLOAD_PROFILES,
        WORKLOADS,
    )
}


class AdjustingDouble:
    """Answers what a test says, and notes the workloads that it was asked about."""

    def __init__(self):
        self.answer = UNDECIDED
        self.asked = []

    def adjust(self, workload, pods):
        self.asked.append((workload, pods))
        return self.answer


class PlacementsDouble:
    def __init__(self):
        self.shortages = {}

    def shortage_of(self, uid):
        return self.shortages.get(uid)


class WorkersDouble:
    def __init__(self, result):
        self.result = result
        self.asked = []

    def reconcile(self, workload, pods):
        self.asked.append(workload["metadata"]["name"])
        return self.result


class WorkloadWorld:
    """One namespace with a pool, and what a reconciler makes of pods."""

    def __init__(self, *objects, workers=None, pools=None):
        self.box = Toolbox()
        self.api, self.tools = self.box.api, self.box.tools
        self.adjusting, self.placements = AdjustingDouble(), PlacementsDouble()
        workers = WorkerPods(self.tools) if workers is None else workers
        self.reconciler = WorkloadReconciler(self.tools, self.adjusting, self.placements, workers)
        self.add(*((pool(),) if pools is None else pools), *objects)

    def add(self, *objects):
        """Put objects where they are not, and let the caches show them."""
        for obj in objects:
            self.api.add(RESOURCES[obj["kind"]], obj)
        self.box.show()

    def edit(self, kind, name, change):
        self.api.edit(RESOURCES[kind], "" if kind == "GPUPool" else TEAM, name, change)
        self.box.show()

    def remove(self, kind, name):
        self.api.remove(RESOURCES[kind], TEAM, name)
        self.box.show()

    def look(self, name="web"):
        """Look at a workload once, and let the caches show what came of it."""
        self.reconciler.reconcile(TEAM, name)
        self.box.show()
        return self.workload(name)

    def workload(self, name="web"):
        return self.api.find(WORKLOADS, TEAM, name)

    def conditions(self, name="web"):
        """Return (status, reason, message) by type."""
        return {
            each["type"]: (each["status"], each["reason"], each["message"])
            for each in self.workload(name)["status"]["conditions"]
        }

    def writes(self):
        """Return the writes since the last time they were asked for."""
        writes = self.api.writes()
        self.api.requests.clear()
        return writes
