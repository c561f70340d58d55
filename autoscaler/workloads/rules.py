"""What an installation decides about its controller; defaults are those of the flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from autoscaler.api.names import NAMESPACE


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerRules:
    """The same for all workloads."""

    namespace: str = NAMESPACE
    """Of the installation."""
    root_owners: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))
    """Additions to the table of owners: ``Kind.group`` to the kinds above it."""
    has_standalone_workers: bool = False
    """Whether worker pods may be created (``--standalone-workers``)."""
    release_after_s: float = 60.0
    """A placed pod that the scheduler refuses for so long gives its GPUs back."""
    resync_s: float = 300.0
    """How often everything is looked at again, and the books are checked against the pods."""
    waiting_s: float = 30.0
    """How often a pod that found no GPU is tried again, beside whenever something is freed."""
    workers: int = 8
    """Threads that reconcile."""
