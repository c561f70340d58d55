"""Lists of named things in a pod, into which something of ours goes and stays where it is.

API servers ask again after another webhook has put its own entries before or after ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Item = dict[str, Any]


def with_ours(items: Iterable[Item], ours: Sequence[Item], *, is_first: bool) -> list[Item]:
    """Return the items with ``ours``, and without others of the same names.

    Where all of them stand there by name, once and in their order, each is replaced in its place;
    else they are put before all others (``is_first``) or behind them.
    """
    old = list(items)
    names = [item["name"] for item in ours]
    if [item["name"] for item in old if item.get("name") in names] == names:
        by_name = dict(zip(names, ours, strict=True))
        return [by_name.get(str(item.get("name")), item) for item in old]
    others = [item for item in old if item.get("name") not in names]
    return [*ours, *others] if is_first else [*others, *ours]
