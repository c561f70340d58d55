"""Says what an answer without a result means: whose fault, whether to repeat, what to do next.

Texts name the server's URL and quote its own words.  Not here: exchanges that failed before there
was an answer, which are in ``connection_faults``, and the policy of repeating.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from autoscaler.errors import (
    AnswerError,
    QueryRejectedError,
    QueryTimeoutError,
    SourceError,
    SourceUnavailableError,
)
from autoscaler.printable import printable
from autoscaler.sources.prometheus.body import CutError
from autoscaler.sources.prometheus.query_counts import Outcome, outcome_of

QUOTED_LETTERS = 300
QUOTED_BYTES = 16 * 2**10
"""How much of an error page is read to find the words to quote."""
HTML_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
HTML_MARKUP = re.compile(
    r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.IGNORECASE | re.DOTALL
)
REPEATED_STATUSES = frozenset({429, 502, 503})
CREDENTIALS_HINT = (
    "check the credentials: prometheus.tokenFile, prometheus.username and prometheus.passwordFile, "
    "prometheus.headerFiles, prometheus.certFile"
)
HINTS = {
    401: CREDENTIALS_HINT,
    403: CREDENTIALS_HINT,
    404: "is the prefix of prometheus.url right? the paths of the API, /api/v1/..., follow it",
    407: "check prometheus.proxyUrl",
    413: "the query is longer than the server or a proxy before it takes",
}
TIMEOUT_HINT = "ask for less at a time, or raise prometheus.timeout"
Hide = Callable[[str], str]
"""Takes secrets out of a text."""


class Fault(Exception):  # noqa: N818 - not an error of its own but the judgement on one
    """One attempt that failed: the error for the caller, and whether another may help."""

    def __init__(
        self,
        error: SourceError,
        *,
        may_repeat: bool = False,
        retry_after_s: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.may_repeat = may_repeat
        self.retry_after_s = retry_after_s
        """How long the server asks to wait before the next attempt."""
        self.status = status

    @property
    def outcome(self) -> Outcome:
        """Return the outcome of a query that ends so."""
        return outcome_of(self.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a server said of an error."""

    kind: str
    """The ``errorType`` of the Prometheus API; empty where it did not speak that."""
    words: str
    """One line of printable text."""
    is_error: bool
    """Whether it is an answer of the API with ``"status": "error"``."""


def said_by(body: bytes, hide: Hide) -> Said:
    """Return the words of an error answer: of the API, else the title or text of a page."""
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError:
        envelope = None
    if isinstance(envelope, dict) and "error" in envelope:
        return Said(
            kind=quoted(str(envelope.get("errorType", "")), hide),
            words=quoted(str(envelope["error"]), hide),
            is_error=envelope.get("status") == "error",
        )
    text = body.decode("utf-8", "replace")
    title = HTML_TITLE.search(text)
    if title is not None:
        text = title.group(1)
    return Said(
        kind="", words=quoted(html.unescape(HTML_MARKUP.sub(" ", text)), hide), is_error=False
    )


def quoted(text: str, hide: Hide) -> str:
    """Return a text of others as one short line without secrets, harmless to a terminal."""
    # First the secrets, for half of one that the cut leaves would not be found.
    line = " ".join(printable(hide(text), " ").split())
    return line if len(line) <= QUOTED_LETTERS else f"{line[:QUOTED_LETTERS]}..."


def fault_of_status(
    url: str, status: int, said: Said, *, retry_after_s: float | None = None
) -> Fault:
    """Return what an answer that is no success means; ``status`` is of HTTP."""
    words = said.words or "the server gives no reason"
    place = f"{url}: HTTP {status}"
    if status in {408, 504} or _is_timeout(status, said):
        return Fault(
            QueryTimeoutError(f"{place}: the query took too long: {words}; {TIMEOUT_HINT}"),
            status=status,
        )
    if status == 429 or status >= 500:
        asked = f"; it asks to wait {retry_after_s:g} s" if retry_after_s is not None else ""
        return Fault(
            SourceUnavailableError(f"{place}: the server cannot answer now: {words}{asked}"),
            may_repeat=status in REPEATED_STATUSES,
            retry_after_s=retry_after_s,
            status=status,
        )
    if status >= 400 or said.is_error:
        kind = f" ({said.kind})" if said.kind not in {"", str(status)} else ""
        hint = f"; {HINTS[status]}" if status in HINTS else ""
        return Fault(
            QueryRejectedError(
                f"{place}: the server refused the query{kind}: {words}{hint}", http_status=status
            ),
            status=status,
        )
    return Fault(AnswerError(f"{place}: no answer to a query: {words}"), status=status)


def _is_timeout(status: int, said: Said) -> bool:
    # VictoriaMetrics repeats the status as the kind, and that it ran out of time is in its words.
    is_without_kind = said.kind == str(status)
    return said.kind == "timeout" or (is_without_kind and "timeout exceeded" in said.words)


def fault_of_redirect(url: str, status: int, target: str) -> Fault:
    """Return the fault of an answer that points elsewhere; ``target`` without its query."""
    return Fault(
        AnswerError(
            f"{url}: HTTP {status}: the server redirects to {target}; redirects are not "
            "followed, because credentials would be sent there: give the final address as "
            "prometheus.url, or the credentials that spare the login page"
        ),
        status=status,
    )


def fault_of_content_type(url: str, content_type: str, said: Said) -> Fault:
    """Return the fault of a successful answer that is no JSON."""
    kind = content_type or "a body of no stated type"
    return Fault(
        AnswerError(
            f"{url}: the server answered with {kind}, not with JSON: {said.words!r}; is this the "
            "address of the Prometheus API, or of a login page before it?"
        )
    )


def fault_of_closing(place: str) -> Fault:
    """Return the fault of a connection that ended without an answer."""
    text = f"{place}: the connection was closed before the end of the answer"
    return Fault(SourceUnavailableError(text), may_repeat=True)


def fault_of_answer(url: str, error: AnswerError, hide: Hide, words: str = "") -> Fault:
    """Return the fault of a body that cannot be used; a cut one may come whole the next time.

    ``words`` are the server's own, after the error; they are shown as they are.
    """
    text = f"{url}: {quoted(str(error), hide)}{words}"
    return Fault(AnswerError(text), may_repeat=isinstance(error, CutError))
