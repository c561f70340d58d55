"""Finds what a worker does past its limiter, at one look.

Nothing is found from the driver's utilisation while others use the card, nor on MIG and MPS, where
a share is none of time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autoscaler.agent.accounting.card_look import PERCENT, CardLook, WorkerLook
from autoscaler.agent.accounting.finding import Finding, FindingKind
from autoscaler.agent.accounting.unaccounted import is_clearly_above, unaccounted_bytes
from autoscaler.agent.devices.samples import ProcessSample

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
    own = look.of(suspect.uid)
    if own.unaccounted:
        yield _unaccounted(suspect, own)
    if suspect.is_time_shared:
        yield from _over_share(suspect, look, charged)
        yield from _forged_charge(suspect, look, charged)
    if own.processes:
        yield from _memory(suspect, look)
    if suspect.fell or suspect.unpaid_s > 0:
        yield _tampered(suspect)


def page_finding(uid: str, name: str, error: Exception) -> Finding:
    """Return a page that cannot be read, or was changed, as a finding."""
    return Finding(
        kind=FindingKind.TAMPERED,
        uid=uid,
        uuid="",
        text=f"worker {name}: {error}",
        is_proof=True,
    )


def _finding(
    suspect: Suspect,
    kind: FindingKind,
    text: str,
    processes: Sequence[ProcessSample] = (),
    *,
    is_proof: bool = False,
) -> Finding:
    """Return a finding about one worker on one card; ``text`` is said of the worker."""
    return Finding(
        kind=kind,
        uid=suspect.uid,
        uuid=suspect.uuid,
        text=f"worker {suspect.name}: {text}",
        pids=tuple(process.pid for process in processes),
        is_proof=is_proof,
    )


def _unaccounted(suspect: Suspect, own: WorkerLook) -> Finding:
    pids = ", ".join(str(process.pid) for process in own.unaccounted)
    text = f"processes {pids} use GPU {suspect.uuid} without the limiter"
    return _finding(suspect, FindingKind.UNACCOUNTED, text, own.unaccounted)


def _over_share(
    suspect: Suspect, look: CardLook, charged: Mapping[str, float]
) -> Iterator[Finding]:
    busy = look.alone_share(suspect.uid, charged)
    if busy is not None and is_clearly_above(busy, suspect.share):
        text = (
            f"alone on GPU {suspect.uuid} it used {busy:.0%} of its time; its share is "
            f"{suspect.share:.0%}"
        )
        processes = look.of(suspect.uid).processes
        yield _finding(suspect, FindingKind.OVER_SHARE, text, processes)


def _memory(suspect: Suspect, look: CardLook) -> Iterator[Finding]:
    own = look.of(suspect.uid)
    found_bytes = unaccounted_bytes(look, suspect.uid, suspect.slot_bytes)
    most_bytes = UNCOUNTED_BYTES * len(own.processes) + UNCOUNTED_RATIO * (own.memory_bytes or 0)
    if found_bytes > most_bytes:
        text = (
            f"holds {found_bytes} bytes of GPU {suspect.uuid} beside the {suspect.slot_bytes} "
            "bytes that it accounts for"
        )
        yield _finding(suspect, FindingKind.MEMORY, text, own.processes)


def _tampered(suspect: Suspect) -> Finding:
    if suspect.fell:
        text = (
            f"{', '.join(suspect.fell)} of GPU {suspect.uuid} went down in its page of use, where "
            "they only grow"
        )
        return _finding(suspect, FindingKind.TAMPERED, text, is_proof=True)
    text = (
        f"launches on GPU {suspect.uuid} were charged that it did not wait for, by "
        f"{suspect.unpaid_s:.1f} s in a second"
    )
    return _finding(suspect, FindingKind.TAMPERED, text)


def _forged_charge(
    suspect: Suspect, look: CardLook, charged: Mapping[str, float]
) -> Iterator[Finding]:
    """Yield a charge that the card was not busy for, with whatever neighbours it had.

    Each process of a worker is charged for slices of the others while it has a long kernel, and for
    all of its time where kernels of several run at once.
    """
    busy_percent, own = look.sample.busy_percent, charged.get(suspect.uid, 0.0)
    if busy_percent is None or own <= 0:
        return
    busy, processes = busy_percent / PERCENT, max(len(look.of(suspect.uid).processes), 1)
    if is_clearly_above(own / processes, busy):
        text = (
            f"accounts for {own:.0%} of GPU {suspect.uuid}, which was busy for {busy:.0%} of the "
            "time with all its users"
        )
        yield _finding(suspect, FindingKind.TAMPERED, text)
