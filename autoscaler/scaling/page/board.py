"""Where the loop leaves what it saw, and readers find the newest report.

The loop's thread calls ``follow`` after each tick.  It costs nothing unless somebody reads: then,
at most every ``every_s`` seconds, the evidence is read there, and a thread of the board makes the
report.  Readers on other threads find what is finished, and never wait for the loop.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from autoscaler.scaling.page.back_test import BackTest
from autoscaler.scaling.page.building import Builder, Built
from autoscaler.scaling.page.choosing import MOST_ROWS
from autoscaler.scaling.page.live_state import Key, LiveState
from autoscaler.scaling.page.look import Look, look_at
from autoscaler.scaling.page.queries import Queries
from autoscaler.scaling.stage_times import SNAPSHOT

if TYPE_CHECKING:
    from autoscaler.scaling.loop import Loop, Tick
    from autoscaler.scaling.page.about import About

READ_LATELY_S = 900.0
"""A page that nobody read for so long is not made anew."""
STALE_AFTER = 2.0
"""A report that is older than so many periods is no longer taken for new."""
WANTED_KEPT = 100
"""Workloads beyond those of the report that somebody asked for lately."""
WANTED_AGAIN_S = 15.0
"""So soon a report is made anew for a workload that it lacks."""
NOT_YET = "nothing was decided yet: the first look at the cluster is still to come"
NO_WORKLOADS = "there is no workload yet; docs/enable.md tells how to make one"

_log = logging.getLogger(__name__)


def _leads() -> str:
    """Return that nothing keeps this process from deciding."""
    return ""


class Board:
    """The newest report of one process.

    ``absence`` returns why this process decides nothing, for example that another one leads.  Of a
    fleet with more than ``most_rows`` rows the most urgent are shown.
    """

    def __init__(
        self,
        about: About,
        *,
        every_s: float = 300.0,
        most_rows: int = MOST_ROWS,
        absence: Callable[[], str] = _leads,
        back_test: BackTest | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.every_s = every_s
        self._most_rows = most_rows
        self._absence = absence
        self._monotonic_s = monotonic_s
        self._builder = Builder(about, back_test or BackTest(monotonic_s))
        self._queries = Queries(about.promql, monotonic_s)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="page")
        self._lock = threading.Lock()
        self._has_found_none = False
        self._live: LiveState | None = None
        self._built: Built | None = None
        self._failure = ""
        self._asked_s: float | None = None
        self._looked_s: float | None = None
        self._is_building = False
        self._wanted: dict[Key, float] = {}
        self._listeners: set[Callable[[], None]] = set()

    def follow(self, loop: Loop, tick: Tick, *, holds: Sequence[str] = ()) -> None:
        """Take note of a tick, and begin a report where one is wanted.

        Runs on the loop's thread.  ``holds`` say more of the loop's hold, in words.
        """
        with self._lock:
            self._has_found_none = not tick.views and SNAPSHOT not in tick.errors
        if tick.observed is None:
            return
        live = LiveState(
            now_s=tick.now_s,
            mode=loop.mode,
            holds=() if loop.hold is None else tuple(dict.fromkeys((str(loop.hold), *holds))),
            views=tick.views,
            keys=tick.observed.fleet.keys,
            records=loop.records,
            resources=tuple(loop.model.resources),
        )
        with self._lock:
            self._live = live
        if self.wants_look():
            look = look_at(
                loop,
                tick,
                self._queries,
                wanted=self._wanted_keys(),
                most_rows=self._most_rows,
            )
            if look is not None:
                self.publish(look, live)

    def wants_look(self) -> bool:
        """Return whether somebody reads, and what there is grows old."""
        now_s = self._monotonic_s()
        with self._lock:
            if self._is_building or not self._is_read(now_s):
                return False
            if self._looked_s is None:
                return True
            age_s = now_s - self._looked_s
            built = self._built
            lacks = built is not None and any(key not in built.keys for key in self._wanted)
            return age_s >= (min(WANTED_AGAIN_S, self.every_s) if lacks else self.every_s)

    def publish(self, look: Look, live: LiveState) -> None:
        """Begin the report of a look; it appears when it is finished."""
        now_s = self._monotonic_s()
        with self._lock:
            self._is_building = True
            self._looked_s = now_s
        self._thread.submit(self._build, look, live.line(self.every_s), now_s)

    def ask(self, key: Key | None = None) -> None:
        """Say that somebody reads; ``key`` names a workload that the report should have."""
        now_s = self._monotonic_s()
        with self._lock:
            self._asked_s = now_s
            built = self._built
            is_known = self._live is not None and key in self._live.rows
            if key is not None and is_known and (built is None or key not in built.keys):
                self._wanted.pop(key, None)
                self._wanted[key] = now_s
                while len(self._wanted) > WANTED_KEPT:
                    del self._wanted[next(iter(self._wanted))]

    @property
    def live(self) -> LiveState | None:
        """The last tick; None before the first."""
        with self._lock:
            return self._live

    @property
    def built(self) -> Built | None:
        """The newest report, however old; None before the first."""
        with self._lock:
            return self._built

    def is_fresh(self, key: Key | None = None) -> bool:
        """Return whether the report is new enough, and has the workload ``key``."""
        now_s = self._monotonic_s()
        with self._lock:
            built = self._built
            if built is None or now_s - built.looked_s > STALE_AFTER * self.every_s:
                return False
            return key is None or key in built.keys

    def absence(self) -> str:
        """Return why there is no report, in words; empty where one is being made."""
        with self._lock:
            failure = self._failure
            has_nothing = self._has_found_none and self._built is None
        return self._absence() or failure or (NO_WORKLOADS if has_nothing else "")

    def age_s(self, built: Built) -> float:
        """Return how old a report is."""
        return self._monotonic_s() - built.looked_s

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` whenever a report was finished or failed; return how to end that."""
        with self._lock:
            self._listeners.add(listener)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners.discard(listener)

        return unsubscribe

    def close(self) -> None:
        """Make no further report; waits for the one that is being made."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _is_read(self, now_s: float) -> bool:
        return self._asked_s is not None and now_s - self._asked_s < READ_LATELY_S

    def _wanted_keys(self) -> frozenset[Key]:
        now_s = self._monotonic_s()
        with self._lock:
            lately = {k: s for k, s in self._wanted.items() if now_s - s < READ_LATELY_S}
            self._wanted = lately
            return frozenset(lately)

    def _build(self, look: Look, live: str, looked_s: float) -> None:
        failure = ""
        try:
            for built in self._builder.build(look, live, looked_s):
                with self._lock:
                    self._built = built
                self._tell()
        except Exception:  # noqa: BLE001 - whatever it is, the loop goes on, and readers hear of it
            _log.exception("the report could not be made")
            failure = "the last report could not be made; the log of the process says why"
        with self._lock:
            self._is_building = False
            self._failure = failure
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()
