"""A cluster in memory with one pool, whose pods a ``Placing`` places."""

import time

from autoscaler.api.names import GPU_IDS
from autoscaler.kube.resource import GPUS, NODES, PODS, POOLS
from autoscaler.workloads.nodes.node_books import NodeBooks
from autoscaler.workloads.placement.placing import Placing
from autoscaler.workloads.watching import watch
from tests.autoscaler.workloads.objects import TEAM, gpu, node, pool
from tests.autoscaler.workloads.toolbox import Toolbox


class NothingCapped:
    def capped_workloads_on(self, gpus, namespaces):
        return set()


class PlacingWorld:
    """One node with GPUs in the pool, and what a controller makes of pods."""

    def __init__(self, *, gpus=(), nodes=(), pools=(), monotonic_s=time.monotonic, **rules):
        self.box = Toolbox(**rules)
        self.api, self.tools = self.box.api, self.box.tools
        self.node_books = NodeBooks()
        self.placing = Placing(self.tools, self.node_books, monotonic_s=monotonic_s)
        watch(self.tools, self.node_books, waiting=self.placing, capped=NothingCapped())
        for each in pools or (pool(),):
            self.api.add(POOLS, each)
        for each in nodes or (node(),):
            self.api.add(NODES, each)
        for each in gpus or (gpu(),):
            self.api.add(GPUS, each)
        self.show()

    def show(self):
        """Let the caches, and so the books, see what the API server has."""
        self.box.show()

    def add(self, *pods):
        """Create pods, and let the caches show them."""
        for pod in pods:
            self.api.add(PODS, pod)
        self.show()

    def reconcile(self, name="job"):
        self.placing.reconcile(TEAM, name)

    def place(self, *pods):
        """Create pods and place them, one after the other."""
        self.add(*pods)
        for pod in pods:
            self.reconcile(pod["metadata"]["name"])
        self.show()

    def pod(self, name="job"):
        return self.api.find(PODS, TEAM, name)

    def gpus_of(self, name="job"):
        return self.pod(name)["metadata"]["annotations"].get(GPU_IDS)

    def shortage(self, name="job"):
        return self.placing.shortage_of(self.pod(name)["metadata"]["uid"])

    def reasons(self):
        """Return the reasons of the events that were told, in their order."""
        return [reason for _, _, reason, _ in self.box.told()]

    def patches(self):
        return [path for method, path in self.api.writes() if method == "PATCH"]
