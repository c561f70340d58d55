"""A webhook as small as it can be: it admits everything, and loads its certificate while it runs.

It changes nothing unless ``patch`` says so.

Every answer ends its connection, so that each admission makes a new one: connections that stay open
would hide a certificate that is not trusted.
"""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from autoscaler.api.names import CERTIFICATE_SECRET, NAMESPACE
from autoscaler.errors import KubeError
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.certificate_secret import read_stored
from autoscaler.kube.certificates import KeyPair
from autoscaler.kube.resource import SECRETS
from tests.components.processes import LOOPBACK

LOOK_EVERY_S = 0.05


class AdmissionServer:
    """One webhook process; use it as a context manager."""

    def __init__(self, port: int = 0) -> None:
        self.asked: list[dict] = []
        """The requests of all reviews."""
        self.serving: KeyPair | None = None
        self.patch: Callable[[dict], list] = lambda _obj: []
        """Object to the operations (JSON Patch) that it is answered with."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server = _Server((LOOPBACK, port), self)
        self._stopped = threading.Event()
        self._is_following = True
        self._threads = [threading.Thread(target=self._server.serve_forever, args=(0.05,))]

    @property
    def endpoint(self) -> tuple[str, int]:
        """Address and port."""
        return LOOPBACK, self._server.server_port

    @property
    def url(self) -> str:
        """Where it is called."""
        return f"https://{LOOPBACK}:{self._server.server_port}"

    def load(self, pair: KeyPair) -> None:
        """Serve another certificate from the next connection on."""
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder, "certificate"), Path(folder, "key")
            certificate.write_text(pair.certificate, encoding="ascii")
            key.write_text(pair.key, encoding="ascii")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            # Not into the context in use: handshakes of other threads would see half of the pair.
            context.load_cert_chain(certificate, key)
        self._context = context
        self.serving = pair

    def follow(self, api: ApiServer) -> None:
        """Load what the Secret holds, now and whenever it changes."""
        thread = threading.Thread(target=self._follow, args=(api,))
        self._threads.append(thread)
        thread.start()

    def follow_nothing(self) -> None:
        """Serve what is served now, whatever the Secret holds."""
        self._is_following = False

    def secured(self, connection):
        """Return a connection after the handshake."""
        return self._context.wrap_socket(connection, server_side=True)

    def _follow(self, api: ApiServer) -> None:
        while self._is_following and not self._stopped.wait(LOOK_EVERY_S):
            try:
                pair = read_stored(api.get(SECRETS, CERTIFICATE_SECRET, NAMESPACE)).serving
            except KubeError:
                continue
            if self._is_following and pair not in {None, self.serving}:
                self.load(pair)

    def __enter__(self):
        self._threads[0].start()
        return self

    def __exit__(self, *_error):
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join()


class _Server(ThreadingHTTPServer):
    def __init__(self, address, owner):
        super().__init__(address, _Handler)
        self.owner = owner

    def finish_request(self, request, client_address):
        with self.owner.secured(request) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request, client_address):
        """Say nothing: a client that does not trust the certificate ends the handshake."""


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request = review["request"]
        self.server.owner.asked.append(request)
        response = {"uid": request["uid"], "allowed": True}
        operations = self.server.owner.patch(request["object"])
        if operations:
            patch = base64.b64encode(json.dumps(operations).encode()).decode()
            response |= {"patchType": "JSONPatch", "patch": patch}
        answer = {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": response,
        }
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """Say nothing."""
