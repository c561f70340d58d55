"""Events for users of the cluster, which never stand in the way of the work that they tell of.

``record`` only notes; one thread writes, out of the write budget.  When too many wait, new ones are
dropped and counted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Thread
from typing import TYPE_CHECKING

from autoscaler.errors import (
    AlreadyExistsError,
    ApiUnavailableError,
    KubeError,
    NotFoundError,
    ThrottledError,
)
from autoscaler.kube.event import (
    EventType,
    Occurrence,
    Reference,
    event_object,
    namespace_of,
    series_of,
)
from autoscaler.kube.event_series import Series, SeriesBook
from autoscaler.kube.resource import EVENTS
from autoscaler.kube.write_budget import LONGEST_PAUSE_S

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer
    from autoscaler.kube.write_budget import WriteBudget

LARGEST_QUEUE = 1000
"""Events that wait to be written."""
RETRY_S = 5.0
"""After an answer that says to try later, where it does not say when."""
LOOK_S = 1.0
"""Between two looks for series that have ended, or for a write that the budget refused."""
TAKE_S = 1.0
"""How long one try to get a write out of the budget may take."""
_log = logging.getLogger("autoscaler.kube.events")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCounts:
    """The counts of a recorder at one moment, all but ``waiting`` since it was made."""

    recorded: int
    written: int
    """Requests that succeeded: new events and raised counts."""
    repeated: int
    """Occurrences that were counted in an event that was there."""
    dropped: int
    """Events for which there was no room, or no time at the end."""
    failed: int
    """Events and counts that the API server refused."""
    waiting: int
    last_error: str


class EventRecorder:
    """Records events from any thread, and writes them from one between ``start`` and ``stop``.

    ``controller`` is the reporting controller, ``instance`` the process.
    """

    def __init__(
        self,
        api: ApiServer,
        *,
        controller: str,
        instance: str,
        budget: WriteBudget,
        largest_queue: int = LARGEST_QUEUE,
        now_s: Callable[[], float] = time.time,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._controller = controller
        self._instance = instance
        self._budget = budget
        self._monotonic_s = monotonic_s
        self._changed = Condition()
        self._book = SeriesBook(largest_queue=largest_queue, now_s=now_s, monotonic_s=monotonic_s)
        self._resumes_s = monotonic_s()
        self._stops_s: float | None = None
        self._recorded = self._written = self._failed = 0
        self._last_error = ""
        self._thread = Thread(target=self._run, name="events", daemon=True)

    def record(
        self,
        regarding: Reference,
        *,
        reason: str,
        action: str,
        note: str,
        type: EventType = EventType.NORMAL,  # noqa: A002 - the field's own name
        related: Reference | None = None,
    ) -> None:
        """Note that something happened; returns at once and raises nothing.

        ``note`` may have 1024 bytes, the rest is cut; without times and ages in it, what happens
        again is counted and not told again.
        """
        occurrence = Occurrence(
            regarding=regarding,
            related=related,
            type=type,
            reason=reason,
            action=action,
            note=note,
        )
        with self._changed:
            self._recorded += 1
            self._book.note(occurrence)
            self._changed.notify()

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self, *, deadline_s: float = 2.0) -> None:
        """Write what waits, for at most ``deadline_s`` and one request, and end."""
        with self._changed:
            self._book.end_all()
            self._stops_s = self._monotonic_s() + deadline_s
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()
        with self._changed:
            self._book.drop_all()

    def snapshot(self) -> EventCounts:
        """Return the counts of this moment."""
        with self._changed:
            return EventCounts(
                recorded=self._recorded,
                written=self._written,
                repeated=self._book.repeated,
                dropped=self._book.dropped,
                failed=self._failed,
                waiting=self._book.waiting,
                last_error=self._last_error,
            )

    def write_due(self) -> None:
        """Write all that may be written now, as the thread does."""
        while self._is_due():
            self._write_next()

    def _run(self) -> None:
        while self._wait_until_due():
            self._write_next()

    def _is_due(self) -> bool:
        with self._changed:
            self._book.end_old()
            return self._book.waiting > 0 and self._monotonic_s() >= self._resumes_s

    def _wait_until_due(self) -> bool:
        """Wait for an event that may be written; False when the recorder is to end."""
        with self._changed:
            while not self._is_due():
                now_s = self._monotonic_s()
                wakes_s = now_s + LOOK_S
                if self._book.waiting:
                    wakes_s = min(wakes_s, self._resumes_s)
                if self._stops_s is not None:
                    if not self._book.waiting or now_s >= self._stops_s:
                        return False
                    wakes_s = min(wakes_s, self._stops_s)
                self._changed.wait(max(wakes_s - now_s, 0.0))
            return self._stops_s is None or self._monotonic_s() < self._stops_s

    def _write_next(self) -> None:
        if not self._budget.take(TAKE_S, is_urgent=False):
            self._pause(LOOK_S)
            return
        with self._changed:
            series = self._book.next()
            if series is None:
                return
            number, last_s = series.count, series.last_s
        try:
            with self._budget.observing():
                self._send(series, number, last_s)
        except (ThrottledError, ApiUnavailableError) as error:
            with self._changed:
                self._last_error = str(error)
                self._book.put_back(series)
            self._pause(min(error.retry_after_s or RETRY_S, LONGEST_PAUSE_S))
        except Exception as error:  # noqa: BLE001 - ended, the thread would write no event any more
            self._give_up(series, error)
        else:
            with self._changed:
                self._written += 1
                series.written = number

    def _pause(self, pause_s: float) -> None:
        with self._changed:
            self._resumes_s = self._monotonic_s() + pause_s

    def _send(self, series: Series, number: int, last_s: float) -> None:
        namespace = namespace_of(series.occurrence)
        if series.written:
            patch = series_of(count=number, last_s=last_s)
            self._api.merge_patch(EVENTS, series.name, patch, namespace)
            return
        event = event_object(
            series.occurrence,
            name=series.name,
            controller=self._controller,
            instance=self._instance,
            first_s=series.first_s,
            last_s=last_s,
            count=number,
        )
        try:
            self._api.create(EVENTS, event)
        except AlreadyExistsError:
            _log.debug("event %s was written before, and the answer got lost", series.name)

    def _give_up(self, series: Series, error: Exception) -> None:
        regarding = series.occurrence.regarding
        with self._changed:
            self._failed += 1
            self._last_error = str(error)
            if isinstance(error, NotFoundError):
                self._book.forget(series)
        _log.warning(
            "event %s about %s %s/%s could not be written: %s",
            series.occurrence.reason,
            regarding.kind,
            regarding.namespace,
            regarding.name,
            error,
            exc_info=not isinstance(error, KubeError),
        )
