"""The smallest merge patch (RFC 7396) that makes one JSON mapping another one.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a merge patch must say; empty where both are the same.

    What is gone becomes null; lists are replaced as a whole.  ``new`` must hold no null itself.
    """
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            inner = merge_difference(before, value)
            if inner:
                patch[key] = inner
        elif key not in old or before != value:
            patch[key] = value
    return patch
