"""The Lease that electors share: how it is read, taken, renewed and given up.  Pure.

The number of transitions is the epoch of what a leader decides, so it must never fall.  A Lease
that is made anew, after an installation was removed and came back or after somebody deleted it,
does therefore not begin at 0 but at the seconds since 2020 (a 32-bit number until 2088).  That is
above all that earlier ones reached, unless leaders changed every second for all the time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoscaler.errors import UsageError
from autoscaler.kube.resource import LEASES
from autoscaler.kube.timestamps import micro_time_text

if TYPE_CHECKING:
    from autoscaler.kube.api_server import Object

YEAR_2020_S = 1_577_836_800
LONGEST_JITTER_RATIO = 1.2
"""A candidate waits up to so many retry periods between two looks."""
REQUEST_SHARE = 0.75
"""Of the retry period: the deadline of one request, so that a dead connection costs one try."""
RELEASED_LEASE_S = 1
"""Stated length of a lease that nobody holds; 0 is not allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTimes:
    """How long a leader may be silent.  Raises ``UsageError`` where they do not fit together."""

    lease_s: int = 15
    """Others take over after they have seen no renewal for so long."""
    renew_deadline_s: float = 10.0
    """A leader that could not renew for so long ends."""
    retry_s: float = 2.0
    """Between two looks or renewals."""

    def __post_init__(self) -> None:
        longest_wait_s = self.retry_s * LONGEST_JITTER_RATIO
        if not 0 < longest_wait_s < self.renew_deadline_s < self.lease_s:
            raise UsageError(
                f"leader election: lease {self.lease_s} s, renew deadline "
                f"{self.renew_deadline_s:g} s, retry {self.retry_s:g} s; allowed: 0 < "
                f"{LONGEST_JITTER_RATIO:g} x retry < renew deadline < lease"
            )

    @property
    def request_timeout_s(self) -> float:
        """Return the deadline of one request."""
        return self.retry_s * REQUEST_SHARE


def elapsed_s() -> float:
    """Return seconds that also pass while the process, or the machine, is suspended."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def holder_of(lease: Object) -> str:
    """Return the identity of the holder; empty: nobody."""
    return str(_spec(lease).get("holderIdentity") or "")


def transitions_of(lease: Object) -> int:
    """Return how often the lease changed hands."""
    return int(_spec(lease).get("leaseTransitions") or 0)


def stated_length_s(lease: Object) -> float:
    """Return for how long after a renewal the holder claims the lease."""
    return float(_spec(lease).get("leaseDurationSeconds") or 0)


def taken(
    lease: Object | None, identity: str, times: LeaseTimes, *, now_s: float, seen: int = 0
) -> dict[str, Any]:
    """Return the lease as held by a new holder.

    ``lease`` is None where there is none: the result lacks a name then.  ``seen`` is the highest
    number of transitions that the candidate ever saw; of a lease that was made anew there may have
    been more, so that the date counts too.
    """
    stated = transitions_of(lease or {})
    following = max(stated, seen) + 1
    return _with(
        lease or {"apiVersion": LEASES.api_version, "kind": LEASES.kind},
        holderIdentity=identity,
        leaseDurationSeconds=times.lease_s,
        acquireTime=micro_time_text(now_s),
        renewTime=micro_time_text(now_s),
        leaseTransitions=following if stated else max(following, _first_transitions(now_s)),
    )


def renewed(lease: Object, *, now_s: float) -> dict[str, Any]:
    """Return the lease as renewed by its holder."""
    return _with(lease, renewTime=micro_time_text(now_s))


def released(lease: Object, *, now_s: float) -> dict[str, Any]:
    """Return the lease without a holder, so that the next candidate need not wait."""
    return _with(
        lease,
        holderIdentity="",
        leaseDurationSeconds=RELEASED_LEASE_S,
        renewTime=micro_time_text(now_s),
    )


def _first_transitions(now_s: float) -> int:
    return max(int(now_s) - YEAR_2020_S, 1)


def _spec(lease: Object) -> Object:
    return lease.get("spec") or {}


def _with(lease: Object, **fields: object) -> dict[str, Any]:
    return {**lease, "spec": {**_spec(lease), **fields}}
