"""Pods as they come, change and go: a list and a watch of all pods, again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from autoscaler.kube.resource import PODS
from tests.cluster.rest import Rest, UnreachableError, Watch

Object = Mapping[str, Any]
AGAIN_S = 0.02
DEADLINE_S = 30.0


class PodWatch:
    """A thread that hands on whole lists and single events of the pods that are meant.

    After an outage of the API server comes a whole list again.
    """

    def __init__(
        self,
        rest: Rest,
        is_meant: Callable[[Object], bool],
        *,
        on_list: Callable[[Sequence[Object]], None],
        on_event: Callable[[Object], None],
    ) -> None:
        self._rest = rest
        self._is_meant = is_meant
        self._on_list = on_list
        self._on_event = on_event
        self._is_ending = threading.Event()
        self._watch: Watch | None = None
        self._thread = threading.Thread(target=self._follow, name="pod-watch", daemon=True)

    def start(self) -> None:
        """Begin with a list."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and the stream that it reads."""
        self._is_ending.set()
        if self._watch is not None:
            self._watch.end()
        self._thread.join(DEADLINE_S)

    def _follow(self) -> None:
        while not self._is_ending.is_set():
            with suppress(UnreachableError):
                self._list_and_watch()
            self._is_ending.wait(AGAIN_S)

    def _list_and_watch(self) -> None:
        listed = self._rest.get(PODS.path())
        self._on_list([pod for pod in listed["items"] if self._is_meant(pod)])
        watch = self._watch = self._rest.watch(PODS.path(), listed["metadata"]["resourceVersion"])
        if self._is_ending.is_set():
            watch.end()
        for event in watch.events():
            if event["type"] == "ERROR":
                return
            if self._is_meant(event["object"]):
                self._on_event(event)
