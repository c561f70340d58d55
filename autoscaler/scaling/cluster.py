"""The protocol between the loop and a cluster, real or simulated.

A cluster says what is declared and in force (``snapshot``) and takes changes (``apply``).  The loop
never touches workers: whoever is behind ``apply`` checks capacity and quota and may cap a change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recommender.policy.model import Policy

Amounts = MappingProxyType[str, float]
"""Resource name to amount in base units, per worker and GPU device."""


JOB_KINDS = frozenset({"Job", "CronJob", "JobSet"})
"""Kinds of owners whose workers end by themselves."""


def is_of_job(owner: str) -> bool:
    """Return whether an owner, ``Kind/name``, is something that ends."""
    return owner.partition("/")[0] in JOB_KINDS


def amounts(values: Mapping[str, float] | None = None) -> Amounts:
    """Freeze amounts."""
    return MappingProxyType(dict(values or {}))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """One running worker."""

    name: str
    started_s: int
    ready_s: int | None
    """None while it is not ready."""
    is_surplus: bool = False
    """Surge of a rollout, or terminating: takes no part in replica decisions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadView:
    """One workload: what is declared, what is in force, what limits it."""

    namespace: str
    workload: str
    uid: str
    policy: Policy
    stated_request: Amounts = field(default_factory=amounts)
    stated_limit: Amounts = field(default_factory=amounts)
    request: Amounts = field(default_factory=amounts)
    limit: Amounts = field(default_factory=amounts)
    stated_sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """``tflops-request`` and so on to where the declared value came from."""
    in_force_sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The same keys to where the value in force was seen; empty where the cluster itself says."""
    replicas: int | None = None
    stated_replicas: int | None = None
    gpu_count: int = 1
    gpu_model: str = ""
    pool: str = ""
    qos: str = "medium"
    owner: str = ""
    """Kind and name, for example ``Deployment/chat``."""
    card: Amounts = field(default_factory=amounts)
    largest_placeable: Amounts = field(default_factory=amounts)
    quota: Amounts = field(default_factory=amounts)
    replica_quota: int | None = None
    is_paused: bool = False
    external_request: Amounts = field(default_factory=amounts)
    external_limit: Amounts = field(default_factory=amounts)
    external_replicas: int | None = None
    workers: tuple[WorkerView, ...] = ()
    price_per_gpu_hour: float | None = None

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, workload)."""
        return self.namespace, self.workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What the loop wants for one workload; None or a missing resource: leave as it is."""

    namespace: str
    workload: str
    uid: str
    decided_s: int
    request: Amounts = field(default_factory=amounts)
    limit: Amounts = field(default_factory=amounts)
    start_request: Amounts = field(default_factory=amounts)
    """For workers that start from now on."""
    start_limit: Amounts = field(default_factory=amounts)
    replicas: int | None = None
    is_urgent: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one change."""

    change: Change
    applied: bool
    capped: Amounts = field(default_factory=amounts)
    """Amounts that were set lower than asked, with what was set."""
    reason: str = ""


class Cluster(Protocol):
    """A cluster as the loop sees it."""

    def snapshot(self) -> Sequence[WorkloadView]:
        """Return all workloads, in any order."""
        ...

    def reread(self, keys: Sequence[tuple[str, str]]) -> Sequence[WorkloadView]:
        """Return some workloads as they are at this moment, for validation before applying."""
        ...

    def apply(self, changes: Sequence[Change]) -> Sequence[Outcome]:
        """Apply changes in order, urgent ones first; one outcome per change."""
        ...
