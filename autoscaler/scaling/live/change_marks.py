"""What changed since it was last asked, noted by any thread and taken by one."""

from __future__ import annotations

from threading import Lock

from autoscaler.kube.store import Change, Key, Store, key_of


class Marks:
    """Keys of objects that are to be looked at; thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._marked: set[Key] = set()

    def mark(self, key: Key) -> None:
        """Note (namespace, name) of an object."""
        with self._lock:
            self._marked.add(key)

    def take(self) -> set[Key]:
        """Return what was noted since the last call."""
        with self._lock:
            taken, self._marked = self._marked, set()
        return taken


class StoreMarks:
    """The objects of one store that were added, changed or deleted; thread-safe."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._marks = Marks()
        store.on_change(self._note)
        # What was there before somebody listened is new too.
        for obj in store.items():
            self._marks.mark(key_of(obj))

    def take(self) -> set[Key]:
        """Return (namespace, name) of what changed since the last call; the store shows it."""
        return self._marks.take()

    def _note(self, change: Change) -> None:
        self._marks.mark(key_of(change.obj))
