"""The parts of a controller, put together: who is told of what, and who looks at which kind."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.kube.writer import Writer
from autoscaler.workloads.adjusting.adjusting import Adjusting
from autoscaler.workloads.books.books import Books
from autoscaler.workloads.cluster import Cluster
from autoscaler.workloads.connections.connections import Connections
from autoscaler.workloads.counts import ControllerCounts
from autoscaler.workloads.generation.workload_reconciler import WorkloadReconciler
from autoscaler.workloads.nodes.node_books import NodeBooks
from autoscaler.workloads.placement.placing import Placing
from autoscaler.workloads.statuses.gpu_status import GpuReconciler
from autoscaler.workloads.statuses.pool_status import PoolReconciler
from autoscaler.workloads.statuses.quota_reconciler import QuotaReconciler
from autoscaler.workloads.tools import Tools
from autoscaler.workloads.watching import watch
from autoscaler.workloads.work import LeadersWork, Work, WorkKind
from autoscaler.workloads.worker_pods.worker_pods import WorkerPods

if TYPE_CHECKING:
    from autoscaler.clock import Clock
    from autoscaler.kube.api_server import ApiServer
    from autoscaler.kube.event_recorder import EventRecorder
    from autoscaler.kube.write_budget import WriteBudget
    from autoscaler.workloads.dispatch import Reconcile
    from autoscaler.workloads.rules import ControllerRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Of one controller."""

    tools: Tools
    placing: Placing
    connections: Connections
    reconcilers: Mapping[WorkKind, Reconcile]


def parts_of(
    api: ApiServer,
    *,
    work: Work,
    rules: ControllerRules,
    events: EventRecorder,
    budget: WriteBudget,
    is_leader: Callable[[], bool],
    clock: Clock,
    monotonic_s: Callable[[], float] = time.monotonic,
) -> Parts:
    """Return the parts; the caches are told to the books, and are yet to be started."""
    tools = Tools(
        cluster=Cluster(api, namespace=rules.namespace),
        books=Books(),
        writer=Writer(api, budget, is_leader=is_leader),
        events=events,
        work=LeadersWork(work, is_leader=is_leader),
        counts=ControllerCounts(),
        clock=clock,
        rules=rules,
    )
    node_books = NodeBooks()
    placing = Placing(tools, node_books, monotonic_s=monotonic_s)
    connections = Connections(tools)
    adjusting = Adjusting(tools)
    workloads = WorkloadReconciler(tools, adjusting, placing, WorkerPods(tools))
    watch(tools, node_books, waiting=placing, capped=adjusting)
    reconcilers: dict[WorkKind, Reconcile] = {
        WorkKind.POD: placing.reconcile,
        WorkKind.WORKLOAD: workloads.reconcile,
        WorkKind.GPU: GpuReconciler(tools, monotonic_s=monotonic_s).reconcile,
        WorkKind.POOL: PoolReconciler(tools, monotonic_s=monotonic_s).reconcile,
        WorkKind.QUOTA: QuotaReconciler(tools, monotonic_s=monotonic_s).reconcile,
        WorkKind.CONNECTION: connections.reconcile,
    }
    return Parts(
        tools=tools,
        placing=placing,
        connections=connections,
        reconcilers=MappingProxyType(reconcilers),
    )
