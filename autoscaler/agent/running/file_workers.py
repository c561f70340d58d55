"""The workers of a plain host from a file that its owner writes; it is read again when it changes.

A file that cannot be used leaves in force what was read before, and is told by ``problems``.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autoscaler.agent.mapping.pod_identity import PodIdentity
from autoscaler.agent.pages.errors import PageError
from autoscaler.agent.pages.folders import folders_within, make_folders
from autoscaler.agent.running.roster import Roster, Served
from autoscaler.agent.workers.from_file import HostWorker, check_file, workers_of_file
from autoscaler.errors import InputError

if TYPE_CHECKING:
    from autoscaler.agent.workers.worker import Card

Mark = tuple[int, int, int] | None
_log = logging.getLogger(__name__)


class FileWorkers:
    """Workers from a file; ``roster`` is for one thread."""

    def __init__(self, path: Path, *, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._path = path
        self._monotonic_ns = monotonic_ns
        self._cards: Mapping[str, Card] = {}
        self._mark: Mark = None
        self._has_looked = False
        self._served: dict[str, Served] = {}
        self._roster = Roster()
        self._problem = ""

    def check(self) -> None:
        """Raise ``InputError`` for a file that no host could use, whatever GPUs it has."""
        check_file(self._text(), str(self._path))

    def start(self, on_change: Callable[[], None]) -> None:
        """Do nothing: the file is looked at whenever the roster is asked for."""

    def stop(self) -> None:
        """Do nothing."""

    def problems(self) -> Sequence[str]:
        """Return why the file cannot be used."""
        return (self._problem,) if self._problem else ()

    def roster(self, cards: Mapping[str, Card]) -> Roster:
        """Return the workers of the file."""
        mark = self._look()
        if not self._has_looked or mark != self._mark or cards != self._cards:
            self._has_looked, self._mark, self._cards = True, mark, dict(cards)
            self._read()
            self._roster = Roster(served=tuple(self._served.values()))
        return self._roster

    def _look(self) -> Mark:
        """Return what changes with the file; None where there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _read(self) -> None:
        try:
            workers = workers_of_file(self._text(), str(self._path), self._cards)
            for each in workers:
                make_folders(folders_within(each.root))
        except (InputError, PageError) as error:
            stays = "; what was read before stays in force" if self._served else ""
            self._problem = f"{error}{stays}"
            return
        self._problem = ""
        self._take(workers)
        names = ", ".join(each.worker.name for each in workers)
        _log.info("%s is read; workers: %s", self._path, names or "none")

    def _text(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8-sig")
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise InputError(f"{self._path}: cannot be read: {reason}") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{self._path}: not UTF-8 text ({error.reason})") from error

    def _take(self, workers: Sequence[HostWorker]) -> None:
        now_ns, before = self._monotonic_ns(), self._served
        self._served = {
            each.worker.uid: _served(each, before.get(each.worker.uid), now_ns) for each in workers
        }


def _served(found: HostWorker, before: Served | None, now_ns: int) -> Served:
    is_same = before is not None and before.worker == found.worker
    return Served(
        worker=found.worker,
        folders=folders_within(found.root),
        seen_ns=before.seen_ns if before is not None and is_same else now_ns,
        identity=PodIdentity(
            uid=found.worker.uid,
            namespace=found.worker.namespace,
            name=found.worker.name,
            container_ids=frozenset(found.container_ids),
        ),
    )
