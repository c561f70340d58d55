"""Asks a running autoscaler for what it serves: reports and decisions, read only.

One GET on a connection of its own, with a deadline and a limit.  Behind a Service stand several
processes of which one decides; the others answer 503 and close, so that asking again reaches
another one.  What the answers mean is not known here.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import orjson
import requests
import urllib3

from autoscaler.error_chain import ErrorChain, chain_of, first_of
from autoscaler.errors import (
    AnswerError,
    QueryTimeoutError,
    SourceError,
    SourceUnavailableError,
    UsageError,
)
from autoscaler.printable import printable
from autoscaler.sources.live_server import LiveServer
from autoscaler.sources.plain_session import plain_session
from autoscaler.sources.prometheus.deadline import Deadline
from autoscaler.version import DISTRIBUTION, tool_version

DEADLINE_S = 60.0
"""From the first packet to the last byte of one answer."""
PATIENCE_S = 90.0
"""How long the same is asked again while there is nothing to tell yet."""
LONGEST_PAUSE_S = 5.0
LARGEST_BYTES = 256 * 2**20
STEP_BYTES = 256 * 2**10
QUOTED = 500
HINT = "is it the address of the page of tfa autoscaler?"


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """A body, and how old what it says is."""

    body: bytes
    age_s: float


class LiveApi:
    """Asks one autoscaler."""

    def __init__(
        self,
        server: LiveServer,
        *,
        deadline_s: float = DEADLINE_S,
        patience_s: float = PATIENCE_S,
        monotonic_s: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._server = server
        self._deadline_s = deadline_s
        self._patience_s = patience_s
        self._monotonic_s = monotonic_s
        self._pause = pause

    def get(self, path: str) -> LiveAnswer:
        """Return what is served at ``path``.

        Raises ``UsageError`` where the server knows no such thing or refuses the question, and
        ``SourceError`` where it cannot be asked.
        """
        end_s = self._monotonic_s() + self._patience_s
        while True:
            try:
                return self._ask(path)
            except _NotYetError as absent:
                if self._monotonic_s() + absent.pause_s >= end_s:
                    raise SourceUnavailableError(f"{self._server.url}: {absent}") from None
                self._pause(absent.pause_s)

    def _ask(self, path: str) -> LiveAnswer:
        server, deadline = self._server, Deadline(self._monotonic_s)
        deadline.start(self._deadline_s)
        with plain_session(deadline) as session:
            try:
                with session.get(
                    server.url.rstrip("/") + path,
                    headers=_headers(server.token),
                    timeout=self._deadline_s,
                    allow_redirects=False,
                    stream=True,
                    verify=True if server.ca_file is None else str(server.ca_file),
                ) as response:
                    body = _body_of(response.raw)
                    _refuse(response, body, server)
                    return LiveAnswer(body, _number(response.headers.get("Age")))
            except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
                raise self._fault(error) from None

    def _fault(self, error: Exception) -> SourceError:
        """Return what an exception of ``requests``, ``urllib3`` or the socket means."""
        chain, url = chain_of(error), self._server.url
        late = first_of(chain, TimeoutError, urllib3.exceptions.TimeoutError)
        if late is not None and not isinstance(late, urllib3.exceptions.NewConnectionError):
            return QueryTimeoutError(f"{url}: no complete answer within {self._deadline_s:g} s")
        return SourceUnavailableError(f"{url}: {_reason_of(chain)}; {HINT}")


def _reason_of(chain: ErrorChain) -> str:
    """Return why there was no answer."""
    certificate = first_of(chain, ssl.SSLCertVerificationError)
    if certificate is not None:
        return f"the certificate is not accepted ({certificate.verify_message}), see --ca-file"
    if first_of(chain, ssl.SSLError, urllib3.exceptions.SSLError) is not None:
        return "TLS failed"
    name = first_of(chain, socket.gaierror)
    if name is not None:
        return f"the name of the host cannot be resolved: {name.strerror}"
    if first_of(chain, ConnectionRefusedError) is not None:
        return "connection refused"
    return "the connection failed before the answer was complete"


class _NotYetError(Exception):
    """There is nothing to tell yet."""

    def __init__(self, text: str, pause_s: float) -> None:
        super().__init__(text)
        self.pause_s = pause_s


def _headers(token: str | None) -> dict[str, str]:
    headers = {
        "User-Agent": f"{DISTRIBUTION}/{tool_version()}",
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
    }
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _body_of(raw: urllib3.BaseHTTPResponse) -> bytes:
    body = bytearray()
    for step in raw.stream(STEP_BYTES, decode_content=True):
        body += step
        if len(body) > LARGEST_BYTES:
            raise AnswerError(f"the answer is larger than the {LARGEST_BYTES} bytes that are taken")
    return bytes(body)


def _refuse(response: requests.Response, body: bytes, server: LiveServer) -> None:
    """Raise what an answer means that is not the one that was asked for."""
    status, said = response.status_code, _said(body)
    if status == HTTPStatus.OK:
        return
    if status == HTTPStatus.UNAUTHORIZED:
        given = "the token is not accepted" if server.token else "a token is needed"
        raise SourceUnavailableError(
            f"{server.url}: {given}; give --autoscaler-token-file FILE or TFA_AUTOSCALER_TOKEN"
        )
    if said is None:
        raise AnswerError(
            f"{server.url}: answered with HTTP {status}, and not as an autoscaler does; {HINT}"
        )
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        pause_s = min(max(_number(response.headers.get("Retry-After")), 0.1), LONGEST_PAUSE_S)
        raise _NotYetError(said, pause_s)
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}:
        raise UsageError(f"{server.url}: {said}")
    raise AnswerError(f"{server.url}: HTTP {status}: {said}")


def _said(body: bytes) -> str | None:
    """Return the text of an error of ours; None where it is none."""
    try:
        plain = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    error = plain.get("error") if isinstance(plain, dict) else None
    return printable(error)[:QUOTED] if isinstance(error, str) else None


def _number(text: str | None) -> float:
    return float(text) if text is not None and text.isascii() and text.isdigit() else 0.0
