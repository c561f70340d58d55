"""What a node lacks for a pod, against the word of the real scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from autoscaler.kube.resource import NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS
from autoscaler.kube.store import Store
from autoscaler.workloads.nodes.node_books import NodeBooks
from autoscaler.workloads.nodes.node_fit import misfit
from autoscaler.workloads.nodes.node_needs import needs_of
from autoscaler.workloads.nodes.volumes import volume_terms
from tests.cluster.control_plane import ControlPlane
from tests.cluster.node_fit_cases import CASES, Case, asks, node_of, term
from tests.cluster.nodes import add_node, remove_node
from tests.cluster.pods import pod
from tests.cluster.rest import MERGE_PATCH, Rest
from tests.components.processes import until

SPACE = "node-fit"
CASE = "example.com/case"
LAST = "last"
BOUND = {"pv.kubernetes.io/bind-completed": "yes"}


class Room:
    """The nodes of all cases, and the scheduler's word on each."""

    def __init__(self, plane: ControlPlane, rest: Rest) -> None:
        self._plane = plane
        self._rest = rest
        self._others: dict[str, list[dict[str, Any]]] = {}
        self._pods: dict[str, dict[str, Any]] = {}

    def add_node(self, name: str, case: Case) -> None:
        words = {**case.node, "labels": {CASE: name, **case.node.get("labels", {})}}
        add_node(self._plane, node_of(name), **words)
        if case.node_spec:
            path = NODES.path(name=node_of(name))
            self._rest.request("PATCH", path, {"spec": case.node_spec}, content_type=MERGE_PATCH)

    def add_others(self, name: str, case: Case) -> None:
        self._others[name] = []
        for number, container in enumerate(case.others):
            other = pod(f"{name}-{number}", container=container, nodeName=node_of(name))
            made = self._rest.request("POST", PODS.path(SPACE), other)
            if case.has_ended:
                path = f"{PODS.path(SPACE, made['metadata']['name'])}/status"
                ended = {"status": {"phase": "Succeeded"}}
                made = self._rest.request("PATCH", path, ended, content_type=MERGE_PATCH)
            self._others[name].append(made)

    def add_volume(self, name: str, zone: str) -> None:
        claim = self._rest.request("POST", PERSISTENT_VOLUME_CLAIMS.path(SPACE), claim_of(name))
        volume = volume_of(name, zone, uid=claim["metadata"]["uid"])
        self._rest.request("POST", PERSISTENT_VOLUMES.path(), volume)

    def ask(self, name: str, case: Case) -> None:
        spec = dict(case.spec)
        if case.volume_zone:
            claim = {"name": "data", "persistentVolumeClaim": {"claimName": name}}
            spec["volumes"] = [claim]
        asking = pod(name, container=case.container, nodeSelector={CASE: name}, **spec)
        self._pods[name] = self._rest.request("POST", PODS.path(SPACE), asking)

    def is_scheduled(self, name: str) -> bool | None:
        """Return the scheduler's word; None while it has said nothing."""
        found = self._rest.get(PODS.path(SPACE, name))
        for condition in found.get("status", {}).get("conditions", ()):
            if condition["type"] == "PodScheduled":
                return bool(condition["status"] == "True")
        return None

    def misfit(self, name: str) -> str:
        """Return our word of the same pod and node."""
        books = NodeBooks()
        for other in self._others[name]:
            books.observe(other)
        node = self._rest.get(NODES.path(name=node_of(name)))
        asking = self._pods[name]
        needs = needs_of(asking, volume_terms(asking, Volumes(self._rest)))
        return misfit(needs, node, books.taken(node_of(name)))


class Volumes:
    """Claims and volumes as the API server has them."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def store(self, resource: Any) -> Store:
        store = Store()
        for each in self._rest.get(resource.path(SPACE))["items"]:
            store.put(each)
        return store


def claim_of(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "annotations": BOUND},
        "spec": {
            "volumeName": node_of(name),
            "storageClassName": "",
            "accessModes": ["ReadWriteOnce"],
            **asks(storage="1Gi"),
        },
    }


def volume_of(name: str, zone: str, *, uid: str) -> dict[str, Any]:
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": SPACE, "name": name}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": node_of(name)},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "claimRef": {**claim, "uid": uid},
            "local": {"path": "/data"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term("zone", "In", zone)]}},
        },
    }


@pytest.fixture(scope="module")
def room(control_plane: ControlPlane) -> Iterator[Room]:
    """Ask the scheduler about the pods of all cases at once."""
    with ExitStack() as stack:
        rest = stack.enter_context(closing(Rest(control_plane)))
        rest.request("POST", "/api/v1/namespaces", {"metadata": {"name": SPACE}})
        stack.callback(rest.request, "DELETE", f"/api/v1/namespaces/{SPACE}")
        room = Room(control_plane, rest)
        for name, case in {**CASES, LAST: Case(fits=True)}.items():
            room.add_node(name, case)
            stack.callback(remove_node, control_plane, node_of(name))
            room.add_others(name, case)
            if case.volume_zone:
                room.add_volume(name, case.volume_zone)
                path = PERSISTENT_VOLUMES.path(name=node_of(name))
                stack.callback(rest.request, "DELETE", path)
        room.ask(LAST, Case(fits=True))
        # Who has placed this one has seen all nodes, and all pods that were there before it.
        until(lambda: room.is_scheduled(LAST), what="the scheduler knows all nodes")
        for name, case in CASES.items():
            room.ask(name, case)
        yield room


@pytest.mark.parametrize("name", CASES)
def test_a_node_will_do_just_where_the_scheduler_says_so(room: Room, name: str) -> None:
    fits = CASES[name].fits
    # Where it has not seen a volume yet it says no at first.
    until(lambda: room.is_scheduled(name) is fits, what=f"the scheduler says {fits}")
    assert fits == (not room.misfit(name)), room.misfit(name)
