"""All that was ever stated for workloads, and in force in their workers, from event to event.

The API server tells of every state of every object in its order, so that nothing is missed but what
happens while it is down.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from threading import Lock
from types import TracebackType
from typing import Any, Self

from autoscaler.api.names import COMPONENT, WORKLOAD_LABEL, Component
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.reflector import Reflector
from autoscaler.kube.resource import DEPLOYMENTS, PODS, WORKLOADS, Resource
from autoscaler.kube.store import Change
from tests.cluster.control_plane import ControlPlane
from tests.cluster.live_workloads import Amounts, amounts_of
from tests.components.processes import until

Name = tuple[str, str]
"""Namespace and name."""
Statement = Mapping[str, Any]
"""``status.desiredResources`` of a workload."""
PARTS = ("requests", "limits", "nextStart", "byGPUModel")


class Ledger:
    """Follows a cluster within a ``with`` block; safe for several threads."""

    def __init__(self, plane: ControlPlane) -> None:
        self._lock = Lock()
        self._statements: defaultdict[tuple[Name, str], list[Statement]] = defaultdict(list)
        self._amounts: defaultdict[tuple[Name, str], list[Amounts]] = defaultdict(list)
        self._replicas: defaultdict[Name, list[int]] = defaultdict(list)
        self._api = ApiServer.from_environment(
            kubeconfig=plane.admin_kubeconfig, user_agent="ledger"
        )
        self._reflectors = [
            self._following(WORKLOADS, self._see_workload),
            self._following(PODS, self._see_pod, f"{COMPONENT}={Component.WORKER}"),
            self._following(DEPLOYMENTS, self._see_deployment),
        ]

    def statements(self, namespace: str, workload: str) -> list[Statement]:
        """Return what was stated for a workload, also for earlier ones of its name."""
        with self._lock:
            return [
                each
                for (name, _), stated in self._statements.items()
                if name == (namespace, workload)
                for each in stated
            ]

    @property
    def all_statements(self) -> dict[tuple[Name, str], list[Statement]]:
        """Return what was stated for each workload, by its name and UID, the oldest first."""
        with self._lock:
            return {key: list(stated) for key, stated in self._statements.items()}

    @property
    def all_amounts(self) -> dict[tuple[Name, str], list[Amounts]]:
        """Return what each worker had in force, by its workload and its name, the oldest first."""
        with self._lock:
            return {key: list(amounts) for key, amounts in self._amounts.items()}

    def amounts(self, namespace: str, workload: str) -> list[Amounts]:
        """Return what workers of a workload had in force."""
        return [
            each
            for (name, _), seen in self.all_amounts.items()
            if name == (namespace, workload)
            for each in seen
        ]

    def replicas(self, namespace: str, deployment: str) -> list[int]:
        """Return how many replicas a Deployment asked for, the oldest first."""
        with self._lock:
            return list(self._replicas[namespace, deployment])

    def __enter__(self) -> Self:
        for reflector in self._reflectors:
            reflector.start()
        for reflector in self._reflectors:
            until(lambda each=reflector: each.has_synced, what="the ledger has seen all")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with ExitStack() as stack:
            stack.callback(self._api.close)
            for reflector in self._reflectors:
                stack.callback(reflector.stop)

    def _following(self, resource: Resource, see: Any, selector: str = "") -> Reflector:
        def on_change(change: Change) -> None:
            if change.new is not None:
                with self._lock:
                    see(change.new)

        reflector = Reflector(self._api, resource, label_selector=selector)
        reflector.store.on_change(on_change)
        return reflector

    def _see_workload(self, workload: Mapping[str, Any]) -> None:
        metadata = workload["metadata"]
        stated = (workload.get("status") or {}).get("desiredResources")
        if stated:
            key = (metadata["namespace"], metadata["name"]), metadata["uid"]
            _append(self._statements[key], stated)

    def _see_pod(self, pod: Mapping[str, Any]) -> None:
        metadata = pod["metadata"]
        workload = metadata["labels"].get(WORKLOAD_LABEL, "")
        key = (metadata["namespace"], workload), metadata["name"]
        _append(self._amounts[key], amounts_of(dict(pod)))

    def _see_deployment(self, deployment: Mapping[str, Any]) -> None:
        metadata = deployment["metadata"]
        name = metadata["namespace"], metadata["name"]
        _append(self._replicas[name], deployment["spec"]["replicas"])


def said_by(statement: Statement) -> dict[str, Any]:
    """Return the amounts of a statement, without when and by whom it was made."""
    return {part: statement[part] for part in PARTS if part in statement}


def turn_of(statement: Statement) -> tuple[int, int]:
    """Return what orders statements: epoch and sequence."""
    return statement["epoch"], statement["sequence"]


def _append(seen: list[Any], item: Any) -> None:
    """Note what differs from what was there before."""
    if not seen or seen[-1] != item:
        seen.append(item)
