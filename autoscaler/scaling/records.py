"""What the loop remembers for people: applied changes, the last decisions of each workload, counts.

Bounded, newest last.  A decision is recorded when it says something new: another reason for
having no value, another amount to be written, or a target that moved by a tenth.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.scaling.collect.series import RowKey
from autoscaler.scaling.validating import Rejection
from autoscaler.sources.prometheus.query_counts import Outcome, outcome_of
from recommender.decision import CODES_BY_NUMBER, Step
from recommender.report.blocks import HistoryEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from autoscaler.scaling.collect.reading import Collected
    from recommender.decision import Decisions
    from recommender.observation import Bools, Floats, Ints

HISTORY_KEPT = 500
APPLIED = "applied"
CAPPED = "capped"
ROLLED_BACK = "rolled back"
DECISIONS_KEPT = 32
TARGET_MOVED = 0.1

_HELD = frozenset({str(Rejection.WARMING), str(Rejection.UNHEALTHY)})

WorkloadKey = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One step with the column and layer that it belongs to."""

    layer: int
    resource: int
    """Index of the resource; -1 for replicas."""
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """One decision of one workload; amounts by resource, NaN where there is none."""

    time_s: int
    target_request: tuple[float, ...]
    next_request: tuple[float, ...]
    target_limit: tuple[float, ...]
    next_limit: tuple[float, ...]
    target_replicas: float
    next_replicas: float
    steps: tuple[StepRecord, ...]


DecisionListener = Callable[[RowKey, DecisionRecord], None]
HistoryListener = Callable[[WorkloadKey, HistoryEntry], None]


class Records:
    """Histories and decision records of a fleet, and counters over all time.

    One thread adds; what is returned may be read by any other.
    """

    def __init__(self) -> None:
        self._history: dict[WorkloadKey, deque[HistoryEntry]] = {}
        self.counts: Counter[str] = Counter()
        self.failed_reads: Counter[tuple[str, Outcome]] = Counter()
        """(metric, how its query ended) to reads that brought nothing from there on."""
        self.partial_reads: Counter[str] = Counter()
        """Metric to reads that were answered in part."""
        self._decisions: dict[RowKey, deque[DecisionRecord]] = {}
        self._last: _Last | None = None
        self._decision_listeners: list[DecisionListener] = []
        self._history_listeners: list[HistoryListener] = []
        self._lock = Lock()

    def on_decision(self, listener: DecisionListener) -> None:
        """Call ``listener`` for each decision that is recorded, on the loop's thread."""
        self._decision_listeners.append(listener)

    def on_history(self, listener: HistoryListener) -> None:
        """Call ``listener`` for each tried change that is recorded, on the loop's thread."""
        self._history_listeners.append(listener)

    def add_reads(self, collected: Collected) -> None:
        """Count the metrics that could not be read, and those that were answered in part."""
        self.failed_reads.update(
            (metric, outcome_of(error)) for metric, error in collected.errors.items()
        )
        self.partial_reads.update(collected.partial)

    def add_history(self, entries: Iterable[tuple[WorkloadKey, HistoryEntry]]) -> None:
        """Append tried changes; of one that fails again in the same way the first is kept."""
        new = []
        with self._lock:
            for key, entry in entries:
                ring = self._history.setdefault(key, deque(maxlen=HISTORY_KEPT))
                last = next((e for e in reversed(ring) if _subject(e) == _subject(entry)), None)
                if last is None or not _is_repeated(last, entry):
                    ring.append(entry)
                    new.append((key, entry))
        for listener in self._history_listeners:
            for key, entry in new:
                listener(key, entry)

    def add_decisions(self, keys: Sequence[RowKey], decisions: Decisions, now_s: int) -> None:
        """Record the decisions that differ from the last ones of their workload."""
        at = _Last.of(tuple(keys), decisions)
        last = at.unknown() if self._last is None else self._last.aligned(at.keys)
        at = at.with_standing(last, decisions)
        is_new = at.differs_from(last)
        self._last = at.where(is_new, last)
        order = np.argsort(decisions.steps.row, kind="stable")
        by_row = decisions.steps.row[order]
        new = []
        for row in np.flatnonzero(is_new).tolist():
            first, end = np.searchsorted(by_row, [row, row + 1])
            new.append((keys[row], _record(decisions, row, order[first:end], now_s)))
        with self._lock:
            for key, record in new:
                self._decisions.setdefault(key, deque(maxlen=DECISIONS_KEPT)).append(record)
        for listener in self._decision_listeners:
            for key, record in new:
                listener(key, record)

    def decisions_of(self, key: RowKey) -> tuple[DecisionRecord, ...]:
        """Return the recorded decisions of one workload, oldest first."""
        with self._lock:
            return tuple(self._decisions.get(key, ()))

    def history_of(self, key: WorkloadKey) -> tuple[HistoryEntry, ...]:
        """Return the tried changes of one workload, oldest first."""
        with self._lock:
            return tuple(self._history.get(key, ()))

    def histories(self) -> Mapping[WorkloadKey, tuple[HistoryEntry, ...]]:
        """Return the tried changes of all workloads, oldest first."""
        with self._lock:
            return {key: tuple(ring) for key, ring in self._history.items()}

    def keep(self, keys: Iterable[RowKey], known: Iterable[WorkloadKey]) -> None:
        """Forget the decisions of all but ``keys``, and the history of all but ``known``."""
        wanted, with_history = set(keys), set(known)
        with self._lock:
            self._decisions = {key: ring for key, ring in self._decisions.items() if key in wanted}
            self._history = {
                key: ring for key, ring in self._history.items() if key in with_history
            }

    def restore_history(self, history: Mapping[WorkloadKey, Iterable[HistoryEntry]]) -> None:
        """Take over a checkpoint's history; nobody is told of it again."""
        with self._lock:
            self._history = {key: deque(list_, HISTORY_KEPT) for key, list_ in history.items()}


