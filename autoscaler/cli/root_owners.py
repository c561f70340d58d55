"""The option ``--root-owner`` of webhook and controller, which must be told the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from autoscaler.api.root_owner import ABOVE
from autoscaler.errors import UsageError


def root_owners_of(stated: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """Return the additions to the table of owners, from ``CHILD=KIND.GROUP``.

    Raises ``UsageError``.
    """
    kinds: dict[str, tuple[str, ...]] = {}
    for text in stated:
        child, _, kind = text.partition("=")
        if child not in ABOVE or not kind.partition(".")[2]:
            raise UsageError(
                f"--root-owner: {text!r} is not valid; allowed: CHILD=KIND.GROUP with one of "
                f"{', '.join(ABOVE)} as CHILD, for example ReplicaSet.apps=Rollout.example.com"
            )
        kinds[child] = (*kinds.get(child, ()), kind)
    return MappingProxyType(kinds)
