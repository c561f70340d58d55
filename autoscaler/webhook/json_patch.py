"""The JSON Patch (RFC 6902) that turns one object into another.

Lists of named objects (containers, volumes, environment) are matched by name, so that one new
entry is one operation.  Applying patches is the API server's work and not here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from typing import Any

import orjson

from autoscaler.webhook.admission import Operation


def difference(old: object, new: object) -> tuple[Operation, ...]:
    """Return the operations (add, remove, replace) that make ``old`` equal to ``new``, in order."""
    return tuple(_values(old, new, ""))


def _values(old: Any, new: Any, path: str) -> Iterator[Operation]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _members(old, new, path)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _items(old, new, path)
    elif type(old) is not type(new) or old != new:  # in Python, True == 1
        yield {"op": "replace", "path": path, "value": new}


def _members(old: dict[str, Any], new: dict[str, Any], path: str) -> Iterator[Operation]:
    for key, before in old.items():
        at = f"{path}/{_escaped(key)}"
        if key in new:
            yield from _values(before, new[key], at)
        else:
            yield {"op": "remove", "path": at}
    for key, after in new.items():
        if key not in old:
            yield {"op": "add", "path": f"{path}/{_escaped(key)}", "value": after}


def _items(old: list[Any], new: list[Any], path: str) -> Iterator[Operation]:
    if orjson.dumps(old) == orjson.dumps(new):  # most lists, of any length, at once
        return
    old_keys, new_keys = _identities(old), _identities(new)
    kept = set(old_keys) & set(new_keys)
    old_at = [index for index, key in enumerate(old_keys) if key in kept]
    new_at = [index for index, key in enumerate(new_keys) if key in kept]
    if [old_keys[index] for index in old_at] != [new_keys[index] for index in new_at]:
        # Items moved.  Fewer operations would be found in quadratic time, and a user chooses the
        # length of the list.
        yield {"op": "replace", "path": path, "value": new}
        return
    stretches = zip(
        [0, *(index + 1 for index in old_at)],
        [*old_at, len(old)],
        [0, *(index + 1 for index in new_at)],
        [*new_at, len(new)],
        strict=True,
    )
    # From the end, so that the indices of what comes before stay those of the old list.
    for old_from, old_to, new_from, new_to in reversed(list(stretches)):
        if old_to < len(old):
            yield from _values(old[old_to], new[new_to], f"{path}/{old_to}")
        yield from _block(old[old_from:old_to], new[new_from:new_to], path, old_from)


def _block(old: list[Any], new: list[Any], path: str, start: int) -> Iterator[Operation]:
    """Turn a stretch of a list, which begins at index ``start``, into another."""
    common = min(len(old), len(new))
    for index in reversed(range(common, len(old))):
        yield {"op": "remove", "path": f"{path}/{start + index}"}
    for index in range(common, len(new)):
        yield {"op": "add", "path": f"{path}/{start + index}", "value": new[index]}
    for index in range(common):
        yield from _values(old[index], new[index], f"{path}/{start + index}")


def _identities(items: list[Any]) -> list[Hashable]:
    """Return what tells of each item whether another list has a version of it.

    It is the name of an object that has one, else the whole item as JSON, and how many of these
    came before it.
    """
    seen: Counter[str | bytes] = Counter()
    identities: list[Hashable] = []
    for item in items:
        name = item.get("name") if isinstance(item, dict) else None
        what = name if isinstance(name, str) else orjson.dumps(item, option=orjson.OPT_SORT_KEYS)
        identities.append((what, seen[what]))
        seen[what] += 1
    return identities


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
