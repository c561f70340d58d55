"""What admission found out about one pod: reasons to refuse it, warnings, what was not there.

All reasons are collected, so that whoever wrote the pod can mend everything at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from autoscaler.api.notes import NotedProblems
from autoscaler.api.object_key import ObjectKey
from autoscaler.printable import printable
from autoscaler.webhook.admission import Admission, Operation

_MOST_REASONS = 20
_MOST_WARNINGS = 20
_LONGEST = 600
"""Letters of one reason or warning."""


@dataclass(slots=True)
class Verdict(NotedProblems):
    """Reasons, warnings and missing objects, in the order in which they were found."""

    missing: list[ObjectKey] = field(default_factory=list)

    def miss(self, key: ObjectKey) -> None:
        """Add an object that was named and not found."""
        self.missing.append(key)

    def admitted(self, patch: Sequence[Operation] = ()) -> Admission:
        """Return the answer that the pod is admitted with a patch."""
        return Admission(
            patch=tuple(patch),
            warnings=self._warnings(),
            problems=self.problems,
            missing=tuple(dict.fromkeys(self.missing)),
        )

    def refusal(self) -> Admission:
        """Return the answer that the pod is refused."""
        reasons = _limited(self.errors, _MOST_REASONS, "reasons")
        error = reasons[0]
        if len(reasons) > 1:
            listed = "; ".join(f"({i}) {reason}" for i, reason in enumerate(reasons, 1))
            error = f"{len(self.errors)} reasons: {listed}"
        return Admission(
            error=error,
            reasons=reasons if len(reasons) > 1 else (),
            warnings=self._warnings(),
            problems=self.problems,
            missing=tuple(dict.fromkeys(self.missing)),
        )

    def _warnings(self) -> tuple[str, ...]:
        return _limited(self.warnings, _MOST_WARNINGS, "warnings")


def _limited(texts: list[str], most: int, what: str) -> tuple[str, ...]:
    distinct = [_one_line(text) for text in dict.fromkeys(texts)]
    more = len(distinct) - most
    return (*distinct[:most], *([f"and {more} more {what}"] if more > 0 else ()))


def _one_line(text: str) -> str:
    text = printable(text, " ")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
