"""One exchange with an API server: bytes there, JSON back, every failure a ``KubeError``.

Each exchange has time-outs and none is repeated, except once with other credentials where the
server no longer knows the old ones.  What is asked for is in ``api_server``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import orjson
import urllib3

from autoscaler.errors import ApiUnavailableError, ForbiddenError
from autoscaler.garbage_collection import collection_paused
from autoscaler.kube.access import Access, Login
from autoscaler.kube.connection_errors import error_of_exception
from autoscaler.kube.nesting import read_json
from autoscaler.kube.status_errors import error_of_answer
from autoscaler.printable import printable

JSON = "application/json"
CONNECT_TIMEOUT_S = 5.0
"""Of TCP and TLS; a shorter time-out of the exchange holds for it too."""
ERROR_TIMEOUT_S = 5.0
"""Within which the body of an error must have come, whatever the exchange may take."""
READ_BYTES = 2**18
Answer = urllib3.BaseHTTPResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes | None = None
    content_type: str = JSON
    accept: str = JSON

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Transport:
    """Exchanges with one API server; thread-safe."""

    def __init__(
        self,
        access: Access,
        *,
        user_agent: str,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.access = access
        self._user_agent = user_agent
        self._monotonic_s = monotonic_s

    def exchange(self, question: Question, *, timeout_s: float) -> dict[str, Any]:
        """Return the object that is the answer.  Raises a ``KubeError``."""
        end_s = self._monotonic_s() + timeout_s
        answer = self.open(question, read_timeout_s=timeout_s)
        body = self._body(question, answer, end_s=end_s, timeout_s=timeout_s)
        try:
            with collection_paused():
                found = read_json(body)
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise self._no_object(question, answer, len(body))
        return found

    def open(self, question: Question, *, read_timeout_s: float) -> Answer:
        """Return an answer whose status is good and whose body is still to be read.

        ``read_timeout_s`` is how long nothing may come.  Raises a ``KubeError``.
        """
        login = self.access.login()
        answer = self._send(question, login, read_timeout_s)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            other = self.access.renewed(login)
            if other is not None:
                answer.close()
                login = other
                answer = self._send(question, login, read_timeout_s)
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return answer
        end_s = self._monotonic_s() + ERROR_TIMEOUT_S
        body = self._body(question, answer, end_s=end_s, timeout_s=read_timeout_s)
        error = error_of_answer(
            str(question), answer.status, body, answer.headers.get("Retry-After")
        )
        if isinstance(error, ForbiddenError) and login.is_anonymous:
            text = f"{error} (asked without credentials: the configuration yields none)"
            raise ForbiddenError(text, http_status=error.http_status, reason=error.reason)
        raise error

    def failed(
        self, question: Question, error: Exception, read_timeout_s: float
    ) -> ApiUnavailableError:
        """Return the error of an exchange that broke."""
        return error_of_exception(
            str(question),
            self.access.url,
            error,
            connect_s=min(CONNECT_TIMEOUT_S, read_timeout_s),
            read_s=read_timeout_s,
        )

    def _send(self, question: Question, login: Login, read_timeout_s: float) -> Answer:
        query = f"?{urlencode(question.query)}" if question.query else ""
        connect_s = min(CONNECT_TIMEOUT_S, read_timeout_s)
        try:
            return login.pool.request(
                question.method,
                f"{self.access.url}{question.path}{query}",
                body=question.body,
                headers=self._headers(question, login),
                timeout=urllib3.Timeout(connect=connect_s, read=read_timeout_s),
                # Nor are redirects followed.
                retries=False,
                preload_content=False,
            )
        except (OSError, urllib3.exceptions.HTTPError) as error:
            # Not from the error: it holds the request, with the headers that nobody may see.
            raise self.failed(question, error, read_timeout_s) from None

    def _headers(self, question: Question, login: Login) -> dict[str, str]:
        headers = {"Accept": question.accept, "User-Agent": self._user_agent}
        if question.body is not None:
            headers["Content-Type"] = question.content_type
        if login.authorization:
            headers["Authorization"] = login.authorization
        return headers

    def _body(self, question: Question, answer: Answer, *, end_s: float, timeout_s: float) -> bytes:
        """Return all that comes until ``end_s``; one read may take ``timeout_s`` at most."""
        parts = []
        try:
            while part := answer.read1(READ_BYTES):
                parts.append(part)
                if self._monotonic_s() > end_s:
                    text = f"{question}: the answer is too slow: incomplete after {timeout_s:g} s"
                    raise ApiUnavailableError(text)
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise self.failed(question, error, timeout_s) from None
        finally:
            # A connection whose answer was read to its end has gone back to the pool by now.
            answer.close()
        return b"".join(parts)

    def _no_object(
        self, question: Question, answer: Answer, size_bytes: int
    ) -> ApiUnavailableError:
        kind = printable(answer.headers.get("Content-Type", "none"))
        text = (
            f"{question}: {self.access.url} answered with {size_bytes} bytes that are no JSON "
            f"object (content type: {kind}); is it an API server?"
        )
        return ApiUnavailableError(text, http_status=answer.status)


def encoded(body: Mapping[str, Any] | Sequence[Any] | None) -> bytes | None:
    """Return the JSON of a body."""
    return None if body is None else orjson.dumps(body, default=_plain)


def _plain(value: object) -> Any:
    """Return what ``orjson`` can write of a read-only mapping."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
