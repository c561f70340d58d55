"""Which measure follows from a finding, and how often.  Pure; nothing follows by default.

What rests on the driver's count of memory alone leads to no measure: drivers take memory for
themselves that no limiter can count.  It is told, and shown in the metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from autoscaler.agent.accounting.finding import Finding, FindingKind

TOLD_AGAIN_S = 600.0
FROZEN_S = 10.0
FROZEN_AGAIN_S = 20.0
"""In between it runs, so that it can end what it does wrong."""
EVICTED_AGAIN_S = 60.0


class Backstop(StrEnum):
    """How far the agent goes; each goes as far as those before it with telling."""

    OFF = "off"
    """Metrics show what is found, and nothing else happens."""
    LOG = "log"
    """It is told in the log and as an event."""
    FREEZE = "freeze"
    """The pod's processes stand still for ``FROZEN_S``; work that the card has already goes on."""
    KILL = "kill"
    """The processes end."""
    EVICT = "evict"
    """The pod is evicted, as far as disruption budgets let it be."""


class Measure(StrEnum):
    """What is done."""

    TELL = "tell"
    FREEZE = "freeze"
    KILL = "kill"
    EVICT = "evict"


_AGAIN_S = {
    Measure.TELL: TOLD_AGAIN_S,
    Measure.FREEZE: FROZEN_AGAIN_S,
    Measure.KILL: 0.0,
    Measure.EVICT: EVICTED_AGAIN_S,
}
_MEASURE = {
    Backstop.FREEZE: Measure.FREEZE,
    Backstop.KILL: Measure.KILL,
    Backstop.EVICT: Measure.EVICT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One measure, and the finding that it follows from."""

    measure: Measure
    finding: Finding


class BackstopPolicy:
    """Keeps what was done lately, so that nothing is done at each look again."""

    def __init__(self, backstop: Backstop) -> None:
        self.backstop = backstop
        self._last_s: dict[tuple[Measure, str, str], float] = {}

    def steps(self, findings: Sequence[Finding], now_s: float) -> list[Step]:
        """Return what is to be done about sustained findings; ``now_s`` never goes back."""
        if self.backstop is Backstop.OFF:
            return []
        self._forget(now_s)
        return [step for finding in findings for step in self._of(finding, now_s)]

    def _of(self, finding: Finding, now_s: float) -> Iterable[Step]:
        subject = f"{finding.kind} {finding.uuid}"
        if self._is_due(Measure.TELL, finding.uid, subject, now_s):
            yield Step(measure=Measure.TELL, finding=finding)
        measure = _MEASURE.get(self.backstop)
        if measure is None or finding.kind is FindingKind.MEMORY:
            return
        # All but killing is done to the whole pod, whichever of its findings comes first.
        whole = f"{finding.pids}" if measure is Measure.KILL else ""
        if self._is_due(measure, finding.uid, whole, now_s):
            yield Step(measure=measure, finding=finding)

    def _is_due(self, measure: Measure, uid: str, subject: str, now_s: float) -> bool:
        key = (measure, uid, subject)
        if key in self._last_s:
            return False
        self._last_s[key] = now_s
        return True

    def _forget(self, now_s: float) -> None:
        self._last_s = {
            key: last_s for key, last_s in self._last_s.items() if now_s - last_s < _AGAIN_S[key[0]]
        }
