"""The parts that write what the loop decides, put together: a cluster for it, and a showing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.kube.resource import WORKLOADS
from autoscaler.scaling.live.live_cluster import APPLY_WITHIN_S, LiveCluster
from autoscaler.scaling.live.replicas.scaling_replicas import ScalingReplicas
from autoscaler.scaling.live.showing.showing import Showing
from autoscaler.scaling.live.showing.taking_back import TakingBack
from autoscaler.scaling.live.writing.preparing import Numbering, Preparing
from autoscaler.scaling.live.writing.statement_writing import StatementWriting
from autoscaler.scaling.live.writing.statements import Statements
from autoscaler.scaling.live.writing.stating import WORKERS, Stating
from autoscaler.scaling.live.writing.telling import Telling

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from autoscaler.api.condition_reasons import ExternalReason
    from autoscaler.clock import Clock
    from autoscaler.kube.api_server import ApiServer
    from autoscaler.kube.event_recorder import EventRecorder
    from autoscaler.kube.writer import Writer
    from autoscaler.scaling.live.caches import LiveCaches
    from autoscaler.scaling.live.replicas.replica_guards import ReplicaGuards
    from autoscaler.scaling.live.replicas.scale_targets import ScaleTargets
    from autoscaler.scaling.live.showing.showing import Switches
    from autoscaler.scaling.live.viewing.views import LiveViews


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingParts:
    """Of one process; ``stating`` is to be started when it leads."""

    cluster: LiveCluster
    stating: Stating
    showing: Callable[[Switches, Callable[[], Sequence[str]]], Showing]
    """Returns what is to be called after each tick, for the loop whose switches are given; beside
    them what tells why their hold began."""


def writing_parts(
    api: ApiServer,
    *,
    caches: LiveCaches,
    views: LiveViews,
    targets: ScaleTargets,
    guards: ReplicaGuards,
    writer: Writer,
    events: EventRecorder,
    clock: Clock,
    epoch: Callable[[], int | None],
    external_state: Callable[[str], tuple[ExternalReason, str] | None],
    workers: int = WORKERS,
    apply_within_s: float = APPLY_WITHIN_S,
) -> WritingParts:
    """Return the parts.

    ``epoch`` is the term of this process as the leader, ``external_state`` how the external scaler
    of a workload does, by its UID.  ``guards`` are those that ``views`` ask.
    """
    telling, statements = Telling(events), Statements()
    numbering = Numbering(epoch=epoch, clock=clock)
    writing = StatementWriting(
        find=caches.workload,
        api=api,
        writer=writer,
        statements=statements,
        clock=clock,
        on_written=telling.written,
    )
    stating = Stating(writing, workers=workers)
    scaling = ScalingReplicas(
        api=api, writer=writer, targets=targets, guards=guards, on_scaled=telling.scaled
    )
    preparing = Preparing(
        views=views,
        find=caches.workload,
        statements=statements,
        scaling=scaling,
        guards=guards,
        numbering=numbering,
    )
    cluster = LiveCluster(
        views=views,
        find=caches.workload,
        workloads=caches.store(WORKLOADS).items,
        preparing=preparing,
        stating=stating,
        guards=guards,
        telling=telling,
        apply_within_s=apply_within_s,
    )
    taking_back = TakingBack(
        statements=statements, stating=stating, guards=guards, numbering=numbering
    )

    def showing(switches: Switches, hold_reasons: Callable[[], Sequence[str]]) -> Showing:
        return Showing(
            switches,
            notes=views,
            find=caches.workload,
            statements=statements,
            stating=stating,
            taking_back=taking_back,
            guards=guards,
            telling=telling,
            external_state=external_state,
            hold_reasons=hold_reasons,
        )

    return WritingParts(cluster=cluster, stating=stating, showing=showing)
