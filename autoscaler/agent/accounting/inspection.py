"""Finds what a worker does beside its limiter, at one look.

Nothing is found from the driver's utilisation while others use the card, nor on MIG and MPS, where
a share is none of time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from autoscaler.agent.accounting.beside import beside_bytes, is_clearly_above
from autoscaler.agent.accounting.card_look import PERCENT, CardLook
from autoscaler.agent.accounting.finding import Finding, FindingKind

UNCOUNTED_BYTES = 512 * 1024**2
"""Of each process: what the driver takes later for its context, such as loaded modules."""
UNCOUNTED_RATIO = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """One worker on one card, as looked at."""

    uid: str
    name: str
    """For messages: ``namespace/name``."""
    uuid: str
    share: float
    """The largest in force since the sample before, 0 to 1."""
    is_time_shared: bool
    """False on MIG and MPS."""
    slot_bytes: int
    unpaid_s: float = 0.0
    """Of ``DebtCheck``."""
    fell: tuple[str, ...] = ()
    """Counters of its page that went down."""


def inspect(suspect: Suspect, look: CardLook, charged: Mapping[str, float]) -> Iterator[Finding]:
    """Yield what is wrong with one worker on one card.

    ``charged`` is the share, trimmed, that each worker of the card was charged since the sample
    before.
    """
    yield from _outside(suspect, look)
    yield from _over_share(suspect, look, charged)
    yield from _memory(suspect, look)
    yield from _tampered(suspect)
    yield from _forged_charge(suspect, look, charged)


def page_finding(uid: str, name: str, error: Exception) -> Finding:
    """Return a page that cannot be read, or was changed, as a finding."""
    return Finding(
        kind=FindingKind.TAMPERED,
        uid=uid,
        uuid="",
        text=f"worker {name}: {error}",
        is_proof=True,
    )


def _outside(suspect: Suspect, look: CardLook) -> Iterator[Finding]:
    outside = look.of(suspect.uid).outside
    if outside:
        pids = tuple(process.pid for process in outside)
        yield Finding(
            kind=FindingKind.OUTSIDE,
            uid=suspect.uid,
            uuid=suspect.uuid,
            text=f"worker {suspect.name}: processes {', '.join(map(str, pids))} use GPU "
            f"{suspect.uuid} without the limiter",
            pids=pids,
        )


def _over_share(
    suspect: Suspect, look: CardLook, charged: Mapping[str, float]
) -> Iterator[Finding]:
    if not suspect.is_time_shared:
        return
    busy = look.alone_share(suspect.uid, charged)
    if busy is not None and is_clearly_above(busy, suspect.share):
        yield Finding(
            kind=FindingKind.OVER_SHARE,
            uid=suspect.uid,
            uuid=suspect.uuid,
            text=f"worker {suspect.name}: alone on GPU {suspect.uuid} it used {busy:.0%} of its "
            f"time; its share is {suspect.share:.0%}",
            pids=_pids(suspect, look),
        )


def _memory(suspect: Suspect, look: CardLook) -> Iterator[Finding]:
    own = look.of(suspect.uid)
    beside = beside_bytes(look, suspect.uid, suspect.slot_bytes)
    processes = len(own.metered) + len(own.outside)
    if beside > UNCOUNTED_BYTES * processes + UNCOUNTED_RATIO * (own.memory_bytes or 0):
        yield Finding(
            kind=FindingKind.MEMORY,
            uid=suspect.uid,
            uuid=suspect.uuid,
            text=f"worker {suspect.name}: holds {beside} bytes of GPU {suspect.uuid} beside the "
            f"{suspect.slot_bytes} bytes that it accounts for",
            pids=_pids(suspect, look),
        )


def _tampered(suspect: Suspect) -> Iterator[Finding]:
    if suspect.fell:
        yield Finding(
            kind=FindingKind.TAMPERED,
            uid=suspect.uid,
            uuid=suspect.uuid,
            text=f"worker {suspect.name}: {', '.join(suspect.fell)} of GPU {suspect.uuid} went "
            "down in its page of use, where they only grow",
            is_proof=True,
        )
    elif suspect.unpaid_s > 0:
        yield Finding(
            kind=FindingKind.TAMPERED,
            uid=suspect.uid,
            uuid=suspect.uuid,
            text=f"worker {suspect.name}: launches on GPU {suspect.uuid} were charged that it did "
            f"not wait for, by {suspect.unpaid_s:.1f} s in a second",
        )


def _forged_charge(
    suspect: Suspect, look: CardLook, charged: Mapping[str, float]
) -> Iterator[Finding]:
    """Yield a charge that the card was not busy for, with whatever neighbours it had.

    Each process of a worker is charged for slices of the others while it has a long kernel, and for
    all of its time where kernels of several run at once.
    """
    busy_percent, own = look.sample.busy_percent, charged.get(suspect.uid, 0.0)
    if busy_percent is None or not suspect.is_time_shared:
        return
    busy, processes = busy_percent / PERCENT, max(len(_pids(suspect, look)), 1)
    if own > 0 and is_clearly_above(own / processes, busy):
        yield Finding(
            kind=FindingKind.TAMPERED,
            uid=suspect.uid,
            uuid=suspect.uuid,
            text=f"worker {suspect.name}: accounts for {own:.0%} of GPU {suspect.uuid}, which was "
            f"busy for {busy:.0%} of the time with all its users",
        )


def _pids(suspect: Suspect, look: CardLook) -> tuple[int, ...]:
    own = look.of(suspect.uid)
    return tuple(process.pid for process in (*own.metered, *own.outside))
