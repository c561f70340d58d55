"""Asks the endpoint that the owner of a workload named, as one should ask a stranger.

One POST on a connection of its own: no redirect is followed, neither proxies nor passwords of the
environment are used, everything ends at one deadline, and a body larger than the limit is not read
to its end.  Errors say what went wrong and quote nothing: neither what was sent nor what came back
may get into a log.  What question and reply mean, and who may be asked, is not known here.
"""

from __future__ import annotations

import socket
import ssl
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

import requests
import urllib3

from autoscaler.error_chain import chain_of, first_of
from autoscaler.errors import AnswerError, QueryTimeoutError, SourceError, SourceUnavailableError
from autoscaler.sources.plain_session import plain_session
from autoscaler.sources.prometheus.deadline import Deadline
from autoscaler.version import DISTRIBUTION, tool_version

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEADLINE_S = 10.0
"""From the first packet to the last byte."""
BODY_BYTES = 64 * 2**10
STEP_BYTES = 16 * 2**10
JSON = "application/json"


class ExternalScalerClient:
    """Asks endpoints; may be used by several threads at once."""

    def __init__(
        self,
        *,
        ca_file: Path | None = None,
        deadline_s: float = DEADLINE_S,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """``ca_file`` holds the authorities of https endpoints; None: those of the image."""
        self._verify: bool | str = True if ca_file is None else str(ca_file)
        self._deadline_s = deadline_s
        self._monotonic_s = monotonic_s

    def ask(self, url: str, body: bytes, *, bearer: str | None = None) -> bytes:
        """Return the JSON body of the answer.

        Raises ``AnswerError``, ``QueryTimeoutError`` or ``SourceUnavailableError``.
        """
        deadline = Deadline(self._monotonic_s)
        deadline.start(self._deadline_s)
        with plain_session(deadline) as session:
            try:
                return self._exchange(session, url, body, bearer)
            except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
                # Not from the error: it holds the request, with the key that nobody may see.
                raise self._fault(error) from None

    def _exchange(
        self, session: requests.Session, url: str, body: bytes, bearer: str | None
    ) -> bytes:
        with session.post(
            url,
            data=body,
            headers=_headers(bearer),
            timeout=self._deadline_s,
            allow_redirects=False,
            stream=True,
            verify=self._verify,
        ) as response:
            if 300 <= response.status_code < 400:
                raise AnswerError(
                    f"answered with a redirect (HTTP {response.status_code}), which is not followed"
                )
            if response.status_code != HTTPStatus.OK:
                raise AnswerError(f"answered with HTTP {response.status_code}; allowed: 200")
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if kind != JSON and not kind.endswith("+json"):
                raise AnswerError(f"the answer is not JSON; allowed: Content-Type {JSON}")
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise AnswerError("the answer is compressed, which was not asked for")
            return _body_of(response.raw)

    def _fault(self, error: Exception) -> SourceError:
        """Return what an exception of ``requests``, ``urllib3`` or the socket means."""
        chain = chain_of(error)
        if first_of(chain, ssl.SSLCertVerificationError) is not None:
            return SourceUnavailableError("TLS failed: the certificate is not accepted")
        if first_of(chain, ssl.SSLError, urllib3.exceptions.SSLError) is not None:
            return SourceUnavailableError("TLS failed; does the endpoint speak https?")
        if first_of(chain, socket.gaierror) is not None:
            return SourceUnavailableError("the name of the host cannot be resolved")
        if first_of(chain, ConnectionRefusedError) is not None:
            return SourceUnavailableError("connection refused")
        late = (TimeoutError, urllib3.exceptions.TimeoutError)
        is_new = first_of(chain, urllib3.exceptions.NewConnectionError) is not None
        if first_of(chain, *late) is not None and not is_new:
            return QueryTimeoutError(f"no complete answer within {self._deadline_s:g} s")
        return SourceUnavailableError("the connection failed before the answer was complete")


def _headers(bearer: str | None) -> dict[str, str]:
    headers = {
        "User-Agent": f"{DISTRIBUTION}/{tool_version()}",
        "Accept": JSON,
        "Accept-Encoding": "identity",
        "Content-Type": JSON,
    }
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    return headers


def _body_of(raw: urllib3.BaseHTTPResponse) -> bytes:
    body = bytearray()
    while step := raw.read1(STEP_BYTES, decode_content=False):
        body += step
        if len(body) > BODY_BYTES:
            raise AnswerError(f"the answer is larger than the {BODY_BYTES} bytes that are taken")
    return bytes(body)
