"""What one worker holds while what was written and what the cache shows may differ.

Three claims may speak at the same time, and the larger of their amounts counts, so that nothing is
promised twice: what the cache shows, what a write that succeeded made of it, and what a write in
progress asks for.  A claim that was written goes when the cache shows the pod in that version or a
later one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from autoscaler.workloads.books.claim import Claim


@dataclass(slots=True, kw_only=True)
class Holding:
    """The claims of one pod; changed by ``books`` only, under its lock."""

    observed: Claim | None = None
    """What the cache shows; None: not placed, or at its end."""
    observed_version: int = 0
    """``resourceVersion`` that the cache shows; 0: it has not shown the pod."""
    written: Claim | None = None
    """What a write of ours made of the pod; None: the cache shows it."""
    written_version: int = 0
    asked: Claim | None = None
    """What a write whose outcome is not known asks for."""
    counted: Claim | None = None
    """What stands in the sums for this pod."""

    @property
    def is_in_flight(self) -> bool:
        """Return whether the cache is not known to show all that was written."""
        return self.asked is not None or self.written is not None

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is known of the pod, not even that the cache shows it."""
        return not self.is_in_flight and self.observed is None and not self.observed_version

    def observe(self, claim: Claim | None, version: int) -> None:
        """Take what the cache shows; what is older than is known changes nothing."""
        if version < max(self.observed_version, self.written_version):
            return
        self.observed, self.observed_version = claim, version
        self._forget_what_is_shown()

    def settle(self, claim: Claim, version: int) -> None:
        """Take what a write of ours made of the pod."""
        self.asked = None
        if version >= self.written_version:
            self.written, self.written_version = claim, version
        self._forget_what_is_shown()

    def effective(self) -> Claim | None:
        """Return the larger of all that may be true, each amount on its own; None: nothing."""
        claims = [c for c in (self.asked, self.written, self.observed) if c is not None]
        if not claims:
            return None
        newest, *others = claims
        for other in others:
            if other != newest:
                newest = _larger(newest, other)
        return newest

    def _forget_what_is_shown(self) -> None:
        if self.observed_version >= self.written_version:
            self.written = None


def _larger(newer: Claim, older: Claim) -> Claim:
    return replace(
        newer,
        gpus=tuple(dict.fromkeys((*newer.gpus, *older.gpus))),
        request=newer.request.at_least(older.request),
        limit=newer.limit.at_least(older.limit),
    )
