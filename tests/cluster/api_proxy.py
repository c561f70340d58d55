"""A proxy before a real API server that misbehaves on command; TLS on both sides.

``with ApiProxy(control_plane, folder) as proxy: proxy.misbehave(refused(500), times=2)``.  What
comes from the server is passed on as it comes, so that watches run through it.  Faults:

- ``misbehave``: the next requests that match are answered by a fault in place of the server;
- ``freeze``: nothing is passed on any more, and every connection stays open;
- ``cut``: all connections end, and new ones are taken.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.autoscaler.sources.prometheus.certificates import Authority
from tests.cluster.control_plane import ControlPlane
from tests.cluster.identities import ADMIN, write_kubeconfig
from tests.components.fault_proxy import server_tls

PIECE_BYTES = 2**16
PASSED_ON = ("Accept", "Authorization", "Content-Type", "User-Agent")
GIVEN_BACK = ("Content-Type", "Retry-After")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    time_s: float
    """By the monotonic clock."""

    @property
    def is_watch(self):
        return self.query.get("watch") == "true"

    @property
    def is_list(self):
        return self.method == "GET" and not self.is_watch


def is_any(_asked):
    return True


def is_watch(asked):
    return asked.is_watch


def is_list(asked):
    return asked.is_list


Fault = Callable[["_Handler", Callable[[], None]], None]
"""Gets the handler of a request, and what would pass it on."""


def refused(code, *, reason="", message="as the test wants it", **headers):
    """Answer with a ``Status``; in names of headers ``_`` stands for ``-``."""

    def fault(handler, _honest):
        handler.reply(code, status_json(code, reason, message), headers)

    return fault


def error_event(code, *, reason="Expired", message="too old resource version"):
    """Begin the watch well, and say in an event what is wrong."""

    def fault(handler, _honest):
        event = {"type": "ERROR", "object": json.loads(status_json(code, reason, message))}
        handler.reply(200, json.dumps(event).encode() + b"\n", {})

    return fault


def late(delay_s):
    """Pass the request on, but not at once."""

    def fault(handler, honest):
        handler.proxy.stopped.wait(delay_s)
        honest()

    return fault


def ended_at_once(handler, _honest):
    """Answer a watch well, with nothing in it."""
    handler.reply(200, b"", {})


def hung_up(handler, _honest):
    """End the connection without an answer."""
    handler.close_connection = True


def status_json(code, reason, message):
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
    return json.dumps(status | {"reason": reason, "message": message}).encode()


class ApiProxy:
    """Passes requests on to the API server of a control plane."""

    def __init__(self, control_plane: ControlPlane, folder: Path) -> None:
        self.asked: list[Asked] = []
        self.stopped = threading.Event()
        self.upstream = urlsplit(control_plane.url)
        self.upstream_tls = ssl.create_default_context(cafile=str(control_plane.ca_file))
        self._folder = folder
        self._authority = Authority(folder, "proxy-ca")
        self._passing = threading.Event()
        self._passing.set()
        self._faults: list[tuple[Callable[[Asked], bool], Fault, int | None]] = []
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self._server.tls = server_tls(*self._authority.issue("127.0.0.1"))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self):
        return f"https://127.0.0.1:{self._server.server_port}"

    def kubeconfig(self, user: str = ADMIN) -> Path:
        """Write a kubeconfig that asks through the proxy."""
        path = self._folder / f"kubeconfig-of-{user}"
        return write_kubeconfig(path, url=self.url, ca_file=self._authority.certificate, user=user)

    def misbehave(self, fault, *, of=is_any, times=None):
        """Answer the next ``times`` requests that match, or all until ``heal``, with a fault."""
        with self._lock:
            self._faults.append((of, fault, times))

    def heal(self):
        with self._lock:
            self._faults.clear()

    def freeze(self):
        """Pass nothing on, in either direction, and keep all connections open."""
        self._passing.clear()

    def thaw(self):
        self._passing.set()

    def cut(self):
        """End all connections, also in the middle of an answer."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def count(self, of=is_any):
        return sum(of(asked) for asked in list(self.asked))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self._passing.set()
        self.cut()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fault_of(self, asked):
        with self._lock:
            self.asked.append(asked)
            for number, (of, fault, times) in enumerate(self._faults):
                if not of(asked):
                    continue
                if times == 1:
                    del self._faults[number]
                elif times is not None:
                    self._faults[number] = (of, fault, times - 1)
                return fault
        return None

    def wait_while_frozen(self):
        while not self._passing.wait(0.1) and not self.stopped.is_set():
            pass

    def note(self, connection, *, is_open):
        with self._lock:
            (self._open.add if is_open else self._open.discard)(connection)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    tls: ssl.SSLContext

    def get_request(self):
        connection, address = super().get_request()
        # The handshake is made by the thread of the connection.
        tls = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return tls, address

    def handle_error(self, *_):
        """Say nothing: that connections break is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: ApiProxy

    def setup(self):
        super().setup()
        self.proxy.note(self.connection, is_open=True)

    def finish(self):
        self.proxy.note(self.connection, is_open=False)
        with suppress(OSError):
            super().finish()

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
        place = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(place.query).items()}
        asked = Asked(method=self.command, path=place.path, query=query, time_s=time.monotonic())
        fault = self.proxy.fault_of(asked)
        self.proxy.wait_while_frozen()
        if fault is None:
            self.pass_on(body)
        else:
            fault(self, lambda: self.pass_on(body))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - as http.server calls

    def reply(self, code, body, headers):
        self.send_response_only(code)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in ({"Content-Type": "application/json"} | named).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def pass_on(self, body):
        upstream = http.client.HTTPSConnection(
            self.proxy.upstream.hostname, self.proxy.upstream.port, context=self.proxy.upstream_tls
        )
        sock = None
        try:
            headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
            upstream.request(self.command, self.path, body, headers)
            sock = upstream.sock
            self.proxy.note(sock, is_open=True)
            self._pass_back(upstream.getresponse())
        except (OSError, http.client.HTTPException):
            # What broke on one side breaks on the other one.
            self.close_connection = True
        finally:
            self.proxy.note(sock, is_open=False)
            upstream.close()

    def _pass_back(self, response):
        self.send_response_only(response.status)
        for name in GIVEN_BACK:
            if response.headers.get(name):
                self.send_header(name, response.headers[name])
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while piece := response.read1(PIECE_BYTES):
            self.proxy.wait_while_frozen()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass
