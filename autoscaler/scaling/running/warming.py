"""Warming: the history is read beside the loop, which meanwhile acts on the last minutes.

Two weeks of a large fleet take minutes to read, and a worker that is refused memory must not wait
for them.  So the loop ticks at once on a usage model of its own that knows the last minutes, and
only raises; a second model is filled by a client of its own, and takes the first one's place when
it has caught up.  What was decided and recorded meanwhile stays.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING

from autoscaler.errors import SourceError
from autoscaler.scaling.collect.collecting import CollectionError, Collector, Position
from autoscaler.sources.watched import WatchedSource

if TYPE_CHECKING:
    from autoscaler.clock import Clock
    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.sources.source import MetricsSource
    from recommender.usage.model import UsageModel

CAUGHT_UP_S = 60
"""What came during the last read is read by the loop itself once it took no longer than this."""
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 60.0
LOOK_S = 0.1
_log = logging.getLogger(__name__)

OpenSource = Callable[[], AbstractContextManager["MetricsSource"]]
"""Opens a source for the thread of the history, which closes it."""


@dataclass(frozen=True, slots=True)
class Warmed:
    """A usage model that knows the history, and up to where it was read."""

    model: UsageModel
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is to be read: since ``since_s`` (UTC seconds), or on from where a state ended."""

    since_s: int
    model: UsageModel
    position: Position | None = None
    """None: nothing of it was read yet."""


class Warming:
    """Reads a history in a thread of its own, between ``start`` and its end or ``stop``."""

    def __init__(
        self, history: History, open_source: OpenSource, clock: Clock, *, step_s: int
    ) -> None:
        self._history = history
        self._open_source = open_source
        self._clock = clock
        self._step_s = step_s
        self._views: Sequence[WorkloadView] | None = None
        self._stopping = Event()
        self._progress_ratio = 0.0
        self._warmed: Warmed | None = None
        self._last_error = ""
        self._thread = Thread(target=self._run, name="warming", daemon=True)

    @property
    def progress_ratio(self) -> float:
        """Return how much of the history was read, 0 to 1."""
        return self._progress_ratio

    @property
    def is_alive(self) -> bool:
        """Return whether it still reads."""
        return self._thread.is_alive()

    def see(self, views: Sequence[WorkloadView]) -> None:
        """Tell what the fleet is now; nothing is read before that is known."""
        self._views = views

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self, within_s: float) -> None:
        """Read nothing more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(within_s)

    def result(self) -> Warmed | None:
        """Return the filled model; None while it is read, and where it was taken before."""
        warmed = self._warmed
        if warmed is not None:
            # Only then: its thread may fill it between the two.
            self._warmed = None
        return warmed

    def _run(self) -> None:
        with self._open_source() as source:
            collector = self._collector(source)
            retry_s = FIRST_RETRY_S
            while self._wait_for_views():
                begin_s = self._clock.now_s()
                if not self._collect(collector, begin_s):
                    self._stopping.wait(retry_s)
                    retry_s = min(2 * retry_s, LONGEST_RETRY_S)
                elif self._clock.now_s() - begin_s <= CAUGHT_UP_S:
                    self._progress_ratio = 1.0
                    self._warmed = Warmed(self._history.model, collector.position())
                    return

    def _collector(self, source: MetricsSource) -> Collector:
        history = self._history
        watched = WatchedSource(source, history.since_s, self._clock.now_s(), self._advance)
        collector = Collector(watched, history.model, step_s=self._step_s)
        if history.position is None:
            collector.want(history.since_s)
        else:
            collector.resume(history.position)
        return collector

    def _wait_for_views(self) -> bool:
        """Wait until the fleet is known, or this is to end; return whether to go on."""
        while self._views is None and not self._stopping.is_set():
            self._stopping.wait(LOOK_S)
        return not self._stopping.is_set()

    def _collect(self, collector: Collector, now_s: int) -> bool:
        """Read up to now; return whether all amounts were read.

        What is joined to them may fail: the loop goes on without it too.
        """
        collector.see(self._views or ())
        try:
            collector.collect(now_s)
        except CollectionError as error:
            amounts = {resource.name for resource in self._history.model.resources}
            if amounts & error.collected.errors.keys():
                self._tell(error)
                return False
        except SourceError as error:
            self._tell(error)
            return False
        except Exception as error:  # noqa: BLE001 - ended, only raises would pass for ever
            self._tell(error, is_defect=True)
            return False
        return True

    def _advance(self, done_ratio: float) -> None:
        self._progress_ratio = max(self._progress_ratio, min(done_ratio, 1.0))

    def _tell(self, error: Exception, *, is_defect: bool = False) -> None:
        if str(error) == self._last_error:
            return
        self._last_error = str(error)
        what = "a defect" if is_defect else "it is read on from there"
        _log.warning("the history cannot be read, %s: %s", what, error, exc_info=is_defect)
