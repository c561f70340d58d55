"""A connection for each client of worker pods: which worker serves it, and under which address.

The connection has the name of its client, goes with it, and is of that very pod: one that a pod of
the same name left behind is waited out.
"""

from __future__ import annotations

from collections import Counter
from threading import Lock
from typing import Any

from autoscaler.api.names import WORKLOAD_LABEL
from autoscaler.kube.lanes import Priority
from autoscaler.kube.resource import CONNECTIONS, PODS, WORKLOADS
from autoscaler.kube.store import Change, Object, key_of
from autoscaler.workloads.connections.client_pin import (
    host_of,
    is_bound,
    is_pinned_to_worker,
    pin_patch,
)
from autoscaler.workloads.connections.connection_status import STATUS_OWNER, connection_status
from autoscaler.workloads.connections.worker_choice import Candidate, choose_worker
from autoscaler.workloads.pod_state import is_client, is_live, is_serving
from autoscaler.workloads.tools import Tools
from autoscaler.workloads.work import WorkKey, WorkKind
from autoscaler.workloads.worker_pods.worker_identity import is_made_for
from autoscaler.workloads.worker_pods.worker_plan import shared_replicas

LEFT_BEHIND_S = 5.0
"""When to look again for a connection that a pod of the same name left behind."""


class Connections:
    """Keeps the connections of clients; thread-safe, one thread for one client at a time."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._lock = Lock()
        self._chosen: dict[str, str] = {}
        """UID of clients to the worker that was chosen and that the cache does not show yet."""
        tools.cluster.store(PODS).on_change(self._pod_changed)
        tools.cluster.store(CONNECTIONS).on_change(self._connection_changed)

    def reconcile(self, namespace: str, name: str) -> None:
        """Look at the client of a name: its connection, its worker, and where it may start.

        Raises a ``KubeError``.
        """
        client = self._tools.cluster.store(PODS).get(namespace, name)
        if client is None or not is_client(client) or not is_live(client):
            return
        connection = self._tools.cluster.store(CONNECTIONS).get(namespace, name)
        if connection is None:
            wanted = connection_of(client)
            connection = self._tools.writer.write(lambda api: api.create(CONNECTIONS, wanted))
        if not is_of(connection, client):
            key = WorkKey(WorkKind.CONNECTION, namespace, name)
            self._tools.work.add_after(key, LEFT_BEHIND_S, Priority.STATUS)
            return
        worker = self._worker_for(client)
        status = connection_status(connection, worker, now_s=self._tools.clock.now_s())
        self._tools.writer.write_status(CONNECTIONS, connection, status, STATUS_OWNER)
        patch = pin_patch(client, worker) if worker and is_pinned_to_worker(client) else None
        if patch is not None:
            self._tools.writer.write(lambda api: api.strategic_patch(PODS, name, patch, namespace))

    def _worker_for(self, client: Object) -> Object | None:
        """Return the worker of a client, chosen and noted at once, so that no other choice errs."""
        namespace, _ = key_of(client)
        name = _workload_name(client)
        workload = self._tools.cluster.store(WORKLOADS).get(namespace, name)
        if workload is None:
            return None
        pods = self._tools.cluster.pods_of_workload(namespace, name)
        workers = {pod["metadata"]["name"]: pod for pod in pods if is_made_for(pod, workload)}
        is_shared = shared_replicas(workload, pods) is not None
        uid = client["metadata"]["uid"]
        with self._lock:
            counts = Counter(self._present(pod) for pod in pods if _is_other(pod, client))
            candidates = [
                Candidate(
                    name=each,
                    stays=is_live(worker),
                    is_open=_may_serve(worker, client),
                    clients=counts[each],
                )
                for each, worker in workers.items()
            ]
            chosen = choose_worker(
                candidates, self._present(client), most_clients=None if is_shared else 1
            )
            if chosen is None or chosen == self._shown(client):
                self._chosen.pop(uid, None)
            else:
                self._chosen[uid] = chosen
        return None if chosen is None else workers[chosen]

    def _present(self, client: Object) -> str:
        """Return the worker that a client has; empty: none."""
        return self._chosen.get(client["metadata"]["uid"]) or self._shown(client)

    def _shown(self, client: Object) -> str:
        """Return the worker of a client that the cache shows; empty: none."""
        connection = self._tools.cluster.store(CONNECTIONS).get(*key_of(client))
        if connection is None or not is_of(connection, client):
            return ""
        return str((connection.get("status") or {}).get("workerName") or "")

    def _pod_changed(self, change: Change) -> None:
        if change.new is None:
            with self._lock:
                self._chosen.pop(change.obj["metadata"].get("uid"), None)

    def _connection_changed(self, change: Change) -> None:
        client = self._tools.cluster.store(PODS).get(*key_of(change.obj))
        if client is None:
            return
        uid = client["metadata"]["uid"]
        with self._lock:
            if uid in self._chosen and self._chosen[uid] == self._shown(client):
                del self._chosen[uid]


def connection_of(client: Object) -> dict[str, Any]:
    """Return the connection of a client, to be created."""
    metadata = client["metadata"]
    workload = _workload_name(client)
    return {
        "apiVersion": CONNECTIONS.api_version,
        "kind": CONNECTIONS.kind,
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": {WORKLOAD_LABEL: workload},
            "ownerReferences": [
                {
                    "apiVersion": PODS.api_version,
                    "kind": PODS.kind,
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "spec": {"workloadName": workload, "clientPod": metadata["name"]},
    }


def is_of(connection: Object, client: Object) -> bool:
    """Return whether a connection is of this very pod, not of one that had its name."""
    owners = connection["metadata"].get("ownerReferences") or ()
    pods = [each.get("uid") for each in owners if each.get("kind") == PODS.kind]
    return client["metadata"]["uid"] in pods


def _workload_name(pod: Object) -> str:
    return str((pod["metadata"].get("labels") or {}).get(WORKLOAD_LABEL) or "")


def _is_other(pod: Object, client: Object) -> bool:
    return is_client(pod) and pod["metadata"]["uid"] != client["metadata"]["uid"]


def _may_serve(worker: Object, client: Object) -> bool:
    if not is_pinned_to_worker(client):
        return is_serving(worker)
    return is_bound(worker) and host_of(client) in {"", host_of(worker)}
