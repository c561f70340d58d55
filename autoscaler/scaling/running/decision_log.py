"""The decision log: what is newly decided and what was tried to be changed, as JSON lines.

A thread of its own renders and writes, so that a slow disk costs no tick.  What cannot be written
is counted and said in the process log, and never stops the loop.  A decision has the fields that it
has in the JSON API; ``docs/decision-log.md`` describes all of them.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from logging.handlers import QueueListener, RotatingFileHandler
from queue import SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING

import orjson

from autoscaler.errors import UsageError
from autoscaler.scaling.page.recorded import decided_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from autoscaler.scaling.collect.series import RowKey
    from autoscaler.scaling.records import DecisionRecord, Records, WorkloadKey
    from recommender.report.blocks import HistoryEntry
    from recommender.resources import Resource

SCHEMA = "tensorfusion-decision-log/v1"
MAX_BYTES = 64 * 2**20
"""A file that would grow beyond it is kept under its name with ``.1``; an older one is dropped."""
MOST_WAITING = 100_000
"""Lines that may wait for the disk; ten for each workload of a large fleet."""

Failed = Callable[[BaseException | None], None]

_log = logging.getLogger(__name__)


class DecisionLog:
    """Writes what ``Records`` record; made and closed by whoever runs the loop."""

    def __init__(
        self,
        path: Path,
        resources: Sequence[Resource],
        *,
        max_bytes: int = MAX_BYTES,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """Open the file for appending; raises ``UsageError`` where that cannot be done."""
        self._path = path
        self._resources = tuple(resources)
        self._most_waiting = most_waiting
        self._waiting: SimpleQueue[logging.LogRecord] = SimpleQueue()
        self._dropped = 0
        self._told = ""
        self._lock = Lock()
        self._file = _opened(path, max_bytes, self._failed)
        self._file.setFormatter(_Rendered())
        self._listener = QueueListener(self._waiting, self._file)
        self._listener.start()

    @property
    def dropped(self) -> int:
        """Return how many lines could not be written."""
        return self._dropped

    def follow(self, records: Records) -> None:
        """Write whatever is recorded from now on."""
        resources = self._resources
        records.on_decision(
            lambda key, record: self._add(partial(_decision_line, key, record, resources))
        )
        records.on_history(lambda key, entry: self._add(partial(_change_line, key, entry)))

    def close(self) -> None:
        """Write what is waiting, and close the file.  What is recorded later is dropped."""
        self._most_waiting = 0
        self._listener.stop()
        try:
            self._file.close()
        except OSError as error:
            self._drop(str(error))

    def _add(self, line: Callable[[], bytes]) -> None:
        if self._waiting.qsize() < self._most_waiting:
            self._waiting.put(logging.makeLogRecord({"msg": line}))
        else:
            self._drop("more lines wait for the disk than are kept")

    def _failed(self, error: BaseException | None) -> None:
        self._drop(str(error))

    def _drop(self, reason: str) -> None:
        with self._lock:
            self._dropped += 1
            is_told, self._told = self._told == reason, reason
        if not is_told:
            _log.warning("The decision log %s lost a line: %s", self._path, reason)


def _decision_line(key: RowKey, record: DecisionRecord, resources: Sequence[Resource]) -> bytes:
    decided = asdict(decided_of(key, record, resources))
    return orjson.dumps({"schema": SCHEMA, "kind": "decision", **decided})


def _change_line(key: WorkloadKey, entry: HistoryEntry) -> bytes:
    namespace, workload = key
    whose = {"namespace": namespace, "workload": workload}
    return orjson.dumps({"schema": SCHEMA, "kind": "change", **whose, **asdict(entry)})


class _Rendered(logging.Formatter):
    """Has a line rendered once, although a file that rotates by size formats it twice."""

    def format(self, record: logging.LogRecord) -> str:
        if not isinstance(record.msg, str):
            record.msg = record.msg().decode()
        return record.msg


class _File(RotatingFileHandler):
    """Tells whoever asked of its errors."""

    def __init__(self, path: Path, max_bytes: int, failed: Failed) -> None:
        super().__init__(path, maxBytes=max_bytes, backupCount=1, encoding="utf-8")
        self._failed = failed

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - of the library
        self._failed(sys.exc_info()[1])


def _opened(path: Path, max_bytes: int, failed: Failed) -> _File:
    try:
        return _File(path, max_bytes, failed)
    except OSError as error:
        raise UsageError(
            f"decision log {path} cannot be opened: {error.strerror}; "
            "allowed: a file that may be written, in a folder that exists"
        ) from error
