"""A Service of the loopback: each new connection goes to one of the endpoints, and stays there.

It stands for what the API server of a cluster reaches through its network; TLS passes untouched.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from types import TracebackType
from typing import Self

from tests.components.processes import LOOPBACK

PIECE_BYTES = 2**16


class ServiceDouble:
    """Use it as a context manager; ``ports`` returns the ports of the endpoints that are ready."""

    def __init__(self, ports: Callable[[], Sequence[int]]) -> None:
        self._server = _Server((LOOPBACK, 0), ports)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"https://{LOOPBACK}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], ports: Callable[[], Sequence[int]]) -> None:
        super().__init__(address, _Connection)
        self._ports = ports
        self._turns = count()

    def endpoint(self) -> socket.socket | None:
        """Return a connection to the endpoint whose turn it is; None where there is none."""
        ports = self._ports()
        if not ports:
            return None
        return socket.create_connection((LOOPBACK, ports[next(self._turns) % len(ports)]))


class _Connection(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        with suppress(OSError):
            endpoint = self.server.endpoint()
            if endpoint is None:
                return
            with endpoint:
                back = threading.Thread(target=_pass_on, args=(endpoint, self.request))
                back.start()
                _pass_on(self.request, endpoint)
                back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes until it ends, and its end."""
    with suppress(OSError):
        while piece := source.recv(PIECE_BYTES):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
