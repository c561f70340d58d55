"""Which running autoscaler is asked: plain values.  Asking it is ``live_api``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from autoscaler.errors import UsageError
from autoscaler.sources.prometheus.connection import connection_problem


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveServer:
    """Which autoscaler is asked.  Raises ``UsageError`` where the address is none."""

    url: str
    """Of its page, with the path prefix where there is one."""
    token: str | None = field(default=None, repr=False)
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        problem = connection_problem(self.url)
        if problem is not None:
            raise UsageError(f"--autoscaler: {problem}")
        if self.ca_file is not None and not self.ca_file.is_file():
            raise UsageError(f"--ca-file: {self.ca_file} is no file; allowed: a file of PEM")
