"""Writes one statement, on the version of the workload that it was decided for.

The version of a workload moves on with every word of the controller, mostly right after our own.
A conflict is therefore no reason to decide anew where nothing that counted has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.api.names import PAUSED
from autoscaler.errors import ConflictError, NotFoundError
from autoscaler.kube.resource import WORKLOADS
from autoscaler.kube.status_apply import apply_status, is_new
from autoscaler.scaling.live.status.statement import OWNER

if TYPE_CHECKING:
    from autoscaler.clock import Clock
    from autoscaler.kube.api_server import ApiServer
    from autoscaler.kube.store import Key, Object
    from autoscaler.kube.writer import Writer
    from autoscaler.scaling.live.status.statement import Decided, Statement
    from autoscaler.scaling.live.writing.statements import Statements

MOST_CONFLICTS = 3
Find = Callable[[str, str], "Object | None"]
"""Returns a workload by namespace and name as the cache shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a decision was made on."""

    workload: Object
    """As the cache showed it."""
    decided: Decided
    """What stood there of earlier decisions."""


class ChangedMeanwhileError(ConflictError):
    """Something changed that the decision depends on."""


class StatementWriting:
    """Writes statements; thread-safe, one thread for one workload at a time.

    ``on_written`` is called after each write with the workload as it was, what stood there before
    and what stands there now.
    """

    def __init__(
        self,
        *,
        find: Find,
        api: ApiServer,
        writer: Writer,
        statements: Statements,
        clock: Clock,
        on_written: Callable[[Object, Statement, Statement], None],
    ) -> None:
        self._find = find
        self._api = api
        self._writer = writer
        self._statements = statements
        self._clock = clock
        self._on_written = on_written

    def write(
        self,
        key: Key,
        *,
        decided: Decided | None,
        basis: Basis | None,
        begin: Callable[[], None],
        is_urgent: bool,
    ) -> bool:
        """Make the status of a workload say what is to stand there; return whether it was written.

        Without ``decided`` and its ``basis`` what was decided before stays.  ``begin`` is called
        right before each request, and what it raises ends the write.  Raises ``NotFoundError``
        where the workload is gone, ``ChangedMeanwhileError`` where it is no longer what the
        decision was made on, and what ``Writer.write`` raises.
        """
        workload = self._find(*key)
        if workload is None:
            raise NotFoundError(f"workload {key[0]}/{key[1]} is gone")
        for _ in range(MOST_CONFLICTS):
            try:
                return self._write_on(workload, decided, basis, begin, is_urgent=is_urgent)
            except ChangedMeanwhileError:
                raise
            except ConflictError:
                workload = self._api.get(WORKLOADS, key[1], key[0])
        return self._write_on(workload, decided, basis, begin, is_urgent=is_urgent)

    def _write_on(
        self,
        workload: Object,
        decided: Decided | None,
        basis: Basis | None,
        begin: Callable[[], None],
        *,
        is_urgent: bool,
    ) -> bool:
        before = self._statements.standing(workload)
        if basis is not None and not _is_as_it_was(workload, before, basis):
            raise ChangedMeanwhileError(
                f"workload {workload['metadata']['name']} changed meanwhile"
            )
        statement = self._statements.to_state(workload, decided)
        status = statement.status(workload, now_s=self._clock.now_s())
        if statement == before or not is_new(workload, status, OWNER):
            return False

        def send(api: ApiServer) -> None:
            begin()
            apply_status(api, WORKLOADS, workload, status, OWNER)

        self._writer.write(send, is_urgent=is_urgent)
        self._statements.note(workload, statement)
        self._on_written(workload, before, statement)
        return True


def _is_as_it_was(workload: Object, standing: Statement, basis: Basis) -> bool:
    """Return whether a workload is still what was decided about, and nobody stated anything."""
    return _premises(workload) == _premises(basis.workload) and standing.decided == basis.decided


def _premises(workload: Object) -> tuple[object, ...]:
    metadata = workload["metadata"]
    paused = (metadata.get("annotations") or {}).get(PAUSED)
    return metadata["uid"], metadata.get("generation"), paused
