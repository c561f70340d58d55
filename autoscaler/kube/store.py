"""The objects of one kind as they were last seen, by name and by indexes, for any thread.

Who keeps a store up to date is the one writer of it (``reflector``); everybody else reads, or
listens to what changes.  Objects are shared with all readers and therefore never changed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Object = Mapping[str, Any]
"""A Kubernetes object; never changed."""
Key = tuple[str, str]
"""Namespace, empty for kinds without, and name."""
KeysOf = Callable[[Object], Iterable[str]]
_log = logging.getLogger("autoscaler.kube")


class ChangeKind(StrEnum):
    """What happened to an object."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of one object; an object that was made anew is deleted and added."""

    kind: ChangeKind
    old: Object | None
    """None where it was added; of a deleted one the last state that was seen."""
    new: Object | None
    """None where it was deleted."""

    @property
    def obj(self) -> Object:
        """Return the object in its newest state."""
        found = self.old if self.new is None else self.new
        assert found is not None
        return found


class Store:
    """Objects by (namespace, name); thread-safe, with one writer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[Key, Object] = {}
        self._keys_of: dict[str, KeysOf] = {}
        self._indexes: dict[str, dict[str, dict[Key, Object]]] = {}
        self._listeners: list[Callable[[Change], None]] = []
        self._failures = 0

    def add_index(self, name: str, keys_of: KeysOf) -> None:
        """Find objects by further keys: those that ``keys_of`` returns for each of them.

        Where it raises, that is logged and counted, and the object has no key.
        Raises ``ValueError`` where there is an index of that name.
        """
        with self._lock:
            if name in self._indexes:
                raise ValueError(f"there is an index {name!r} already")
            self._keys_of[name] = keys_of
            self._indexes[name] = {}
            for key, obj in self._objects.items():
                self._enter(name, key, obj)

    def on_change(self, listener: Callable[[Change], None]) -> None:
        """Call a function with each change from now on, after the store shows it.

        It is called in the thread of the writer, which waits for it; what it raises is logged and
        counted.
        """
        with self._lock:
            self._listeners.append(listener)

    def get(self, namespace: str | None, name: str) -> Object | None:
        """Return an object; None where there is none."""
        return self._objects.get((namespace or "", name))

    def items(self) -> tuple[Object, ...]:
        """Return all objects, in no order."""
        with self._lock:
            return tuple(self._objects.values())

    def sorted(self) -> tuple[Object, ...]:
        """Return all objects by namespace and name."""
        with self._lock:
            return _in_order(self._objects)

    def indexed(self, index: str, key: str) -> tuple[Object, ...]:
        """Return the objects with a key, by namespace and name.

        Raises ``KeyError`` where there is no such index.
        """
        with self._lock:
            return _in_order(self._indexes[index].get(key, {}))

    def __len__(self) -> int:
        return len(self._objects)

    @property
    def failures(self) -> int:
        """Return how often a listener, or the function of an index, raised something."""
        return self._failures

    def put(self, obj: Object) -> None:
        """Take an object as it is now; one of the version that is here changes nothing."""
        self._tell(self._put(obj))

    def remove(self, obj: Object) -> None:
        """Forget an object, whose last state is given."""
        if self._forget(key_of(obj)) is not None:
            self._tell([Change(kind=ChangeKind.DELETED, old=obj, new=None)])

    def replace(self, objects: Iterable[Object]) -> None:
        """Take these objects for all that there are; those that are not among them are deleted."""
        seen = set()
        for obj in objects:
            seen.add(key_of(obj))
            self.put(obj)
        for key in [key for key in self._objects if key not in seen]:
            gone = self._forget(key)
            self._tell([Change(kind=ChangeKind.DELETED, old=gone, new=None)])

    def _put(self, obj: Object) -> list[Change]:
        key = key_of(obj)
        with self._lock:
            old = self._objects.get(key)
            if old is not None and _version(old) == _version(obj):
                return []
            if old is not None:
                self._leave(key, old)
            self._objects[key] = obj
            for name in self._indexes:
                self._enter(name, key, obj)
        if old is None:
            return [Change(kind=ChangeKind.ADDED, old=None, new=obj)]
        if old["metadata"].get("uid") == obj["metadata"].get("uid"):
            return [Change(kind=ChangeKind.MODIFIED, old=old, new=obj)]
        return [
            Change(kind=ChangeKind.DELETED, old=old, new=None),
            Change(kind=ChangeKind.ADDED, old=None, new=obj),
        ]

    def _forget(self, key: Key) -> Object | None:
        with self._lock:
            old = self._objects.pop(key, None)
            if old is not None:
                self._leave(key, old)
            return old

    def _enter(self, name: str, key: Key, obj: Object) -> None:
        for value in self._index_keys(name, obj):
            self._indexes[name].setdefault(value, {})[key] = obj

    def _leave(self, key: Key, obj: Object) -> None:
        for name, index in self._indexes.items():
            for value in self._index_keys(name, obj):
                index[value].pop(key, None)
                if not index[value]:
                    del index[value]

    def _index_keys(self, name: str, obj: Object) -> set[str]:
        try:
            return set(self._keys_of[name](obj))
        except Exception:  # noqa: BLE001 - see _failed
            self._failed(f"the index {name}", obj)
            return set()

    def _tell(self, changes: Iterable[Change]) -> None:
        for change in changes:
            for listener in self._listeners:
                try:
                    listener(change)
                except Exception:  # noqa: BLE001 - see _failed
                    self._failed(f"a listener to {change.kind}", change.obj)

    def _failed(self, who: str, obj: Object) -> None:
        # What others do with an object must neither end the writer nor hide the object.
        self._failures += 1
        namespace, name = key_of(obj)
        _log.exception("%s failed on %s %s/%s", who, obj.get("kind"), namespace, name)


def key_of(obj: Object) -> Key:
    """Return what an object is found by."""
    metadata = obj["metadata"]
    return metadata.get("namespace") or "", metadata["name"]


def _version(obj: Object) -> tuple[object, object]:
    metadata = obj["metadata"]
    return metadata.get("uid"), metadata.get("resourceVersion")


def _in_order(objects: Mapping[Key, Object]) -> tuple[Object, ...]:
    return tuple(obj for _, obj in sorted(objects.items(), key=lambda item: item[0]))
