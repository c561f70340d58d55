"""What is wrong with a worker's use of a card, and since when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

SUSTAINED_S = 2.0
"""Nothing is found that has not lasted so long, except what no limiter ever does."""


class FindingKind(StrEnum):
    """What can be found."""

    UNACCOUNTED = "unaccounted process"
    OVER_SHARE = "more device time than its share"
    MEMORY = "unaccounted memory"
    TAMPERED = "page of use tampered with"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong."""

    kind: FindingKind
    uid: str
    """Of the worker."""
    uuid: str
    """Of the GPU; empty where it is none's in particular."""
    text: str
    """A sentence for logs and events, with the figures."""
    pids: tuple[int, ...] = ()
    """Host PIDs of the processes, where they are known."""
    is_proof: bool = False
    """Whether one look is enough: no limiter ever does this."""


class Findings:
    """Lets those findings through that last."""

    def __init__(self) -> None:
        self._since_s: dict[tuple[FindingKind, str, str], float] = {}

    def sustained(self, found: Iterable[Finding], now_s: float) -> tuple[Finding, ...]:
        """Return what was found at every look for ``SUSTAINED_S``, and proofs at once.

        ``found`` is all that one look at all cards found; ``now_s`` never goes back.
        """
        found = tuple(found)
        keys = [(each.kind, each.uid, each.uuid) for each in found]
        self._since_s = {key: self._since_s.get(key, now_s) for key in keys}
        return tuple(
            each
            for each, key in zip(found, keys, strict=True)
            if each.is_proof or now_s - self._since_s[key] >= SUSTAINED_S
        )
