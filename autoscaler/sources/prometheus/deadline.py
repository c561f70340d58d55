"""Ends an HTTP exchange at a deadline, however slowly its bytes come.

The timeouts of ``requests`` hold for one read from the socket, so that a server that sends a byte
each second, in the headers or in the body, is never too slow.  Here each read gets only the time
that is left, and the addresses of a host that has many share it.
"""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection


class Deadline:
    """The end of the exchange that is going on."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._end_s = monotonic_s()

    def start(self, seconds: float) -> None:
        """Begin an exchange that may take so long."""
        self._end_s = self._monotonic_s() + seconds

    def left_s(self) -> float:
        """Return the time left.  Raises ``TimeoutError`` where there is none."""
        left_s = self._end_s - self._monotonic_s()
        if left_s <= 0:
            raise TimeoutError("the deadline has passed")
        return left_s


class DeadlineAdapter(HTTPAdapter):
    """A transport whose responses end at a deadline, and that never repeats a request."""

    def __init__(self, deadline: Deadline) -> None:
        self._pool_classes = _pool_classes(deadline)
        super().__init__(max_retries=Retry(0, read=False))

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Return the pools of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._pool_classes
        return manager


def _pool_classes(deadline: Deadline) -> dict[str, type[HTTPConnectionPool]]:
    """Return pools whose connections read under the deadline.

    ``urllib3`` makes connections and responses by class and hands them no values of ours, so that
    the deadline is bound here.
    """

    class Response(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
            # All that the base class does with a socket is to make a file of it.
            super().__init__(_Readable(sock, deadline), *args, **kwargs)  # type: ignore[arg-type]

    class PlainConnection(HTTPConnection):
        response_class = Response

        def _new_conn(self) -> socket.socket:
            self.timeout = _of_one_address(self._dns_host, self.timeout, deadline)
            return super()._new_conn()

    class TlsConnection(HTTPSConnection):
        response_class = Response

        def _new_conn(self) -> socket.socket:
            self.timeout = _of_one_address(self._dns_host, self.timeout, deadline)
            return super()._new_conn()

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = PlainConnection

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = TlsConnection

    return {"http": PlainPool, "https": TlsPool}


def _of_one_address(host: str, timeout_s: object, deadline: Deadline) -> float:
    """Return how long connecting to one address of a host may take: ``urllib3`` tries each."""
    with suppress(OSError, UnicodeError):
        # A host without an address is told by whoever connects.
        addresses = len(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
        share_s = deadline.left_s() / addresses
        return min(timeout_s, share_s) if isinstance(timeout_s, int | float) else share_s
    return deadline.left_s()


class _Readable:
    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._sock, self._deadline))


class _TimedReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self._file = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.left_s())
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()
