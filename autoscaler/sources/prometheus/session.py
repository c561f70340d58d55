"""The HTTP session that ``PrometheusConnect`` queries through.

That library puts queries into URLs, waits for ever, asks for gzip, drops the warnings of an answer
and hides the status of an error in a text.  All of this is decided by its session, so that this one
decides it anew: queries go into the body, every exchange has a deadline and a limit, and what comes
back is a decoded ``Answer`` or a ``Fault``.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit, urlunsplit

import orjson
import requests
import urllib3

from autoscaler.errors import AnswerError, SourceUnavailableError, UsageError
from autoscaler.sources.prometheus.answer import Answer, decode
from autoscaler.sources.prometheus.body import read_beginning, read_body
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.connection_faults import fault_of_exception
from autoscaler.sources.prometheus.credentials import Credentials, read_credentials, tls_marks
from autoscaler.sources.prometheus.deadline import Deadline, DeadlineAdapter
from autoscaler.sources.prometheus.faults import (
    QUOTED_BYTES,
    Fault,
    Hide,
    fault_of_answer,
    fault_of_content_type,
    fault_of_redirect,
    fault_of_status,
    quoted,
    said_by,
)
from autoscaler.version import DISTRIBUTION, tool_version

BUILD_PATH = "/api/v1/status/buildinfo"
WARNINGS_KEPT = 20
"""Of one answer; Prometheus itself sends no more than ten."""
_Result = TypeVar("_Result")
_Read = Callable[[bytearray, Hide], _Result]
"""Takes a body, and what hides the secrets that it may repeat."""


class DecodedResponse(requests.Response):
    """A successful response whose JSON is already decoded."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.status_code = 200
        self._answer = answer

    def json(self, **_kwargs: Any) -> dict[str, Any]:
        """Return the answer at the place where ``PrometheusConnect`` takes the result from."""
        return {"data": {"result": self._answer}}


class QuerySession(requests.Session):
    """Requests to one server; every failure is a ``Fault``.

    Raises ``UsageError`` where a file of the connection cannot be used from the start.
    """

    def __init__(self, connection: Connection, monotonic_s: Callable[[], float]) -> None:
        super().__init__()
        read_credentials(connection)
        self._tls_marks = tls_marks(connection)
        self._connection = connection
        self._deadline = Deadline(monotonic_s)
        self._adapter = DeadlineAdapter(self._deadline)
        # Neither .netrc nor proxies of the environment: what is set is what is used.
        self.trust_env = False
        # Nor cookies of the server, which would grow with each answer.
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self.verify = _verify(connection)
        self.cert = _certificate(connection)
        if connection.proxy_url is not None:
            self.proxies = {"http": connection.proxy_url, "https": connection.proxy_url}
        self.server_time_s: float | None = None
        """UTC seconds by the ``Date`` of the last response."""
        self.answer_bytes = 0
        """Decoded size of the last answer."""
        self.allowed_s = connection.deadline_s
        """How long the next request may take."""
        self.known_labels: Container[bytes] = frozenset()
        """Texts of label sets that need not be read in an answer."""

    def get_adapter(self, url: str | bytes) -> DeadlineAdapter:  # noqa: ARG002
        """Return our transport; the one that ``PrometheusConnect`` mounts is not used."""
        return self._adapter

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002
        """Return no target, else the body of a redirect is read without a limit."""
        return

    def close(self) -> None:
        """Close all connections; the session can still be used."""
        super().close()
        self._adapter.close()

    def request(self, method: str, url: str, *_: Any, **kwargs: Any) -> DecodedResponse:  # type: ignore[override]
        """Send the ``params`` of a query in the body; other arguments are the session's own."""
        read = partial(_answer_of, known=self.known_labels)
        return DecodedResponse(self._exchange(method, url, kwargs["params"], read))

    def build(self) -> dict[str, str]:
        """Return what the server says of its build."""
        url = self._connection.url.rstrip("/") + BUILD_PATH
        return self._exchange("GET", url, None, _build_of)

    def _exchange(
        self,
        method: str,
        url: str,
        fields: Mapping[str, str] | None,
        read: _Read[_Result],
    ) -> _Result:
        try:
            credentials = read_credentials(self._connection)
            self._renew_tls()
        except UsageError as error:
            # Files were good at the start: whoever replaces one is about to finish.
            text = f"{self._connection.url}: not asked: {error}"
            raise Fault(SourceUnavailableError(text)) from error
        self._deadline.start(self.allowed_s)
        try:
            with super().request(
                method,
                url,
                data=fields,
                headers=_headers(self._connection, credentials),
                timeout=(min(self._connection.connect_timeout_s, self.allowed_s), self.allowed_s),
                allow_redirects=False,
                stream=True,
                verify=self.verify,
                cert=self.cert,
            ) as response:
                self.server_time_s = _time_s(response.headers.get("Date"))
                return self._read(response, credentials, read)
        except (OSError, urllib3.exceptions.HTTPError) as error:
            fault = fault_of_exception(self._connection, error, credentials.hide)
            # Not from the error: it holds the request, with the headers that nobody may see.
            raise fault from None

    def _renew_tls(self) -> None:
        marks = tls_marks(self._connection)
        if marks != self._tls_marks:
            # Connections that are open were made with the old files.
            self._adapter.close()
            self._tls_marks = marks

    def _read(
        self,
        response: requests.Response,
        credentials: Credentials,
        read: _Read[_Result],
    ) -> _Result:
        url, hide = self._connection.url, credentials.hide
        status = response.status_code
        if response.is_redirect:
            target = _target(response.url, response.headers["Location"])
            raise fault_of_redirect(url, status, quoted(target, hide))
        content_type = response.headers.get("Content-Type", "")
        if status != HTTPStatus.OK or not _is_json(content_type):
            said = said_by(read_beginning(response.raw, QUOTED_BYTES), hide)
            if status == HTTPStatus.OK:
                raise fault_of_content_type(url, quoted(content_type, hide), said)
            retry_after_s = self._retry_after_s(response.headers.get("Retry-After"))
            raise fault_of_status(url, status, said, retry_after_s=retry_after_s)
        try:
            body = read_body(response.raw, self._connection.answer_bytes)
        except AnswerError as error:
            raise fault_of_answer(url, error, hide) from error
        self.answer_bytes = len(body)
        try:
            return read(body, hide)
        except AnswerError as error:
            said = said_by(bytes(body[:QUOTED_BYTES]), hide)
            if said.is_error:
                raise fault_of_status(url, status, said) from error
            raise fault_of_answer(url, error, hide, f": {said.words!r}") from error

    def _retry_after_s(self, header: str | None) -> float | None:
        """Return the seconds of a ``Retry-After``, which may be a time by the server's clock."""
        if header is None:
            return None
        if header.strip().isdecimal():
            return float(header)
        end_s = _time_s(header)
        if end_s is None or self.server_time_s is None:
            return None
        return max(end_s - self.server_time_s, 0.0)


