"""One line for each write of ``tfa apply``: who changed which number of which object, and why."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from autoscaler.applying.rows import Outcome
from autoscaler.applying.writing import Done
from autoscaler.clock import Clock, SystemClock
from autoscaler.errors import UsageError
from autoscaler.sources.timestamps import iso
from autoscaler.version import tool_version
from recommender.report.model import Meta

SCHEMA = "tensorfusion-apply-audit/v1"


class Audit:
    """Tells each write, and appends it to a file where there is one.

    The file is opened before anything is written: raises ``UsageError`` where that fails.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        user: str,
        cluster: str,
        report: Meta,
        clock: Clock | None = None,
    ) -> None:
        self._user = user
        self._cluster = cluster
        self._report = report
        self._clock = clock or SystemClock()
        self._file: TextIO | None = None
        if path is not None:
            try:
                self._file = path.open("a", encoding="utf-8")
            except OSError as error:
                text = f"--audit-file: {path} cannot be written: {error.strerror}"
                raise UsageError(text) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def tell(self, done: Done) -> str:
        """Return the line for people, after the one for machines was appended."""
        time = iso(self._clock.now_s())
        if self._file is not None:
            self._file.write(json.dumps(self._document(done, time), ensure_ascii=False) + "\n")
            self._file.flush()
        changes = ", ".join(
            f"{field.name} {field.before or 'none'} -> {field.after}"
            for field in done.change.fields
        )
        outcome = "wrote" if done.outcome is Outcome.WRITTEN else f"{done.outcome}:"
        ending = f" ({done.message})" if done.message else ""
        return f"{time} {self._user} {outcome} {done.change.title}: {changes}{ending}"

    def _document(self, done: Done, time: str) -> dict[str, Any]:
        change = done.change
        return {
            "schema": SCHEMA,
            "time": time,
            "user": self._user,
            "cluster": self._cluster,
            "tool": f"tfa {tool_version()}",
            "report": {"generated": iso(self._report.generated_s), "source": self._report.source},
            "apiVersion": change.resource.api_version,
            "kind": change.resource.kind,
            "namespace": change.namespace,
            "name": change.name,
            "uid": str(change.obj["metadata"]["uid"]),
            "resourceVersionBefore": str(change.obj["metadata"]["resourceVersion"]),
            "resourceVersion": done.version,
            "workloads": sorted({row.number.name for row in change.rows}),
            "changes": [
                {"field": field.name, "before": field.before, "after": field.after}
                for field in change.fields
            ],
            "outcome": str(done.outcome),
            "message": done.message,
        }
