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
class Guard:
    """What guard rails of one workload and GPU model must not forget when a process ends.

    It is kept beside the decision, so that whoever goes on knows it without a state of its own.
    """

    last_change_s: int | None = None
    """When an amount of a request was last changed."""
    changes: int = 0
    """Changes of a request in the 24 hours before."""
    watched_until_s: int | None = None
    """Until when a decrease may be rolled back."""
    previous_request: Amounts = field(default_factory=amounts)
    """What was in force before the decrease that is watched."""
    previous_limit: Amounts = field(default_factory=amounts)
    no_decrease_until_s: int | None = None
    answered_until_s: int | None = None
    """Refused allocations before it were answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadView:
    """One workload on one GPU model: what is declared, what is in force, what limits it."""

    namespace: str
    workload: str
    uid: str
    policy: Policy
    stated_request: Amounts = field(default_factory=amounts)
    stated_limit: Amounts = field(default_factory=amounts)
    request: Amounts = field(default_factory=amounts)
    limit: Amounts = field(default_factory=amounts)
    start_request: Amounts = field(default_factory=amounts)
    """What workers get that start from now on, where a decision says so; else as running ones."""
    start_limit: Amounts = field(default_factory=amounts)
    stated_sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """``tflops-request`` and so on to where the declared value came from."""
    in_force_sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The same keys to where the value in force was seen; empty where the cluster itself says."""
    replicas: int | None = None
    stated_replicas: int | None = None
    replicas_held: str = ""
    """Why nobody may set its replicas now, as one sentence; empty: they may be set."""
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
    guard: Guard | None = None
    """What an earlier process left; counts where nothing is remembered of the workload."""

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, workload)."""
        return self.namespace, self.workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What the loop wants for one workload on one GPU model; absent: leave as it is.

    Amounts and replicas come in changes of their own: they are written in different places.
    """

    namespace: str
    workload: str
    uid: str
    gpu_model: str = ""
    """Of the view that it was decided for."""
    request: Amounts = field(default_factory=amounts)
    limit: Amounts = field(default_factory=amounts)
    start_request: Amounts = field(default_factory=amounts)
    """For workers that start from now on."""
    start_limit: Amounts = field(default_factory=amounts)
    replicas: int | None = None
    guard: Guard | None = None
    """To be kept with the amounts."""
    is_urgent: bool = False
    """A raise after a denial or saturation, or a roll-back."""
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
        """Apply changes in order, urgent ones first; one outcome per change.

        A change that says what was stated before and is not in force yet is not applied again.
        """
        ...
