"""The JSON Patch (RFC 6902) that turns one object into another.

Lists of named objects (containers, volumes, environment) are matched by name, so that one new
entry is one operation.  Applying patches is the API server's work and not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

import orjson

from autoscaler.webhook.admission import Operation

_MOST_COMPARISONS = 250_000
"""Longer lists are replaced whole: matching takes quadratic time, and a user chooses the length."""


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
    if len(old) * len(new) > _MOST_COMPARISONS:
        yield {"op": "replace", "path": path, "value": new}
        return
    old_keys, new_keys = [_identity(item) for item in old], [_identity(item) for item in new]
    blocks = SequenceMatcher(None, old_keys, new_keys, autojunk=False).get_opcodes()
    # From the end, so that the indices of what comes before stay those of the old list.
    for _, old_from, old_to, new_from, new_to in reversed(blocks):
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


def _identity(item: object) -> str | bytes:
    """Return what tells whether two items of a list are versions of the same thing.

    The name of an object that has one, else the whole item as JSON.
    """
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) else orjson.dumps(item, option=orjson.OPT_SORT_KEYS)


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
