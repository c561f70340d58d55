"""Answers of an API server that are errors, as the exceptions that callers tell apart.

An API server explains an error by a ``Status`` object, as the body of an answer or as an event of a
watch; what stands between client and server explains nothing.  Errors without any answer are in
``connection_errors``.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson

from autoscaler.errors import (
    AlreadyExistsError,
    ApiUnavailableError,
    ConflictError,
    DisruptionError,
    ExpiredError,
    ForbiddenError,
    InvalidError,
    KubeError,
    NotFoundError,
    ThrottledError,
)
from autoscaler.printable import printable

QUOTED_LETTERS = 2000
"""Of what the server says: a refused object is explained field by field."""
_BY_BUDGET = "DisruptionBudget"
"""Cause of an eviction that is refused."""
_BY_STATUS: Mapping[int, type[KubeError]] = {
    HTTPStatus.UNAUTHORIZED: ForbiddenError,
    HTTPStatus.FORBIDDEN: ForbiddenError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.REQUEST_TIMEOUT: ApiUnavailableError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.GONE: ExpiredError,
    HTTPStatus.TOO_MANY_REQUESTS: ThrottledError,
}


def error_of_answer(what: str, http_status: int, body: bytes, retry_after: str | None) -> KubeError:
    """Return the error of an answer.

    ``what`` was asked (method and path); ``retry_after`` is the header of that name, in seconds.
    """
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = body.decode("utf-8", "replace")
    status = said if isinstance(said, dict) else {"message": str(said)}
    return error_of_status(what, status, http_status=http_status, retry_after=retry_after)


def error_of_status(
    what: str,
    status: Mapping[str, Any],
    *,
    http_status: int | None = None,
    retry_after: str | None = None,
) -> KubeError:
    """Return the error that a ``Status`` object tells; its ``code`` counts where no status is."""
    details = status.get("details")
    details = details if isinstance(details, dict) else {}
    code = http_status or _whole_number(status.get("code"))
    reason = str(status.get("reason") or "")
    kind = DisruptionError if _is_by_budget(details) else _kind_of(code, reason)
    wait_s = _seconds(retry_after)
    if wait_s is None:
        # In an error of validation the details have no such number.
        wait_s = _seconds(details.get("retryAfterSeconds"))
    words = " ".join(part for part in (_named(code), _quoted(status.get("message"))) if part)
    return kind(f"{what}: {words}", http_status=code, reason=reason, retry_after_s=wait_s)


def _kind_of(code: int | None, reason: str) -> type[KubeError]:
    if code == HTTPStatus.CONFLICT and reason == "AlreadyExists":
        return AlreadyExistsError
    if code is None or code >= HTTPStatus.INTERNAL_SERVER_ERROR or code < HTTPStatus.BAD_REQUEST:
        return ApiUnavailableError
    return _BY_STATUS.get(code, InvalidError)


def _is_by_budget(details: Mapping[str, Any]) -> bool:
    """Return whether an eviction was refused, which says nothing of the server's load."""
    causes = details.get("causes")
    causes = causes if isinstance(causes, list) else []
    return any(isinstance(each, dict) and each.get("reason") == _BY_BUDGET for each in causes)


def _named(code: int | None) -> str:
    if code is None:
        return "an error without a code:"
    try:
        return f"{code} {HTTPStatus(code).phrase}:"
    except ValueError:
        return f"{code}:"


def _quoted(message: object) -> str:
    # A page of a proxy has lines, and a refused object is explained in several.
    words = printable(" ".join(str(message or "no explanation").split()))
    return words if len(words) <= QUOTED_LETTERS else f"{words[:QUOTED_LETTERS]}..."


def _whole_number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _seconds(value: object) -> float | None:
    """Return seconds; None where there are none, or a date, which API servers do not send."""
    text = str(value).strip() if value else ""
    return float(text) if text.isascii() and text.isdecimal() else None
