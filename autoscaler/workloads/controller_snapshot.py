"""The controller at one moment, for its metrics."""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.workloads.books.books_snapshot import BooksSnapshot
from autoscaler.workloads.counts import ControllerCountsSnapshot
from autoscaler.workloads.placement.placement_problems import WaitingSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSnapshot:
    """What it has done, what is held, and who waits."""

    counts: ControllerCountsSnapshot
    books: BooksSnapshot
    waiting: WaitingSnapshot
