"""What every reconciler works with, put together once by the process."""

from __future__ import annotations

from dataclasses import dataclass, field

from autoscaler.clock import Clock
from autoscaler.kube.event_recorder import EventRecorder
from autoscaler.kube.writer import Writer
from autoscaler.workloads.books.books import Books
from autoscaler.workloads.books.nominations import Nominations
from autoscaler.workloads.cluster import Cluster
from autoscaler.workloads.counts import ControllerCounts
from autoscaler.workloads.rules import ControllerRules
from autoscaler.workloads.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """One controller's."""

    cluster: Cluster
    books: Books
    writer: Writer
    events: EventRecorder
    work: Work
    counts: ControllerCounts
    clock: Clock
    rules: ControllerRules
    nominations: Nominations = field(default_factory=Nominations)
