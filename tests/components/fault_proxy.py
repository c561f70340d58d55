"""A real HTTP server before a Prometheus, or in its place, that misbehaves on command.

``with FaultProxy(upstream) as proxy: proxy.misbehave(cut(100), times=1)``.  A fault is a function
that writes an answer, right or wrong, to the wire; it may ask for the honest one first.  The faults
themselves are in ``http_faults``.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

JSON = {"Content-Type": "application/json"}
EMPTY = b'{"status":"success","data":{"resultType":"vector","result":[]}}'
HOP_HEADERS = {"connection", "content-length", "date", "host", "server", "transfer-encoding"}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request as it came over the wire; names of headers are in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int
    """The TCP connection that it came by, counted from 0."""

    @property
    def form(self):
        return dict(parse_qsl(self.body.decode()))


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: dict(JSON))
    body: bytes = EMPTY


class Wire:
    """The way to the client of one request."""

    def __init__(self, handler, stopped):
        self._handler = handler
        self.stopped = stopped
        self.seen = None

    def head(self, status=200, headers=JSON):
        self._handler.send_response_only(status)
        for name, value in ({"Date": formatdate(usegmt=True)} | dict(headers)).items():
            self._handler.send_header(name, value)
        self._handler.end_headers()

    def write(self, data):
        self._handler.wfile.write(data)
        self._handler.wfile.flush()

    def send(self, reply):
        self.head(reply.status, dict(reply.headers) | {"Content-Length": str(len(reply.body))})
        self.write(reply.body)

    def close(self):
        self._handler.close_connection = True

    def reset(self):
        """End the connection by RST instead of FIN."""
        connection = self._handler.connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(connection.detach())
        self.close()


Fault = Callable[[Wire, Callable[[], Reply]], None]


class FaultProxy:
    """Forwards to ``upstream``; without one answers ``answer(seen)``."""

    def __init__(self, upstream=None, *, answer=lambda _seen: Reply(), tls=None):
        self.seen = []
        self.errors = []
        self._upstream = upstream
        self._answer = answer
        self._tls = tls
        self._faults = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._open = set()
        self._connections = 0
        self._port = 0
        self._server = None
        self.accept()

    @property
    def url(self):
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self._port}"

    def misbehave(self, fault, *, times=None):
        """Answer the next ``times`` requests, or all until ``heal``, with a fault."""
        with self._lock:
            self._faults += [fault] * times if times is not None else [[fault]]

    def heal(self):
        with self._lock:
            self._faults.clear()

    def refuse(self):
        """Listen no more: connections are refused."""
        self._stopped.set()
        self._server.shutdown()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._thread.join()

    def accept(self):
        """Listen, again on the same port."""
        self._stopped = threading.Event()
        self._server = _Server(("127.0.0.1", self._port), _handler_of(self))
        self._server.proxy = self
        self._port = self._server.server_address[1]
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.refuse()
        assert self.errors == []

    def _fault(self):
        with self._lock:
            if not self._faults:
                return _well
            if isinstance(self._faults[0], list):
                return self._faults[0][0]
            return self._faults.pop(0)

    def _reply(self, seen):
        if self._upstream is None:
            return self._answer(seen)
        place = urlsplit(self._upstream)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
        try:
            headers = {n: v for n, v in seen.headers.items() if n not in HOP_HEADERS}
            connection.request(seen.method, place.path + seen.path, seen.body or None, headers)
            response = connection.getresponse()
            kept = {n: v for n, v in response.getheaders() if n.lower() not in HOP_HEADERS}
            return Reply(status=response.status, headers=kept, body=response.read())
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    proxy = None

    def shutdown_request(self, request):
        if isinstance(request, ssl.SSLSocket):
            # Bytes that nobody read would turn the end, and an alert before it, into a reset.
            with suppress(OSError):
                request.settimeout(1)
                request.shutdown(socket.SHUT_WR)
                while request.recv(65536):
                    pass
        super().shutdown_request(request)

    def handle_error(self, _request, _address):
        error = sys.exc_info()[1]
        # A client that gives up is what these tests are about.
        if not isinstance(error, OSError):
            self.proxy.errors.append(error)


def _handler_of(proxy):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self):
            super().setup()
            with proxy._lock:
                proxy._open.add(self.connection)
                self.number = proxy._connections
                proxy._connections += 1

        def finish(self):
            with proxy._lock:
                proxy._open.discard(self.connection)
            with suppress(OSError):
                super().finish()

        def answer(self):
            length = int(self.headers.get("Content-Length", 0))
            seen = Seen(
                method=self.command,
                path=self.path,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length),
                connection=self.number,
            )
            proxy.seen.append(seen)
            wire = Wire(self, proxy._stopped)
            proxy._fault()(wire, lambda: proxy._reply(seen))

        do_GET = do_POST = answer  # noqa: N815 - the names that http.server calls

        def log_message(self, *_):
            pass

    return Handler


def _well(wire, honest):
    wire.send(honest())


def server_tls(certificate, key, client_ca=None):
    """Return the context of a TLS server; with a CA it asks for a certificate of the client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
