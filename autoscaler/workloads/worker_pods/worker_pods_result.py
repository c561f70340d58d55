"""What a look at the worker pods of a workload came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class WorkersProblem(NamedTuple):
    """Why worker pods are not made."""

    reason: str
    """One word in CamelCase, for a condition."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPodsResult:
    """How many worker pods a workload is to have, and what stands in the way."""

    wanted: int
    template_hash: str
    """Empty where no template could be put together."""
    problem: WorkersProblem | None = None
    again_s: float | None = None
    """In so many seconds the workload is to be looked at again; None: when something changes."""
