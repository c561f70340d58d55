"""A small client of the API for the doubles of the tests, independent of the one that is tested."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3

from autoscaler.kube.resource import CONFIG_MAPS, SECRETS
from tests.cluster.control_plane import ControlPlane
from tests.cluster.identities import ADMIN

Object = Mapping[str, Any]
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
TIMEOUT_S = 10.0
WATCH_S = 600
NOT_FOUND = 404
CONFLICT = 409
OVERLOADED = (429, 503, 504)
STARTING = b"not yet ready to handle request"
"""Text of a 403 of an API server whose admission has just begun."""


class RestError(Exception):
    """The API server refused a request."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


@contextmanager
def suppress_absence() -> Iterator[None]:
    """Let an object be gone already."""
    try:
        yield
    except RestError as error:
        if error.status != NOT_FOUND:
            raise


class UnreachableError(Exception):
    """The API server did not answer, or asks to come back later."""


class Rest:
    """Requests of one user, the administrator by default; safe for several threads."""

    def __init__(
        self, control_plane: ControlPlane, *, user: str = ADMIN, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._url = control_plane.url
        self._ca_file = str(control_plane.ca_file)
        self._headers = {"Authorization": f"Bearer {control_plane.token(user)}"}
        self._timeout_s = timeout_s
        self._pool = urllib3.PoolManager(ca_certs=self._ca_file, maxsize=4, retries=False)

    def get(self, path: str) -> dict[str, Any]:
        """Return an object or a list.  Raises as ``request`` does."""
        return self.request("GET", path)

    def request(
        self, method: str, path: str, body: Object | None = None, *, content_type: str = JSON
    ) -> dict[str, Any]:
        """Return the answer.  Raises ``RestError`` and ``UnreachableError``."""
        try:
            answer = self._pool.request(
                method,
                self._url + path,
                body=None if body is None else json.dumps(body),
                headers=self._headers | {"Content-Type": content_type},
                timeout=self._timeout_s,
            )
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(f"{method} {path}: {error}") from error
        if answer.status in OVERLOADED or (answer.status >= 300 and STARTING in answer.data):
            raise UnreachableError(f"{method} {path}: {answer.status}")
        if answer.status >= 300:
            raise RestError(answer.status, f"{method} {path}: {answer.data.decode()}")
        given: dict[str, Any] = json.loads(answer.data)
        return given

    def watch(self, path: str, resource_version: str) -> Watch:
        """Return the changes of a collection since a version.  Raises ``UnreachableError``."""
        query = urlencode(
            {"watch": "true", "resourceVersion": resource_version, "timeoutSeconds": WATCH_S}
        )
        return Watch(
            f"{self._url}{path}?{query}",
            headers=self._headers,
            context=ssl.create_default_context(cafile=self._ca_file),
        )

    def close(self) -> None:
        """Close idle connections."""
        self._pool.clear()


class Watch:
    """One open stream of changes, which another thread may end."""

    def __init__(self, url: str, *, headers: Mapping[str, str], context: ssl.SSLContext) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPSConnection(
            str(parts.hostname), parts.port, context=context, timeout=WATCH_S
        )
        try:
            self._connection.connect()
            self._socket = self._connection.sock
            self._connection.request("GET", f"{parts.path}?{parts.query}", headers=dict(headers))
            self._answer = self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise UnreachableError(f"GET {url}: {error}") from error
        if self._answer.status != 200:
            self._close()
            raise UnreachableError(f"GET {url}: {self._answer.status}")

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield ``{"type", "object"}`` until the stream ends, for whatever reason."""
        try:
            with suppress(OSError, http.client.HTTPException):
                for line in self._answer:
                    if not line.endswith(b"\n"):
                        return
                    yield json.loads(line)
        finally:
            self._close()

    def end(self) -> None:
        """End the stream; the thread that reads it goes on after it."""
        with suppress(OSError):
            # ``SSLSocket.shutdown`` drops the session too: who reads just then got TLS records.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _close(self) -> None:
        # After an answer that says so the connection is the answer's own.
        self._answer.close()
        self._connection.close()


def read_values(rest: Rest, namespace: str, kind: str, name: str) -> Mapping[str, str] | None:
    """Return the decoded data of a ConfigMap or Secret; None where there is none."""
    resource = CONFIG_MAPS if kind == CONFIG_MAPS.kind else SECRETS
    try:
        data: Mapping[str, str] = rest.get(resource.path(namespace, name)).get("data", {})
    except RestError as error:
        if error.status == NOT_FOUND:
            return None
        raise
    if resource is CONFIG_MAPS:
        return data
    return {key: base64.b64decode(value).decode() for key, value in data.items()}
