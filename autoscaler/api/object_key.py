"""How an object of any kind is named, where it is looked up by what another object says of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """One object."""

    api_version: str
    kind: str
    namespace: str
    """Empty for kinds without."""
    name: str
