"""Names under a finding: the first ones, and how many there are besides."""

from __future__ import annotations

from collections.abc import Sequence

MOST_NAMED = 20


def first_named(names: Sequence[str]) -> tuple[str, ...]:
    """Return at most ``MOST_NAMED`` names, and a last one that counts the rest."""
    rest = len(names) - MOST_NAMED
    return (*names[:MOST_NAMED], *([f"and {rest} more"] if rest > 0 else ()))
