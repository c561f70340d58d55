"""Which workloads are to be looked at after a tick: those of which something is other than before.

Of ten thousand workloads a tick changes a few, so that all is compared by columns, and only what
differs is looked at one by one.
"""

from __future__ import annotations

from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from autoscaler.scaling.live.showing.recommended import PACE_S, offset_s
from autoscaler.scaling.live.status.cron_rule import cron_rule_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from autoscaler.kube.store import Key
    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.scaling.live.showing.fleet_rows import FleetRows
    from autoscaler.scaling.live.showing.recommended import Identity
    from autoscaler.scaling.live.showing.tick_columns import TickColumns
    from recommender.observation import Bools, Ints

_CRON_S = 60
"""Windows of cron rules open and close at full minutes."""


class Moment(NamedTuple):
    """What counts for all workloads."""

    now_s: int
    switches: Hashable
    """Whatever makes all workloads say something else when it changes."""


class Looks:
    """Remembers what every workload was looked at for; for the loop's thread."""

    def __init__(
        self,
        *,
        problem_of: Callable[[Key], str],
        external_state: Callable[[str], Hashable],
    ) -> None:
        self._problem_of = problem_of
        self._external_state = external_state
        self._marked: SimpleQueue[Key] = SimpleQueue()
        self._moment = Moment(0, None)
        self._identities: tuple[Identity, ...] = ()
        self._marks: Ints = np.empty(0, np.int64)
        """Of each row, what its columns said."""
        self._offsets_s: Ints = np.empty(0, np.int64)
        self._problems: dict[Key, str] = {}
        self._by_itself: dict[Key, tuple[WorkloadView, Hashable]] = {}
        """Workloads with something that changes without a change of theirs, and what it was."""
        self._again: set[Key] = set()

    def mark(self, key: Key) -> None:
        """Let a workload be looked at after the next tick; from any thread."""
        self._marked.put(key)

    def again(self, key: Key, *, is_wanted: bool) -> None:
        """Let a workload be looked at after every tick, or no longer."""
        (self._again.add if is_wanted else self._again.discard)(key)

    def take(
        self,
        moment: Moment,
        rows: FleetRows,
        views: Sequence[WorkloadView],
        changed: Iterable[Key],
        columns: TickColumns,
        due: Bools,
    ) -> list[Key]:
        """Return the workloads to look at; ``changed`` are those of which a view is new."""
        before, self._moment = self._moment, moment
        is_new_row = self._moved(rows.identities, columns) | due
        is_new_row |= self._has_turn(before.now_s, moment.now_s)
        keys = set(changed) | self._again
        keys |= {rows.identities[row][:2] for row in np.flatnonzero(is_new_row).tolist()}
        keys |= self._other_problems(rows)
        keys |= self._moved_by_themselves(rows, views, changed, before, moment)
        keys |= self._taken_marks()
        if moment.switches != before.switches:
            keys = set(rows.of)
        self._again &= rows.of.keys()
        return sorted(keys & rows.of.keys())

    def _moved(self, identities: tuple[Identity, ...], columns: TickColumns) -> Bools:
        marks = columns.verdict * 2 + columns.is_stale
        if identities is not self._identities:
            known = dict(zip(self._identities, self._marks.tolist(), strict=True))
            self._marks = np.array([known.get(each, -1) for each in identities], np.int64)
            self._offsets_s = np.array([offset_s(each[3]) for each in identities], np.int64)
            self._identities = identities
        moved = np.asarray(marks != self._marks, np.bool_)
        self._marks = marks
        return moved

    def _has_turn(self, before_s: int, now_s: int) -> Bools:
        turns = [(at_s + self._offsets_s) // PACE_S for at_s in (before_s, now_s)]
        return np.asarray(turns[0] != turns[1], np.bool_)

    def _other_problems(self, rows: FleetRows) -> set[Key]:
        before = self._problems
        self._problems = {key: text for key in rows.of if (text := self._problem_of(key))}
        keys = before.keys() | self._problems.keys()
        return {key for key in keys if before.get(key) != self._problems.get(key)}

    def _moved_by_themselves(
        self,
        rows: FleetRows,
        views: Sequence[WorkloadView],
        changed: Iterable[Key],
        before: Moment,
        moment: Moment,
    ) -> set[Key]:
        """Return the workloads whose cron rules or external scaler say something new."""
        for key in changed:
            view = views[rows.of[key][0]]
            self._by_itself.pop(key, None)
            if view.policy.cron or view.policy.external is not None:
                self._by_itself[key] = view, None
        is_full_minute = before.now_s // _CRON_S != moment.now_s // _CRON_S
        moved = set()
        for key in [key for key in self._by_itself if key not in rows.of]:
            del self._by_itself[key]
        for key, (view, was) in self._by_itself.items():
            old_cron = was[0] if isinstance(was, tuple) else None
            cron = _cron_name(view, moment.now_s) if is_full_minute or was is None else old_cron
            now = cron, self._external_state(view.uid)
            if now != was:
                moved.add(key)
                self._by_itself[key] = view, now
        return moved

    def _taken_marks(self) -> set[Key]:
        keys = set()
        while True:
            try:
                keys.add(self._marked.get_nowait())
            except Empty:
                return keys


def _cron_name(view: WorkloadView, now_s: int) -> str:
    return str(cron_rule_of(view.policy, {}, now_s).get("name", "")) if view.policy.cron else ""
