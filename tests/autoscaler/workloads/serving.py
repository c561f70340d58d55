"""Clients and worker pods over the API server in memory, admitted by the real admission."""

from autoscaler.api.names import (
    COMPONENT,
    ENABLED,
    GPU_IDS,
    MODE,
    PLACEMENT_GATE,
    SELECTED_WORKLOAD,
    WORKLOAD_LABEL,
    Component,
    WorkloadMode,
)
from autoscaler.errors import InvalidError
from autoscaler.kube.resource import CONNECTIONS, PODS, POOLS, WORKLOADS
from autoscaler.kube.timestamps import time_text
from autoscaler.webhook.admission import PodRequest
from autoscaler.webhook.admit import admit
from autoscaler.webhook.snapshot import Installation
from autoscaler.workloads.connections.connections import Connections
from autoscaler.workloads.nodes.node_fit import HOSTNAME
from autoscaler.workloads.pod_state import is_live, is_made_by_controller
from autoscaler.workloads.worker_pods.worker_pods import WorkerPods
from tests.autoscaler.webhook.asking import patched
from tests.autoscaler.webhook.clusters import MemorySnapshot
from tests.autoscaler.workloads.objects import TEAM, pod, pool, workload
from tests.autoscaler.workloads.toolbox import Toolbox

NAME = "llm"
PORT = {"containerPort": 8000}
TEMPLATE = {"spec": {"containers": [{"name": "worker", "ports": [PORT]}]}}
AMOUNTS = {"requests": {"tflops": "10", "vram": "4Gi"}}


class ServingWorld:
    """One workload in one pool; caches show what is there whenever something is looked at."""

    def __init__(self, *, template=TEMPLATE, image="worker:1", is_local=False, **spec):
        self.box = Toolbox(has_standalone_workers=True)
        self.api = self.box.api
        self.api.admit = self._admitted
        self.is_webhook_in_force = True
        component = {"worker": {"image": image, "podTemplate": template}}
        self.api.add(POOLS, pool(componentConfig=component))
        mode = {"isLocalGPU": True, "noStandaloneWorkerMode": False} if is_local else {}
        wanted = {"isLocalGPU": False, **mode, "resources": AMOUNTS, **spec}
        self.api.add(WORKLOADS, workload(NAME, **wanted))
        self.mode = WorkloadMode.STANDALONE if is_local else WorkloadMode.REMOTE
        self.worker_pods = WorkerPods(self.box.tools)
        self.connections = Connections(self.box.tools)

    def look(self, *, is_shown=True):
        """Look at the workload once; the result."""
        if is_shown:
            self.box.show()
        cluster = self.box.tools.cluster
        shown = cluster.store(WORKLOADS).get(TEAM, NAME)
        return self.worker_pods.reconcile(shown, cluster.pods_of_workload(TEAM, NAME))

    def connect(self, *names, is_shown=True):
        """Look at clients, at all by default; the connections as they became."""
        if is_shown:
            self.box.show()
        for name in names or [each["metadata"]["name"] for each in self.clients()]:
            self.connections.reconcile(TEAM, name)
        return {each["metadata"]["name"]: each["status"] for each in self.api.all(CONNECTIONS)}

    def settle(self, *, most=30):
        """Look until nothing is written, while workers become ready; how many there were."""
        counts = []
        for _ in range(most):
            before = len(self.api.requests)
            self.look()
            self.end_deleted()
            counts.append(len(self.names()))
            self.run()
            if len(self.api.requests) == before:
                return counts
        raise AssertionError(f"it does not settle: {counts}")

    def workers(self):
        """Return the worker pods that are there."""
        return [each for each in self.api.all(PODS, TEAM) if is_made_by_controller(each)]

    def names(self):
        """Return the names of those that neither ended nor are about to go."""
        return [each["metadata"]["name"] for each in filter(is_live, self.workers())]

    def clients(self):
        pods = self.api.all(PODS, TEAM)
        return [each for each in pods if each["metadata"]["labels"][COMPONENT] == "client"]

    def client(self, name, **spec):
        """Add an admitted client."""
        is_gated = self.mode is WorkloadMode.STANDALONE
        gates = {"schedulingGates": [{"name": PLACEMENT_GATE}]} if is_gated else {}
        marks = {ENABLED: "true", COMPONENT: str(Component.CLIENT), WORKLOAD_LABEL: NAME}
        metadata = {
            "labels": marks,
            "annotations": {MODE: str(self.mode), SELECTED_WORKLOAD: NAME},
        }
        made = pod(name, metadata=metadata, **gates, **spec)
        del made["metadata"]["uid"]
        return self.api.add(PODS, made)

    def run(self, *names, node="n1", is_ready=True):
        """Let workers, all by default, be placed on a node, bound and, if so, ready."""
        for i, name in enumerate(names or self.names()):

            def bind(obj, address=f"10.0.0.{i + 1}"):
                obj["metadata"]["annotations"][GPU_IDS] = "GPU-1"
                obj["spec"] |= {"nodeName": node, "nodeSelector": {HOSTNAME: node}}
                obj["spec"].pop("schedulingGates", None)
                obj["status"] = self._status("Running", is_ready=is_ready) | {"podIP": address}

            self.api.edit(PODS, TEAM, name, bind)

    def fail(self, *names):
        """Let workers end with an error now."""

        def end(obj):
            started = obj["status"].get("startTime")
            obj["status"] = self._status("Failed", is_ready=False)
            obj["status"] |= {"startTime": started} if started else {}

        for name in names:
            self.api.edit(PODS, TEAM, name, end)

    def end_deleted(self):
        """Let the kubelet end the pods that are deleted."""
        for each in self.api.all(PODS, TEAM):
            if "deletionTimestamp" in each["metadata"]:
                self.api.remove(PODS, TEAM, each["metadata"]["name"])

    def set_spec(self, **spec):
        """Let a user change the workload."""
        self.api.merge_patch(WORKLOADS, NAME, {"spec": spec}, TEAM)

    def set_pool(self, **worker):
        """Let an administrator change the worker component of the pool."""
        self.api.merge_patch(POOLS, "pool", {"spec": {"componentConfig": {"worker": worker}}})

    def _status(self, phase, *, is_ready):
        now = time_text(self.box.clock.now_s())
        ready = {"type": "Ready", "status": str(is_ready), "lastTransitionTime": now}
        return {"phase": phase, "startTime": now, "conditions": [ready]}

    def _admitted(self, resource, obj):
        if resource != PODS or not self.is_webhook_in_force:
            return obj
        snapshot = MemorySnapshot(
            objects=(*self.api.all(POOLS), *self.api.all(WORKLOADS)),
            installation=Installation(limiter_image="limiter:1", has_standalone_workers=True),
        )
        admission = admit(PodRequest(pod=obj, namespace=TEAM), snapshot)
        if admission.error:
            raise InvalidError(f"admission webhook denied the request: {admission.error}")
        return patched(obj, admission)
