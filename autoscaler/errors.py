"""Errors of the services, by what the caller should do.

AutoscalerError
├── UsageError          the user asked for something that cannot be done: exit code 2
├── InputError          input is unreadable, empty, lacks a column or has no usable sample: 3
├── SourceError         a metrics source
│   ├── QueryRejectedError      the server refused the query: do not repeat it
│   ├── QueryTimeoutError       the server gave up: ask for less
│   ├── SourceUnavailableError  no answer: try again later
│   ├── AnswerError             an answer that cannot be used: is this a Prometheus?
│   └── ClockError              the clocks differ: what is new cannot be told
└── KubeError           the API server
    ├── NotFoundError           404: the object, or its kind, is not there
    ├── ForbiddenError          401, 403: the rights or the credentials are missing
    ├── AlreadyExistsError      409 of a create: somebody made it first
    ├── ConflictError           409: it changed since it was read; read it again
    ├── ExpiredError            410: the version is too old to go on from; list again
    ├── InvalidError            400, 422: the server refuses the object; do not repeat it
    ├── ThrottledError          429: wait, as long as it says
    ├── DisruptionError         429 of an eviction: a disruption budget forbids it for now
    └── ApiUnavailableError     5xx, no answer in time, no connection: try again later
"""

from __future__ import annotations


class AutoscalerError(Exception):
    """Any error that the services raise on purpose; its text is for the user."""


class UsageError(AutoscalerError):
    """Arguments or configuration are wrong."""


class InputError(AutoscalerError):
    """Input cannot be read or holds nothing usable."""


class SourceError(AutoscalerError):
    """A metrics source did not answer as asked; the text quotes the server."""


class QueryRejectedError(SourceError):
    """The server refused the query."""

    def __init__(self, text: str, *, http_status: int | None = None) -> None:
        super().__init__(text)
        self.http_status = http_status
        """What the server answered with; None where it is not known."""


class QueryTimeoutError(SourceError):
    """The server or the connection timed out."""


class SourceUnavailableError(SourceError):
    """The server cannot be reached."""


class AnswerError(SourceError):
    """The answer is none of the Prometheus API: another content, cut short, too large."""


class ClockError(SourceError):
    """The own clock is ahead of the server's, so that what is new cannot be told."""


class KubeError(AutoscalerError):
    """The API server did not do as asked; the text quotes the server."""

    def __init__(
        self,
        text: str,
        *,
        http_status: int | None = None,
        reason: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(text)
        self.http_status = http_status
        """None where there was no answer."""
        self.reason = reason
        """``reason`` of the server's Status object."""
        self.retry_after_s = retry_after_s
        """What the server asked to wait."""


class NotFoundError(KubeError):
    """The object, or its kind, is not there."""


class ForbiddenError(KubeError):
    """The rights or the credentials are missing."""


class AlreadyExistsError(KubeError):
    """Somebody made the object first."""


class ConflictError(KubeError):
    """The object changed since it was read."""


class ExpiredError(KubeError):
    """The version to go on from is too old."""


class InvalidError(KubeError):
    """The server refuses what was sent."""


class ThrottledError(KubeError):
    """The server asks to wait."""


class DisruptionError(KubeError):
    """A disruption budget keeps a pod from being evicted now."""


class ApiUnavailableError(KubeError):
    """The server failed, did not answer in time, or cannot be reached."""
