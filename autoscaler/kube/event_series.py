"""Which events are new, which are counted in one that is there, and which wait to be written.

What occurs again within ten minutes raises the count of its series.  A raised count waits to be
written when it doubles and once more when the series ends, so that a thousand repeats are ten
writes.  No threads and no API server here: ``event_recorder`` has both.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from autoscaler.kube.event import Occurrence, event_name

WINDOW_S = 600.0
"""A series ends so long after its first occurrence."""
MOST_SERIES = 4096
"""Beyond, the oldest series ends early."""


@dataclass(slots=True, eq=False)
class Series:
    """Equal occurrences, of which the first made an event."""

    occurrence: Occurrence
    name: str
    first_s: float
    """UTC seconds, as are those of ``last_s``."""
    last_s: float
    ends_s: float
    """On the steady clock."""
    count: int = 1
    written: int = 0
    """The count that the API server has; 0: it has no event yet."""
    is_waiting: bool = False


class SeriesBook:
    """The series of one recorder; not thread-safe."""

    def __init__(
        self,
        *,
        largest_queue: int,
        now_s: Callable[[], float],
        monotonic_s: Callable[[], float],
    ) -> None:
        self._largest_queue = largest_queue
        self._now_s = now_s
        self._monotonic_s = monotonic_s
        self._series: OrderedDict[Occurrence, Series] = OrderedDict()
        self._waiting: deque[Series] = deque()
        self._numbers = count()
        self.repeated = 0
        """Occurrences that were counted in a series."""
        self.dropped = 0
        """Occurrences for which there was no room."""

    @property
    def waiting(self) -> int:
        """Return the number of events that wait to be written."""
        return len(self._waiting)

    def note(self, occurrence: Occurrence) -> None:
        """Begin a series, or count in the one that goes on."""
        self.end_old()
        series = self._series.get(occurrence)
        if series is None:
            self._begin(occurrence)
            return
        self.repeated += 1
        series.count += 1
        series.last_s = self._now_s()
        is_power_of_two = series.count.bit_count() == 1
        if is_power_of_two:
            self._let_wait(series)

    def end_old(self) -> None:
        """End the series whose time is over, and the oldest where there are too many."""
        now_s = self._monotonic_s()
        while self._series:
            first = next(iter(self._series.values()))
            if first.ends_s > now_s and len(self._series) <= MOST_SERIES:
                return
            self._series.popitem(last=False)
            self._let_wait_for_count(first)

    def end_all(self) -> None:
        """End every series."""
        for series in self._series.values():
            self._let_wait_for_count(series)
        self._series.clear()

    def forget(self, series: Series) -> None:
        """End a series whose event is gone: what occurs next is new."""
        if self._series.get(series.occurrence) is series:
            del self._series[series.occurrence]

    def next(self) -> Series | None:
        """Remove and return what waits longest to be written."""
        if not self._waiting:
            return None
        series = self._waiting.popleft()
        series.is_waiting = False
        return series

    def put_back(self, series: Series) -> None:
        """Let what could not be written be the next again."""
        if not series.is_waiting:
            series.is_waiting = True
            self._waiting.appendleft(series)

    def drop_all(self) -> None:
        """Give up what waits."""
        self.dropped += len(self._waiting)
        self._waiting.clear()

    def _begin(self, occurrence: Occurrence) -> None:
        if len(self._waiting) >= self._largest_queue:
            self.dropped += 1
            return
        now_s = self._now_s()
        series = Series(
            occurrence=occurrence,
            name=event_name(occurrence, now_s=now_s, number=next(self._numbers)),
            first_s=now_s,
            last_s=now_s,
            ends_s=self._monotonic_s() + WINDOW_S,
        )
        self._series[occurrence] = series
        self._let_wait(series)

    def _let_wait_for_count(self, series: Series) -> None:
        if series.count > max(series.written, 1):
            self._let_wait(series)

    def _let_wait(self, series: Series) -> None:
        if not series.is_waiting and len(self._waiting) < self._largest_queue:
            series.is_waiting = True
            self._waiting.append(series)
