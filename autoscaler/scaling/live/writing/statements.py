"""What stands in the status of each workload, as far as this process knows, and what is shown.

Every write carries the version that it was decided on, so that the version after it is ours: the
cache shows what we wrote as soon as it shows another version, and until then memory does.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from threading import Lock

from autoscaler.kube.store import Key, Object, key_of
from autoscaler.scaling.live.status.statement import Decided, Shown, Statement, statement_in


@dataclass(frozen=True, slots=True)
class _Written:
    uid: str
    version: int
    """Of the workload, before it was written."""
    statement: Statement


class Statements:
    """Statements by workload; thread-safe.  A workload that is made anew has none."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._written: dict[Key, _Written] = {}
        self._shown: dict[Key, tuple[str, Shown]] = {}

    def standing(self, workload: Object) -> Statement:
        """Return what stands in the status of a workload, which the cache shows as given."""
        with self._lock:
            written = self._written.get(key_of(workload))
        if written is None or written.uid != _uid(workload) or written.version < _version(workload):
            return statement_in(workload)
        return written.statement

    def to_state(self, workload: Object, decided: Decided | None = None) -> Statement:
        """Return what is to stand there; without ``decided`` what was decided stays."""
        standing = self.standing(workload)
        with self._lock:
            uid, shown = self._shown.get(key_of(workload), ("", Shown()))
        if uid != _uid(workload):
            shown = standing.shown
        return Statement(
            decided=standing.decided if decided is None else decided,
            shown=shown,
        )

    def show(self, workload: Object, shown: Shown) -> None:
        """Let this be shown with whatever is written next."""
        with self._lock:
            self._shown[key_of(workload)] = _uid(workload), shown

    def note(self, workload: Object, statement: Statement) -> None:
        """Note that a statement was written on a workload in the version that is given."""
        written = _Written(_uid(workload), _version(workload), statement)
        with self._lock:
            self._written[key_of(workload)] = written

    def keep(self, keys: AbstractSet[Key]) -> None:
        """Forget all workloads but these."""
        with self._lock:
            for key in self._written.keys() - keys:
                del self._written[key]
            for key in self._shown.keys() - keys:
                del self._shown[key]


def _uid(workload: Object) -> str:
    return str(workload["metadata"]["uid"])


def _version(workload: Object) -> int:
    return int(workload["metadata"]["resourceVersion"])
