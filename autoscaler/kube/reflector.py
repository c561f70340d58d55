"""Keeps a store equal to what the API server has of one kind, through all that can go wrong.

A paged list, then a watch from its version on.  A stream in which nothing comes, not even a
bookmark, is given up; a version that the server dropped is listed anew; everything else is tried
again with growing waits, so that no fault makes it ask in a loop.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from autoscaler.errors import ExpiredError, KubeError, NotFoundError
from autoscaler.kube.api_server import PAGE, ApiServer
from autoscaler.kube.backoff import Backoff
from autoscaler.kube.resource import Resource
from autoscaler.kube.status_errors import error_of_status
from autoscaler.kube.store import Store
from autoscaler.kube.watch_stream import WatchStream

READ_TIMEOUT_S = 70.0
"""A healthy stream has a bookmark every minute."""
SERVER_TIMEOUT_S = (240.0, 300.0)
"""After which the server ends a stream: at random, so that not all begin anew at once."""
STEADY_S = 10.0
"""A stream that lived so long ends a row of failures."""
LONGEST_RETRY_AFTER_S = 120.0
FAILURES_UNTIL_LIST = 5
"""Where watching fails so often in a row, the version may be the reason: one from the future."""
STOP_S = 1.0
"""How long ``stop`` waits; a thread that still connects then ends by itself, and stores nothing."""
_log = logging.getLogger("autoscaler.kube")


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheCounts:
    """How a reflector does."""

    resource: str
    """Plural name of the kind, with its group where it has one."""
    objects: int
    age_s: float
    """Since the last event, bookmark or list; since the start where there was none."""
    relists: int
    """Lists after the first one."""
    failures: int
    """Lists and watches that failed."""
    listener_failures: int
    """What listeners and indexes of the store raised."""
    last_error: str
    """Empty where the last list or watch went well."""
    is_synced: bool
    """Whether there was a complete list."""


def without_managed_fields(obj: dict[str, Any]) -> dict[str, Any]:
    """Drop the record of who set which field, often half of an object."""
    obj["metadata"].pop("managedFields", None)
    return obj


class Reflector:
    """One thread that lists and watches one kind, or the part of it that selectors choose."""

    def __init__(
        self,
        api: ApiServer,
        resource: Resource,
        *,
        store: Store | None = None,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        is_metadata_only: bool = False,
        keep: Callable[[dict[str, Any]], dict[str, Any]] = without_managed_fields,
        page: int = PAGE,
        read_timeout_s: float = READ_TIMEOUT_S,
        backoff: Backoff | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
        random_share: Callable[[], float] = random.random,
    ) -> None:
        """``keep`` returns what is stored of an object, which it may change."""
        self.store = Store() if store is None else store
        self._api = api
        self._resource = resource
        self._what: dict[str, Any] = {
            "namespace": namespace,
            "label_selector": label_selector,
            "field_selector": field_selector,
            "is_metadata_only": is_metadata_only,
        }
        self._keep = keep
        self._page = page
        self._read_timeout_s = read_timeout_s
        self._backoff = Backoff() if backoff is None else backoff
        self._monotonic_s = monotonic_s
        self._random_share = random_share
        self._thread = threading.Thread(
            target=self._run, name=f"reflector-{resource.plural}", daemon=True
        )
        self._stopped = threading.Event()
        self._synced = threading.Event()
        self._lock = threading.Lock()
        self._stream: WatchStream | None = None
        self._version = ""
        """To watch from; empty: list first."""
        self._is_paged = True
        self._failures_in_a_row = 0
        self._has_expired = False
        """Whether a version was dropped since a stream was steady."""
        self._seen_s = monotonic_s()
        self._lists = 0
        self._failures = 0
        self._last_error = ""
        self._told = ""
        """What was logged last; empty once the server told something again."""

    def start(self) -> None:
        """Begin; once."""
        self._seen_s = self._monotonic_s()
        self._thread.start()

    def stop(self) -> None:
        """End within about a second, whatever the thread waits for; the store stays as it is."""
        self._stopped.set()
        with self._lock:
            if self._stream is not None:
                self._stream.close()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    @property
    def has_synced(self) -> bool:
        """Return whether the store has held a complete list."""
        return self._synced.is_set()

    def wait_until_synced(self, timeout_s: float) -> bool:
        """Wait for the first complete list; return whether it came."""
        return self._synced.wait(timeout_s)

    def snapshot(self) -> CacheCounts:
        """Return counts of now."""
        group = f".{self._resource.group}" if self._resource.group else ""
        return CacheCounts(
            resource=f"{self._resource.plural}{group}",
            objects=len(self.store),
            age_s=max(self._monotonic_s() - self._seen_s, 0.0),
            relists=max(self._lists - 1, 0),
            failures=self._failures,
            listener_failures=self.store.failures,
            last_error=self._last_error,
            is_synced=self.has_synced,
        )

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._list_where_needed()
                self._watch()
            except _StoppedError:
                return
            except KubeError as error:
                if not self._stopped.is_set():
                    self._failed(error)
            except Exception as error:  # noqa: BLE001 - ended, it would leave a store that grows old
                _log.exception("%s: the reflector failed; it lists again", self._resource.plural)
                self._version = ""
                self._failed(error)

    def _list_where_needed(self) -> None:
        if self._version:
            return
        try:
            self.store.replace(self._listed())
        except ExpiredError:
            # Pages that come too slowly would expire again: the next try asks for all at once.
            self._is_paged = False
            raise
        self._is_paged = True
        self._lists += 1
        self._synced.set()

    def _listed(self) -> Iterator[dict[str, Any]]:
        page = self._page if self._is_paged else 0
        version = ""
        for items, of_the_list in self._api.pages(self._resource, page=page, **self._what):
            self._seen()
            version = of_the_list
            for item in items:
                yield self._keep(item)
        self._version = version

    def _watch(self) -> None:
        begin_s = self._monotonic_s()
        shortest_s, longest_s = SERVER_TIMEOUT_S
        stream = self._api.watch(
            self._resource,
            resource_version=self._version,
            server_timeout_s=shortest_s + self._random_share() * (longest_s - shortest_s),
            read_timeout_s=self._read_timeout_s,
            **self._what,
        )
        with self._lock:
            self._stream = stream
            if self._stopped.is_set():
                stream.close()
        self._last_error = ""
        try:
            for event in stream:
                self._take(event)
        finally:
            stream.close()
            if self._monotonic_s() - begin_s >= STEADY_S:
                self._backoff.reset()
                self._failures_in_a_row = 0
                self._has_expired = False
        if self._monotonic_s() - begin_s < STEADY_S:
            self._pause(self._backoff.next_s())

    def _take(self, event: dict[str, Any]) -> None:
        self._seen()
        kind, obj = event["type"], event["object"]
        match kind:
            case "ADDED" | "MODIFIED":
                self.store.put(self._keep(obj))
            case "DELETED":
                self.store.remove(self._keep(obj))
            case "ERROR":
                raise error_of_status(f"watch of {self._resource.plural}", obj)
            case "BOOKMARK":
                pass
            case _:
                raise KubeError(f"watch of {self._resource.plural}: unknown event {kind!r}")
        self._version = obj["metadata"]["resourceVersion"]
        self._failures_in_a_row = 0

    def _seen(self) -> None:
        """Note that the server told something; once stopped, nothing more is stored."""
        if self._stopped.is_set():
            raise _StoppedError
        self._seen_s = self._monotonic_s()
        self._last_error = ""
        if self._told:
            _log.info("%s: the API server answers again", self._resource.plural)
            self._told = ""

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        self._failures_in_a_row += 1
        self._last_error = str(error) or type(error).__name__
        if isinstance(error, NotFoundError):
            self._last_error += "; is this kind installed?"
        is_expired = isinstance(error, ExpiredError)
        if is_expired or self._failures_in_a_row % FAILURES_UNTIL_LIST == 0:
            self._version = ""
        if is_expired and not self._has_expired:
            # After an outage the server often has only newer versions; it answers, though, so that
            # the list need not wait as long as the last try of the outage did.
            self._backoff.reset()
            self._has_expired = True
        asked_s = getattr(error, "retry_after_s", None) or 0.0
        wait_s = max(self._backoff.next_s(), min(asked_s, LONGEST_RETRY_AFTER_S))
        if self._last_error != self._told:
            _log.warning("%s; again in %.1f s", self._last_error, wait_s)
            self._told = self._last_error
        self._pause(wait_s)

    def _pause(self, wait_s: float) -> None:
        self._stopped.wait(wait_s)


class _StoppedError(Exception):
    """Nobody wants to know any more."""
