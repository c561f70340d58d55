"""The events of one watch as they come, until the server, the network or another thread ends it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Self

import orjson
import urllib3

from autoscaler.errors import ApiUnavailableError
from autoscaler.kube.nesting import read_json
from autoscaler.kube.paging import named
from autoscaler.kube.resource import Resource
from autoscaler.kube.transport import READ_BYTES, Question, Transport


class WatchStream(Iterator[dict[str, Any]]):
    """Raw events ``{"type", "object"}`` of a watch.

    It ends where the server ends it in order, and where ``close`` was called.  Next raises a
    ``KubeError`` where the connection breaks or nothing comes for ``read_timeout_s``; an event of
    type ``ERROR`` is an event like others.  Raises a ``KubeError`` where the watch is refused.
    """

    def __init__(
        self,
        transport: Transport,
        resource: Resource,
        question: Question,
        *,
        read_timeout_s: float,
    ) -> None:
        self._transport = transport
        self._resource = resource
        self._question = question
        self._read_timeout_s = read_timeout_s
        self._reading = threading.Lock()
        self._is_closed = False
        self._begun = b""
        self._lines: list[bytes] = []
        self._answer = transport.open(question, read_timeout_s=read_timeout_s)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> dict[str, Any]:
        while not self._lines:
            self._read()
        return self._event(self._lines.pop())

    def close(self) -> None:
        """End the stream; any thread may, also while another one waits for the next event."""
        self._is_closed = True
        # A stream that has just ended by itself has given its connection away.
        with suppress(ValueError, RuntimeError, OSError):
            self._answer.shutdown()
        # Who reads just now notices, and closes it: closing would wait for the reading.
        if self._reading.acquire(blocking=False):
            try:
                self._answer.close()
            finally:
                self._reading.release()

    def _read(self) -> None:
        data, failure = b"", None
        with self._reading:
            try:
                if not self._is_closed:
                    data = self._answer.read1(READ_BYTES)
            except (OSError, urllib3.exceptions.HTTPError) as error:
                failure = self._transport.failed(self._question, error, self._read_timeout_s)
            if self._is_closed:
                # A TLS socket that another thread shut down hands out its records as they came.
                data = b""
            if not data:
                self._answer.close()
        if failure is not None and not self._is_closed:
            raise failure
        if not data:
            raise StopIteration
        *whole, self._begun = (self._begun + data).split(b"\n")
        # The next one is taken from the end.
        self._lines = [line for line in reversed(whole) if line]

    def _event(self, line: bytes) -> dict[str, Any]:
        try:
            event = read_json(line)
        except orjson.JSONDecodeError:
            event = None
        if not (isinstance(event, dict) and isinstance(event.get("object"), dict)):
            self.close()
            text = f"{self._question}: a line of {len(line)} bytes of the watch is no event"
            raise ApiUnavailableError(text)
        if event.get("type") != "ERROR":
            named(self._resource, event["object"])
        return event