def _verify(connection: Connection) -> bool | str:
    if not connection.is_verified:
        # The warning would come with each request of what was asked for.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        return False
    return True if connection.ca_file is None else str(connection.ca_file)


def _certificate(connection: Connection) -> tuple[str, str] | None:
    if connection.certificate_file is None:
        return None
    # Without the path of a key OpenSSL asks for its pass phrase, at the terminal.
    key_file = connection.key_file or connection.certificate_file
    return str(connection.certificate_file), str(key_file)


def _headers(connection: Connection, credentials: Credentials) -> dict[str, str]:
    return {
        "User-Agent": f"{DISTRIBUTION}/{tool_version()}",
        "Accept": "application/json",
        "Accept-Encoding": "gzip" if connection.is_compressed else "identity",
        **credentials.headers,
    }


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _time_s(date: str | None) -> float | None:
    if date is None:
        return None
    try:
        time = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        # A date that cannot be read tells no time, which is what None says.
        return None
    # One without a zone is UTC too, and not the time of this machine.
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()


def _target(url: str, location: str) -> str:
    """Return where a redirect points, without what may be secret."""
    try:
        parts = urlsplit(urljoin(url, location))
    except ValueError:
        return "what is no URL"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _answer_of(body: bytearray, hide: Hide, *, known: Container[bytes]) -> Answer:
    answer = decode(body, known)
    return replace(answer, warnings=_told(answer.warnings, hide), infos=_told(answer.infos, hide))


def _told(sentences: tuple[str, ...], hide: Hide) -> tuple[str, ...]:
    """Return what a server says beside its answer, fit to be shown: short, and not too much."""
    told = [quoted(sentence, hide) for sentence in sentences[:WARNINGS_KEPT]]
    more = len(sentences) - WARNINGS_KEPT
    return (*told, f"and {more} more") if more > 0 else tuple(told)


def _build_of(body: bytearray, hide: Hide) -> dict[str, str]:
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise AnswerError("the answer is no JSON") from error
    data = envelope.get("data") if isinstance(envelope, dict) else None
    if not isinstance(data, dict) or envelope.get("status") != "success":
        raise AnswerError("the answer does not describe a build")
    return {name: quoted(str(value), hide) for name, value in data.items()}
