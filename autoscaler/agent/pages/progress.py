"""How far a worker came between two looks at its page of use."""

from __future__ import annotations

from operator import lt
from typing import NamedTuple

from autoscaler.agent.pages.use_reading import GPUUse, UseReading

_NS = 1e9


class Progress(NamedTuple):
    """One GPU of one worker, between two looks."""

    span_s: float
    """Wall time between the looks; above 0."""
    charged_s: float
    """Device time before trim."""
    blocked_s: float
    """Time that launches were held by the share, over all threads."""
    launches: int
    waited_s: float = 0.0
    """Time that its processes waited for their work to end."""
    fell: tuple[str, ...] = ()
    """Counters that went down, as a limiter never lets them; they count as if they had stood."""

    @property
    def charged_share(self) -> float:
        """Return the device time as a part of the wall time, which one launch may take above 1."""
        return self.charged_s / self.span_s

    @property
    def waited_ratio(self) -> float:
        """Return the part of the wall time in which it waited for its work to end, 0 to 1."""
        return min(self.waited_s / self.span_s, 1.0)

    @property
    def blocked_ratio(self) -> float:
        """Return the part of the wall time in which launches were held, 0 to 1."""
        return min(self.blocked_s / self.span_s, 1.0)


def progress(before: UseReading, after: UseReading, gpu: int) -> Progress:
    """Return what happened on one GPU of a worker; ``after`` was read later than ``before``."""
    old, new = before.gpus[gpu], after.gpus[gpu]
    return Progress(
        span_s=(after.monotonic_ns - before.monotonic_ns) / _NS,
        charged_s=max(new.charged_ns - old.charged_ns, 0) / _NS,
        blocked_s=max(new.blocked_ns - old.blocked_ns, 0) / _NS,
        launches=max(new.launches - old.launches, 0),
        waited_s=max(new.waited_ns - old.waited_ns, 0) / _NS,
        fell=_fallen(old, new) if any(map(lt, new, old)) else (),
    )


def _fallen(old: GPUUse, new: GPUUse) -> tuple[str, ...]:
    """Return the counters that went down; the arrival time is none, and may."""
    words = zip(GPUUse._fields, old, new, strict=True)
    return tuple(name for name, was, now in words if now < was and name != "tat_ns")
