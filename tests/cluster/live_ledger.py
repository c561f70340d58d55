"""All that was ever stated for workloads of a namespace, and in force in their workers.

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

Statement = Mapping[str, Any]
"""``status.desiredResources`` of a workload."""
PARTS = ("requests", "limits", "nextStart", "byGPUModel")


class Ledger:
    """Follows a namespace within a ``with`` block; safe for several threads."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self._lock = Lock()
        self._namespace = namespace
        self._statements: defaultdict[tuple[str, str], list[Statement]] = defaultdict(list)
        self._amounts: defaultdict[tuple[str, str], list[Amounts]] = defaultdict(list)
        self._replicas: defaultdict[str, list[int]] = defaultdict(list)
        self._api = ApiServer.from_environment(
            kubeconfig=plane.admin_kubeconfig, user_agent="ledger"
        )
        self._reflectors = [
            self._following(WORKLOADS, self._see_workload),
            self._following(PODS, self._see_pod, f"{COMPONENT}={Component.WORKER}"),
            self._following(DEPLOYMENTS, self._see_deployment),
        ]

    @property
    def statements(self) -> dict[tuple[str, str], list[Statement]]:
        """Return what was stated for each workload, by its name and UID, the oldest first."""
        with self._lock:
            return {key: list(stated) for key, stated in self._statements.items()}

    @property
    def all_amounts(self) -> dict[tuple[str, str], list[Amounts]]:
        """Return what each worker had in force, by its workload and its name, the oldest first."""
        with self._lock:
            return {key: list(amounts) for key, amounts in self._amounts.items()}

    def amounts(self, workload: str) -> list[Amounts]:
        """Return what workers of a workload had in force."""
        found = self.all_amounts.items()
        return [each for (name, _), seen in found if name == workload for each in seen]

    def replicas(self, deployment: str) -> list[int]:
        """Return how many replicas a Deployment asked for, the oldest first."""
        with self._lock:
            return list(self._replicas[deployment])

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

        reflector = Reflector(
            self._api, resource, namespace=self._namespace, label_selector=selector
        )
        reflector.store.on_change(on_change)
        return reflector

    def _see_workload(self, workload: Mapping[str, Any]) -> None:
        metadata = workload["metadata"]
        stated = (workload.get("status") or {}).get("desiredResources")
        if stated:
            _append(self._statements[metadata["name"], metadata["uid"]], stated)

    def _see_pod(self, pod: Mapping[str, Any]) -> None:
        metadata = pod["metadata"]
        workload = metadata["labels"].get(WORKLOAD_LABEL, "")
        _append(self._amounts[workload, metadata["name"]], amounts_of(pod))

    def _see_deployment(self, deployment: Mapping[str, Any]) -> None:
        name = deployment["metadata"]["name"]
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
