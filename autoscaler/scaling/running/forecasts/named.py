"""Models that workloads ask for by name and that are fitted for each of them: ETS and SARIMAX.

A fit takes seconds where all other models together take a millisecond, so that only the first
workloads get one; the others go on with ``auto``.  What is fitted here is a course of expected use,
which is one more expert of the stream; what is made of it, and whether it counts, is decided there.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from autoscaler.scaling.running.counts.forecast_counts import NamedSnapshot
from autoscaler.scaling.running.forecasts.stream_name import stream_name
from recommender.forecast.absence import Absence
from recommender.forecast.models import MOST_NAMED_IN_THE_LOOP
from recommender.forecast.named.reason import Reason
from recommender.forecast.named_wish import FITTED_EVERY_S
from recommender.forecast.pool import LIMIT_S, NamedFit, fit_all
from recommender.sentences import counted

if TYPE_CHECKING:
    from autoscaler.scaling.running.forecasts.aside import Aside
    from recommender.forecast.asked import StreamKey
    from recommender.forecast.named.fit import NamedForecast
    from recommender.forecast.named_wish import NamedWish
    from recommender.forecast.unfitted import SeriesWhy
    from recommender.observation import Floats
    from recommender.resources import Resource

LOOK_S = 300
"""Between two looks at who asks for a model."""
MOST_AT_ONCE = 8
"""Fits of one piece of work, so that a training in between need not wait for all."""
MOST_TOLD = 5
_log = logging.getLogger(__name__)

Key = tuple[str, str, str]
"""Namespace, workload and GPU model."""
Fits = Callable[[Sequence[NamedFit], Callable[[], bool]], Sequence["NamedForecast"]]
"""Returns the forecasts of some fits; those without one where they are no longer wanted."""


class Askable(Protocol):
    """Forecasts that take courses of models by name; ``FleetForecasts`` is one."""

    def named_wanted(self) -> tuple[NamedWish, ...]:
        """Return the series whose policy asks for a model that is fitted for it alone."""
        ...

    def install_named(self, wish: NamedWish, course: Floats) -> None:
        """Take the expected use of the blocks after that of the wish."""
        ...

    def tell_unfitted(self, why: SeriesWhy) -> None:
        """Take which series go without a model, and why; others that ask for one wait for it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Fits that are on their way."""

    forecasts: Askable
    wishes: tuple[NamedWish, ...]
    done: Future[Sequence[NamedForecast]]


class NamedModels:
    """Fits models by name; ``step`` is for the loop's thread, ``snapshot`` for any."""

    def __init__(
        self,
        aside: Aside,
        resources: Sequence[Resource],
        *,
        fits: Fits | None = None,
        most_workloads: int = MOST_NAMED_IN_THE_LOOP,
    ) -> None:
        self._aside = aside
        self._resources = tuple(resources)
        self._fits = fits or fitted
        self._most = most_workloads
        self._forecasts: Askable | None = None
        self._asked: _Asked | None = None
        self._next_look_s = 0
        self._fitted_s: dict[tuple[StreamKey, int], int] = {}
        """Series to when it was last fitted."""
        self._reasons: dict[tuple[StreamKey, int], Reason | None] = {}
        """Series to why its last fit gave nothing; None: it gave a course."""
        self._failures: Counter[Reason] = Counter()
        self._left_out: tuple[str, ...] = ()
        self._unserved: tuple[tuple[StreamKey, int], ...] = ()
        """The series of those workloads."""
        self._snapshot = NamedSnapshot()

    def step(self, forecasts: Askable, keys: Sequence[Key | None], now_s: int) -> None:
        """Take over what was fitted, and have fitted what is due; ``keys`` are of usage rows."""
        if forecasts is not self._forecasts:
            self._forecasts, self._next_look_s = forecasts, now_s
            self._fitted_s.clear()
            self._reasons.clear()
        asked = self._asked
        if asked is not None:
            if not asked.done.done():
                return
            self._asked = None
            if asked.forecasts is forecasts and not asked.done.cancelled():
                self._take(asked, keys)
                forecasts.tell_unfitted(self._unfitted())
        if now_s >= self._next_look_s:
            self._next_look_s = now_s + LOOK_S
            self._look(forecasts, keys, now_s)
            forecasts.tell_unfitted(self._unfitted())
        self._snapshot = self._counted()

    def snapshot(self) -> NamedSnapshot:
        """Return the numbers of now."""
        return self._snapshot

    def _look(self, forecasts: Askable, keys: Sequence[Key | None], now_s: int) -> None:
        """Have the series fitted whose fit is missing or old, the oldest first."""
        wishes = self._served(forecasts.named_wanted(), keys)
        wanted = {wish.series for wish in wishes}
        for known in (self._fitted_s, self._reasons):
            for series in known.keys() - wanted:
                del known[series]
        fitted_s = {w.series: self._fitted_s.get(w.series, -FITTED_EVERY_S) for w in wishes}
        due = [w for w in wishes if now_s - fitted_s[w.series] >= FITTED_EVERY_S]
        due.sort(key=lambda wish: fitted_s[wish.series])
        if not due:
            return
        begun = tuple(due[:MOST_AT_ONCE])
        fits = [wish.fit for wish in begun]
        done = self._aside.submit(partial(self._fits, fits, lambda: self._aside.is_wanted))
        if done is not None:
            self._asked = _Asked(forecasts=forecasts, wishes=begun, done=done)
            self._fitted_s.update(dict.fromkeys((wish.series for wish in begun), now_s))
            self._next_look_s = now_s

    def _served(self, wishes: Sequence[NamedWish], keys: Sequence[Key | None]) -> list[NamedWish]:
        """Return the wishes of the workloads that were known first."""
        workload_of = {wish.row: _workload(keys[wish.row]) for wish in wishes}
        in_order = list(dict.fromkeys(workload_of[row] for row in sorted(workload_of)))
        self._tell_left_out(tuple(in_order[self._most :]))
        served = set(in_order[: self._most])
        self._unserved = tuple(
            wish.series for wish in wishes if workload_of[wish.row] not in served
        )
        return [wish for wish in wishes if workload_of[wish.row] in served]

    def _unfitted(self) -> dict[tuple[StreamKey, int], Absence]:
        """Return the series that go without a model, and why."""
        failed = {series: reason for series, reason in self._reasons.items() if reason is not None}
        return {
            **{series: Absence.of(reason) for series, reason in failed.items()},
            **dict.fromkeys(self._unserved, Absence.LEFT_OUT),
        }

    def _tell_left_out(self, left_out: tuple[str, ...]) -> None:
        if left_out == self._left_out:
            return
        self._left_out = left_out
        if left_out:
            more = ", ..." if len(left_out) > MOST_TOLD else ""
            _log.warning(
                "%s beyond the %d that are served asked for a model which is fitted for each of "
                "them (ets, sarimax); their model is auto: %s%s",
                *(counted(len(left_out), "workload"), self._most),
                *(", ".join(left_out[:MOST_TOLD]), more),
            )
        else:
            _log.info("all workloads are served that ask for a model which is fitted for each")

    def _take(self, asked: _Asked, keys: Sequence[Key | None]) -> None:
        error = asked.done.exception()
        if error is not None:
            self._failures[Reason.ENDED] += len(asked.wishes)
            _log.warning("models by name were not fitted: %s: %s", type(error).__name__, error)
            return
        for wish, forecast in zip(asked.wishes, asked.done.result(), strict=True):
            reason = forecast.reason
            if reason is None:
                asked.forecasts.install_named(wish, forecast.mean)
            else:
                self._failures[reason] += 1
            series = wish.series
            if series not in self._reasons or self._reasons[series] is not reason:
                self._reasons[series] = reason
                self._tell(wish, _workload(keys[wish.row]), reason)

    def _tell(self, wish: NamedWish, workload: str, reason: Reason | None) -> None:
        what = f"{wish.model} of {workload}, {stream_name(wish.key, self._resources)}"
        if reason is None:
            _log.info("%s: fitted", what)
        else:
            told = "%s: no forecast, and its model is auto until there is one: %s"
            _log.info(told, what, reason.sentence)

    def _counted(self) -> NamedSnapshot:
        failing = sum(reason is not None for reason in self._reasons.values())
        return NamedSnapshot(
            fitted=len(self._reasons) - failing,
            failing=failing,
            busy=0 if self._asked is None else len(self._asked.wishes),
            left_out=len(self._left_out),
            failures=MappingProxyType({reason: self._failures[reason] for reason in Reason}),
        )


def fitted(fits: Sequence[NamedFit], is_wanted: Callable[[], bool]) -> Sequence[NamedForecast]:
    """Fit models in one process, each with a time limit."""
    return fit_all(fits, clock=time.monotonic, limit_s=LIMIT_S, processes=1, is_wanted=is_wanted)


def _workload(key: Key | None) -> str:
    """Return the name of a workload; empty where it has gone meanwhile."""
    return "" if key is None else f"{key[0]}/{key[1]}"
