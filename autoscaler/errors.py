"""Errors of the services, by what the caller should do.

AutoscalerError
├── UsageError          the user asked for something that cannot be done: exit code 2
├── InputError          input is unreadable, empty, lacks a column or has no usable sample: 3
└── SourceError         a metrics source
    ├── QueryRejectedError      the server refused the query: do not repeat it
    ├── QueryTimeoutError       the server gave up: ask for less
    ├── SourceUnavailableError  no answer: try again later
    ├── AnswerError             an answer that cannot be used: is this a Prometheus?
    └── ClockError              the clocks differ: what is new cannot be told
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