def _subject(entry: HistoryEntry) -> tuple[str, str]:
    return entry.resource, entry.layer


def _is_repeated(last: HistoryEntry, entry: HistoryEntry) -> bool:
    """Return whether an entry says nothing new; what a hold keeps back moves with each tick."""
    if entry.outcome in {APPLIED, ROLLED_BACK} or last.outcome != entry.outcome:
        return False
    is_same = (last.before, last.after) == (entry.before, entry.after)
    return is_same or entry.outcome in _HELD


@dataclass(frozen=True, slots=True)
class _Last:
    """What was last recorded of each row: exact amounts, and targets to compare by a tenth."""

    keys: tuple[RowKey, ...]
    exact: Floats
    targets: Floats = field(repr=False)

    @classmethod
    def of(cls, keys: tuple[RowKey, ...], d: Decisions) -> _Last:
        exact = np.column_stack(
            [d.next_request, d.next_limit, d.next_replicas, d.unknown_request, d.unknown_limit,
             d.unknown_replicas]
        )  # fmt: skip
        return cls(keys, exact, np.column_stack([d.target_request, d.target_limit]))

    def unknown(self) -> _Last:
        """Return that nothing was recorded yet."""
        return _Last(
            self.keys, np.full_like(self.exact, np.nan), np.full_like(self.targets, np.nan)
        )

    def with_standing(self, last: _Last, d: Decisions) -> _Last:
        """Return this with what was recorded last where nothing was decided since."""
        decided = np.hstack([d.is_decided_request, d.is_decided_limit])
        exact = self.exact.copy()
        amounts = exact[:, : decided.shape[1]]
        amounts[...] = np.where(decided, amounts, last.exact[:, : decided.shape[1]])
        return _Last(self.keys, exact, self.targets)

    def aligned(self, keys: tuple[RowKey, ...]) -> _Last:
        """Return what was recorded of ``keys``, unknown for new ones."""
        if keys == self.keys:
            return self
        row_of = {key: row for row, key in enumerate(self.keys)}
        # one row more, for keys that are new
        row = np.array([row_of.get(key, len(self.keys)) for key in keys], np.int64)
        exact, targets = (
            np.append(table, np.full((1, table.shape[1]), np.nan), axis=0)[row]
            for table in (self.exact, self.targets)
        )
        return _Last(keys, exact, targets)

    def differs_from(self, last: _Last) -> Bools:
        is_equal = (self.exact == last.exact) | (np.isnan(self.exact) & np.isnan(last.exact))
        is_near = np.abs(self.targets - last.targets) <= TARGET_MOVED * np.abs(last.targets)
        is_near |= np.isnan(self.targets) & np.isnan(last.targets)
        result: Bools = ~(is_equal.all(axis=1) & is_near.all(axis=1))
        return result

    def where(self, is_new: Bools, last: _Last) -> _Last:
        chosen = is_new[:, None]
        return _Last(
            self.keys,
            np.where(chosen, self.exact, last.exact),
            np.where(chosen, self.targets, last.targets),
        )


def _record(decisions: Decisions, row: int, steps: Ints, now_s: int) -> DecisionRecord:
    table = decisions.steps
    return DecisionRecord(
        time_s=now_s,
        target_request=tuple(decisions.target_request[row].tolist()),
        next_request=tuple(decisions.next_request[row].tolist()),
        target_limit=tuple(decisions.target_limit[row].tolist()),
        next_limit=tuple(decisions.next_limit[row].tolist()),
        target_replicas=float(decisions.target_replicas[row]),
        next_replicas=float(decisions.next_replicas[row]),
        steps=tuple(
            StepRecord(
                layer=int(table.layer[i]),
                resource=int(table.resource[i]),
                step=Step(
                    CODES_BY_NUMBER[int(table.code[i])],
                    float(table.before[i]),
                    float(table.after[i]),
                    float(table.arg[i]),
                ),
            )
            for i in steps
        ),
    )
