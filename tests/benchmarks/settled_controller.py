"""A controller in memory, of a large cluster in which nothing is left to do.

One node was looked after over an API server in memory; the caches of the large cluster hold copies
of it, and its API server refuses whatever is asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from autoscaler.api.names import CONTROL_CONFIG_MAP, PLACEMENT_GATE, FieldManager
from autoscaler.api.names import NAMESPACE as INSTALLATION
from autoscaler.clock import VirtualClock
from autoscaler.kube.event_recorder import EventRecorder
from autoscaler.kube.resource import (
    CONFIG_MAPS,
    GPUS,
    NODES,
    PODS,
    POOLS,
    STATEFUL_SETS,
    WORKLOADS,
    Resource,
)
from autoscaler.kube.write_budget import WriteBudget
from autoscaler.webhook.admission import PodRequest
from autoscaler.webhook.admit import admit
from autoscaler.workloads.parts import Parts, parts_of
from autoscaler.workloads.resync import all_keys
from autoscaler.workloads.rules import ControllerRules
from autoscaler.workloads.work import WorkKey
from tests.autoscaler.api_double import START_S, ApiDouble
from tests.autoscaler.webhook.asking import patched
from tests.autoscaler.webhook.clusters import APPLY, MemorySnapshot
from tests.autoscaler.workloads.toolbox import WorkDouble
from tests.benchmarks import gpu_cells
from tests.benchmarks.gpu_cells import (
    DECIDED,
    GPUS_OF_A_NODE,
    NAMESPACE,
    WORKERS_OF_A_NODE,
    Copying,
    pod_name,
)

COPIED = (NODES, GPUS, STATEFUL_SETS, PODS, WORKLOADS)
LATER_S = 3600.0
"""After everything was made, so that nothing is young."""
MOST_TURNS = 10


class DeafApi(ApiDouble):
    """Answers nothing: who asks is wrong."""

    def request(self, method, path, **_):
        raise AssertionError(f"{method} {path} was asked where nothing is left to do")


@dataclass(frozen=True, kw_only=True)
class InMemory:
    """A controller and what it works on."""

    api: ApiDouble
    parts: Parts
    work: WorkDouble

    def look(self, key: WorkKey) -> None:
        """Look at one object."""
        self.parts.reconcilers[key.kind](key.namespace, key.name)


def in_memory(api: ApiDouble) -> InMemory:
    """Return a controller that leads, over an API server in memory; nothing is in its caches."""
    clock, work = VirtualClock(START_S + LATER_S), WorkDouble()
    budget = WriteBudget(1e9)
    events = EventRecorder(api, controller="benchmark", instance="benchmark", budget=budget)
    parts = parts_of(
        api,
        work=work,
        rules=ControllerRules(),
        events=events,
        budget=budget,
        is_leader=lambda: True,
        clock=clock,
    )
    return InMemory(api=api, parts=parts, work=work)


def settled_node() -> InMemory:
    """Return a controller of one node that finds nothing left to do.

    Every turn is that of another controller, as after a restart.
    """
    api = ApiDouble()
    add_node(api)
    for turn in range(MOST_TURNS):
        controller = in_memory(api)
        api.show_in(controller.parts.tools.cluster)
        api.requests.clear()
        for key in dict.fromkeys(all_keys(controller.parts.tools.cluster)):
            controller.look(key)
        if not api.requests:
            return controller
        for number in range(WORKERS_OF_A_NODE):
            bind(api, pod_name(number))
        if not turn:
            decide(api)
    raise AssertionError(f"after {MOST_TURNS} turns something is written yet: {api.writes()}")


def add_node(api: ApiDouble) -> None:
    """Add a pool with one node, its GPUs, and pods that wait for them."""
    metadata = {"name": CONTROL_CONFIG_MAP, "namespace": INSTALLATION}
    api.add(CONFIG_MAPS, {"metadata": metadata, "data": {"mode": APPLY.mode}})
    api.add(POOLS, gpu_cells.pool())
    node = api.add(NODES, {**gpu_cells.node(0), "spec": {}})
    for number in range(GPUS_OF_A_NODE):
        api.add(GPUS, gpu_cells.gpu(number, node["metadata"]["uid"]))
    for number in range(WORKERS_OF_A_NODE):
        owner = api.add(STATEFUL_SETS, gpu_cells.stateful_set(number))
        api.add(PODS, admitted(gpu_cells.pod(number, owner["metadata"]["uid"]), owner))


def decide(api: ApiDouble) -> None:
    """Let the autoscaler decide for all workloads."""
    for workload in api.all(WORKLOADS):
        identity = {key: workload["metadata"][key] for key in ("name", "namespace")}
        api.apply(
            WORKLOADS,
            {"metadata": identity, "status": {"desiredResources": DECIDED}},
            field_manager=FieldManager.AUTOSCALER,
            subresource="status",
        )


def admitted(pod: dict[str, Any], *objects: dict[str, Any]) -> dict[str, Any]:
    """Return a pod as admission lets it in; ``objects`` are there beside the pool."""
    snapshot = MemorySnapshot(objects=(gpu_cells.pool(), *objects), control=APPLY)
    return patched(pod, admit(PodRequest(pod=pod, namespace=NAMESPACE), snapshot))


def bind(api: ApiDouble, name: str) -> None:
    """Let a pod run, once it has its GPUs."""

    def run(pod: dict[str, Any]) -> None:
        gates = pod["spec"].get("schedulingGates") or ()
        if all(each["name"] != PLACEMENT_GATE for each in gates):
            pod["spec"]["nodeName"] = gpu_cells.node_name(0)
            ready = {"type": "Ready", "status": "True"}
            pod["status"] = {"phase": "Running", "conditions": [ready]}

    api.edit(PODS, NAMESPACE, name, run)


def copies(original: InMemory, nodes: int) -> Callable[[], InMemory]:
    """Return what makes a controller whose caches hold so many copies of a node."""
    cluster = original.parts.tools.cluster
    stored = [
        (resource, obj["metadata"]["uid"], json.dumps(obj).encode())
        for resource in COPIED
        for obj in cluster.store(resource).sorted()
    ]
    copying = Copying(uid for _, uid, _ in stored)
    made: dict[Resource, list[Any]] = {
        POOLS: list(cluster.store(POOLS).items()),
        **{resource: [] for resource in COPIED},
    }
    versions = count(10**6)
    for number in range(nodes):
        for resource, _, text in stored:
            obj = json.loads(copying.copied(text, number))
            obj["metadata"]["resourceVersion"] = str(next(versions))
            made[resource].append(obj)

    def controller() -> InMemory:
        settled = in_memory(DeafApi())
        caches = settled.parts.tools.cluster
        caches.controls.replace(cluster.controls.items())
        for resource, objects in made.items():
            caches.store(resource).replace(objects)
        settled.work.keys()
        return settled

    return controller
