"""Whether a worker pays for what it says that it launched.

Each charge moves the arrival time (TAT) in its page ahead by the charge over the share.  Who resets
that time to be free of its share shows charges that it did not move for.  That needs no figure of
the driver, so it is true beside neighbours as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.agent.pages.use_reading import GPUUse

WINDOW_S = 1.0
PAID_RATIO = 0.8
"""The time must have moved by so much of what was charged: corrections of costs give some back."""
ALLOWED_S = 0.2
"""And by so much less: one long kernel that was charged too much at first."""
LONGEST_DEBT_S = 60.0
"""The law cuts what is further ahead."""
LATE_LAUNCHES = 8
"""Under so large a debt hardly a launch passes in a window; what passed before may be counted in
one, but in no second one."""
_NS = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begin:
    now_ns: int
    use: GPUUse
    terms: tuple[float, float]


class DebtCheck:
    """Watches one worker on one GPU."""

    def __init__(self) -> None:
        self._begin: _Begin | None = None
        self._unpaid_s = 0.0

    def observe(self, use: GPUUse, now_ns: int, share: float, trim_k: float) -> float:
        """Return wall time that the last whole window left unpaid, in seconds; 0: none.

        ``share`` and ``trim_k`` are in force; a window in which they change is not judged.
        """
        terms = (share, trim_k)
        begin = self._begin
        if begin is None or begin.terms != terms or share >= 1.0:
            self._begin, self._unpaid_s = _Begin(now_ns=now_ns, use=use, terms=terms), 0.0
        elif (now_ns - begin.now_ns) / _NS >= WINDOW_S:
            self._begin = _Begin(now_ns=now_ns, use=use, terms=terms)
            self._unpaid_s = _unpaid_s(begin, use, now_ns)
        return self._unpaid_s


def _unpaid_s(begin: _Begin, use: GPUUse, now_ns: int) -> float:
    share, trim_k = begin.terms
    owed_s = max(use.charged_ns - begin.use.charged_ns, 0) * trim_k / share / _NS
    # A time that lies in the past was about to become the present at the next charge.
    moved_s = (max(use.tat_ns, now_ns) - max(begin.use.tat_ns, begin.now_ns)) / _NS
    is_cut = (use.tat_ns - now_ns) / _NS > LONGEST_DEBT_S - WINDOW_S
    if is_cut:
        # Charges of what still runs are cut off honestly; whoever launches on shows another time
        # to the agent than to the law.
        has_launched = use.launches - begin.use.launches > LATE_LAUNCHES
        return owed_s * PAID_RATIO if has_launched else 0.0
    return max(owed_s * PAID_RATIO - moved_s - ALLOWED_S, 0.0)
