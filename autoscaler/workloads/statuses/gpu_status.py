"""What the controller says of each GPU: its pool, whether it is ours, what is free, who runs there.

The agent that makes the object knows neither pools nor reserved UUIDs, so that ``usedBy`` is said
here.  All else of a GPU's status is the agent's.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from autoscaler.api.names import POOL_LABEL, FieldManager
from autoscaler.kube.lanes import Priority
from autoscaler.kube.resource import GPUS, NODES, POOLS
from autoscaler.kube.status_apply import StatusOwner, is_new
from autoscaler.kube.store import Object
from autoscaler.workloads.books.claim import Claim
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.books.inventory import card_of, node_of, pool_of_node, used_by
from autoscaler.workloads.pace import EVERY_S, Pace
from autoscaler.workloads.tools import Tools
from autoscaler.workloads.work import WorkKey, WorkKind

OWNER = StatusOwner(
    field_manager=FieldManager.CONTROLLER,
    fields=frozenset({"available", "runningApps", "usedBy"}),
)


class GpuReconciler:
    """Writes pool label and status; thread-safe, one thread for one GPU at a time."""

    def __init__(self, tools: Tools, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._tools = tools
        self._pace = Pace(monotonic_s=monotonic_s)

    def reconcile(self, _namespace: str, name: str) -> None:
        """Bring one GPU to what is known of it.  Raises ``KubeError``."""
        gpu = self._tools.cluster.store(GPUS).get(None, name)
        if gpu is None:
            self._pace.forget("", name)
            return
        node = self._tools.cluster.store(NODES).get(None, node_of(gpu))
        pools = self._tools.cluster.store(POOLS).items()
        pool = None if node is None else pool_of_node(node["metadata"].get("labels") or {}, pools)
        wanted = None if pool is None else pool["metadata"]["name"]
        if (gpu["metadata"].get("labels") or {}).get(POOL_LABEL) != wanted:
            self._label(gpu, wanted)
            return
        self._write_status(gpu, gpu_status(gpu, node, pool, self._tools))

    def _label(self, gpu: Object, pool: str | None) -> None:
        """Set the label of a GPU, or remove it; its new version brings it here again."""
        metadata = gpu["metadata"]
        patch = {
            "metadata": {
                "resourceVersion": metadata["resourceVersion"],
                "labels": {POOL_LABEL: pool},
            }
        }
        self._tools.writer.write(
            lambda api: api.merge_patch(GPUS, metadata["name"], patch), is_urgent=False
        )

    def _write_status(self, gpu: Object, status: dict[str, Any]) -> None:
        name = gpu["metadata"]["name"]
        if not is_new(gpu, status, OWNER):
            return
        left_s = self._pace.left_s("", name)
        if left_s:
            self._tools.work.add_after(WorkKey(WorkKind.GPU, "", name), left_s, Priority.STATUS)
            return
        self._tools.writer.write_status(GPUS, gpu, status, OWNER)
        pool = (gpu["metadata"].get("labels") or {}).get(POOL_LABEL)
        if pool:
            self._tools.work.add_after(WorkKey(WorkKind.POOL, "", pool), EVERY_S, Priority.STATUS)


def gpu_status(
    gpu: Object, node: Object | None, pool: Object | None, tools: Tools
) -> dict[str, Any]:
    """Return the controller's part of the status of a GPU."""
    card = card_of(gpu, node, pool)
    free = card.allocatable - tools.books.used(card.name)
    apps = running_apps(tools.books.claims_on(card.name))
    return {
        "available": free.at_least(GpuAmounts()).as_mapping(),
        "usedBy": used_by(gpu, node, pool),
        **({"runningApps": apps} if apps else {}),
    }


def running_apps(claims: Iterable[Claim]) -> list[dict[str, Any]]:
    """Return the workloads that these workers belong to, and the workers, by name."""
    by_workload: dict[tuple[str, str], list[Claim]] = defaultdict(list)
    for claim in claims:
        by_workload[claim.namespace, claim.workload].append(claim)
    return [
        {
            "namespace": namespace,
            "name": workload,
            "count": len(workers),
            "pods": [
                {"uid": worker.uid, "name": worker.pod}
                for worker in sorted(workers, key=lambda each: each.pod)
            ],
        }
        for (namespace, workload), workers in sorted(by_workload.items())
    ]
