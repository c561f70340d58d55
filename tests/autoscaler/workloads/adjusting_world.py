"""A cluster in memory with one workload, for whose workers an ``Adjusting`` carries decisions."""

from autoscaler.api.names import CONTROL_CONFIG_MAP, PREFIX
from autoscaler.kube.resource import CONFIG_MAPS, GPUS, NODES, PODS, POOLS, QUOTAS, WORKLOADS
from autoscaler.workloads.adjusting.adjusting import Adjusting
from autoscaler.workloads.nodes.node_books import NodeBooks
from autoscaler.workloads.watching import watch
from autoscaler.workloads.work import WorkKind
from tests.autoscaler.workloads.objects import TEAM, gpu, made, node, placed, pool, workload
from tests.autoscaler.workloads.toolbox import NAMESPACE, Toolbox

ENROLLED = {"autoSetRequests": {"enable": True}, "autoSetLimits": {"enable": True}}
DECISION = {"epoch": 3, "sequence": 7}


def amounts(tflops=None, vram=None, compute=None):
    """Return one side of a decision."""
    stated = {"tflops": tflops, "vram": vram, "compute": compute}
    return {key: quantity for key, quantity in stated.items() if quantity is not None}


def decided(*, requests=None, limits=None, **others):
    """Return ``status.desiredResources``, the seventh decision of the third epoch unless said."""
    return {**DECISION, "requests": requests or {}, "limits": limits or {}, **others}


class Nobody:
    """Waits for no GPU."""

    def retry(self, pools):
        """Try nothing again."""


class AdjustingWorld:
    """One node with GPUs in the pool, and workers of the workload ``job``."""

    def __init__(self, *, gpus=(), config=ENROLLED, spec=None, mode="apply", paused="false"):
        self.box = Toolbox()
        self.api, self.tools, self.books = self.box.api, self.box.tools, self.box.tools.books
        self.adjusting = Adjusting(self.tools)
        watch(self.tools, NodeBooks(), waiting=Nobody(), capped=self.adjusting)
        self.api.add(POOLS, pool())
        self.api.add(NODES, node())
        for each in gpus or (gpu(),):
            self.api.add(GPUS, each)
        self.control(mode=mode, paused=paused)
        self.api.add(WORKLOADS, workload(autoScalingConfig=config, **(spec or {})))
        self.show()

    def control(self, **data):
        """Set the switches of the installation."""
        if self.api.find(CONFIG_MAPS, NAMESPACE, CONTROL_CONFIG_MAP):
            self.api.remove(CONFIG_MAPS, NAMESPACE, CONTROL_CONFIG_MAP)
        switches = made("ConfigMap", CONTROL_CONFIG_MAP, namespace=NAMESPACE, data=data)
        self.api.add(CONFIG_MAPS, switches)
        self.show()

    def show(self):
        """Let the caches, and so the books, see what the API server has."""
        self.box.show()

    def run(self, *names, **fields):
        """Let placed workers run; ``gpus`` are UUIDs, and ``amounts`` what they have in force."""
        self.add(*(placed(name, **fields) for name in names))

    def add(self, *pods):
        for pod in pods:
            self.api.add(PODS, pod)
        self.show()

    def remove(self, name):
        self.api.remove(PODS, TEAM, name)
        self.show()

    def limit(self, quota):
        """Let a quota bind the namespace."""
        self.api.add(QUOTAS, quota)
        self.show()

    def decide(self, desired, **status):
        """Let the autoscaler decide."""
        self._status(lambda old: {**old, "desiredResources": desired, **status})

    def withdraw(self):
        """Let the workload be no more enrolled."""
        self._status(lambda old: {k: v for k, v in old.items() if k != "desiredResources"})

    def _status(self, change):
        def edit(obj):
            obj["status"] = change(obj.get("status") or {})

        self.api.edit(WORKLOADS, TEAM, "job", edit)
        self.show()

    def annotate(self, resource, name, annotations):
        def edit(obj):
            present = obj["metadata"].get("annotations") or {}
            obj["metadata"]["annotations"] = {**present, **annotations}

        namespace = TEAM if resource.is_namespaced else None
        self.api.edit(resource, namespace, name, edit)
        self.show()

    def adjust(self, name="job"):
        """Look at a workload as the caches show it, as the controller does."""
        shown = self.tools.cluster.store(WORKLOADS).get(TEAM, name)
        return self.adjusting.adjust(shown, self.tools.cluster.pods_of_workload(TEAM, name))

    def settle(self):
        """Adjust until nothing is left to do, with caches that follow; return what came of it."""
        for _ in range(20):
            adjusted = self.adjust()
            self.show()
            if not adjusted.has_more:
                return adjusted
        raise AssertionError("it is never done")

    def amounts(self, name="job"):
        """Return what a worker has in force."""
        annotations = self.api.find(PODS, TEAM, name)["metadata"]["annotations"]
        keys = ("tflops-request", "tflops-limit", "vram-request", "vram-limit")
        return tuple(annotations.get(f"{PREFIX}{key}") for key in keys)

    def woken(self):
        """Return the names of the workloads that are to be looked at, and forget them."""
        work = self.box.work
        keys = [*work.keys(), *(key for key, delay_s in work.delayed if delay_s < 1)]
        work.delayed.clear()
        return {key.name for key in keys if key.kind is WorkKind.WORKLOAD}

    def patches(self):
        return [path for method, path in self.api.writes() if method == "PATCH"]

    def events(self):
        """Return reason and note of the events that were told, in their order."""
        return [(reason, note) for _, _, reason, note in self.box.told()]
