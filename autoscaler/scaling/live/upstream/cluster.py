"""A cluster whose workers belong to an upstream operator: decisions are answers to its questions.

Nothing is written.  The operator asks for each workload in its own time, caps what it is told by
the room of its GPUs and applies it; the next snapshot shows what came of it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from autoscaler.api.control import ProcessMode
from autoscaler.scaling.cluster import Outcome, amounts
from autoscaler.scaling.live.upstream.published import Publishing, Turns
from autoscaler.scaling.live.upstream.replies import (
    NOT_DECIDING,
    RECOMMENDED_ONLY,
    permitted,
    reply_to,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from autoscaler.scaling.cluster import Change, WorkloadView
    from autoscaler.scaling.external.protocol import Question, Reply
    from autoscaler.scaling.live.upstream.published import Published
    from autoscaler.scaling.live.upstream.views import UpstreamViews
    from autoscaler.scaling.loop import Tick

FRESH_S = 120.0
"""Without a tick for so long, nothing is asked for."""
NO_REPLICAS = "an upstream operator is asked for amounts only"
PUBLISHED_ALREADY = "published already; the operator has not applied it yet"


class UpstreamCluster:
    """``Cluster`` beside an upstream operator; ``answer`` may be called by any thread."""

    def __init__(
        self,
        views: UpstreamViews,
        *,
        fresh_s: float = FRESH_S,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._views = views
        self._publishing = Publishing()
        self._fresh_s = fresh_s
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], list[WorkloadView]] = {}
        self._ticked_s: float | None = None

    def snapshot(self) -> Sequence[WorkloadView]:
        """Return all workloads that have running workers."""
        return [self._with_start(view) for view in self._views.snapshot()]

    def reread(self, keys: Sequence[tuple[str, str]]) -> Sequence[WorkloadView]:
        """Return some workloads as they are at this moment."""
        return [self._with_start(view) for view in self._views.of(keys)]

    def apply(self, changes: Sequence[Change]) -> Sequence[Outcome]:
        """Publish amounts for the operator to ask for; replicas are refused."""
        return [self._publish(change) for change in changes]

    def show(self, tick: Tick) -> None:
        """Withdraw what a tick has not asked for again, and answer from what it saw.

        A tick that could decide nothing leaves everything as it was, for a while.
        """
        if tick.observed is None or tick.decisions is None:
            return
        applied = () if tick.applied is None else tick.applied.outcomes
        rows = {(*view.key, view.gpu_model): row for row, view in enumerate(tick.views)}
        turns = Turns(tick.observed.observation.resources, tick.decisions)
        self._publishing.keep([outcome.change for _, outcome in applied], rows, turns)
        known: dict[tuple[str, str], list[WorkloadView]] = {}
        for view in tick.views:
            known.setdefault(view.key, []).append(view)
        with self._lock:
            self._known = known
            self._ticked_s = self._monotonic_s()

    def answer(self, question: Question) -> Reply:
        """Return what the operator is told of one workload.

        A pause counts from the next tick, and so does a layer that is enrolled no more.
        """
        with self._lock:
            views, ticked_s = (
                self._known.get((question.namespace, question.workload), []),
                (self._ticked_s),
            )
        if ticked_s is None or self._monotonic_s() - ticked_s > self._fresh_s:
            return NOT_DECIDING
        if self._views.control().mode is not ProcessMode.APPLY:
            return RECOMMENDED_ONLY
        published = [permitted(self._published_for(view), view) for view in views]
        return reply_to(question, views, published)

    def _published_for(self, view: WorkloadView) -> Published:
        return self._publishing.of_row((*view.key, view.gpu_model))

    def _publish(self, change: Change) -> Outcome:
        if change.replicas is not None:
            return Outcome(change=change, applied=False, reason=NO_REPLICAS)
        if self._publishing.publish(change):
            return Outcome(change=change, applied=True)
        return Outcome(change=change, applied=False, reason=PUBLISHED_ALREADY)

    def _with_start(self, view: WorkloadView) -> WorkloadView:
        """Show what starting workers were to get: it is decided once, and not each tick anew."""
        published = self._published_for(view)
        if not published.start_request and not published.start_limit:
            return view
        return replace(
            view,
            start_request=amounts({**view.start_request, **published.start_request}),
            start_limit=amounts({**view.start_limit, **published.start_limit}),
        )
