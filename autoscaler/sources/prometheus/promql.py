"""PromQL as text: selectors, windows and aggregations, with everything escaped.

Only text is built here.  What the names mean is ``mapping``; which window is asked for, and why it
is shifted by a millisecond, is the source's business.

Grammar: https://prometheus.io/docs/prometheus/latest/querying/basics/.  Label values are Go string
literals in double quotes; names that cannot stand bare are quoted inside the braces, the form that
Prometheus understands since version 3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from recommender.errors import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

MatchOp = Literal["=", "!=", "=~", "!~"]
Aggregation = Literal["count", "max", "min", "sum"]

ALLOWED_NAME = "a name of one or more characters without control characters"

_BARE_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_BARE_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_NUMBER_WORDS = frozenset({"inf", "nan"})
"""A bare metric of this name would be read as a number."""
_FIRST_PRINTABLE, _DELETE = 0x20, 0x7F
_C1_CONTROLS = range(0x80, 0xA0)
_ESCAPES = {ord("\\"): "\\\\", ord('"'): '\\"', ord("\n"): "\\n", _DELETE: "\\u007f"} | {
    code: f"\\u{code:04x}" for code in range(_FIRST_PRINTABLE) if code != ord("\n")
}
_REGEX_ESCAPES = {ord(char): f"\\{char}" for char in r"\.+*?()|[]{}^$"}
"""The characters that RE2 gives a meaning."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label.  An absent label has the value ``""``."""

    label: str
    value: str
    op: MatchOp = "="

    def __str__(self) -> str:
        """Return the condition as PromQL writes it.  Raises ``InvalidValueError``."""
        name = checked_name(self.label, "label name")
        shown = name if _BARE_LABEL.fullmatch(name) else quoted(name)
        return f"{shown}{self.op}{quoted(self.value)}"


def selector(series: str, matchers: Sequence[Matcher] = ()) -> str:
    """Return the selector of a metric: ``name{label="value"}`` or ``{"my.name",label="value"}``.

    Raises ``InvalidValueError`` where a name is empty or has control characters, and where a text
    is no Unicode.
    """
    name = checked_name(series, "metric name")
    conditions = [str(matcher) for matcher in matchers]
    if _BARE_METRIC.fullmatch(name) and name.lower() not in _NUMBER_WORDS:
        return f"{name}{{{','.join(conditions)}}}" if conditions else name
    return f"{{{','.join([quoted(name), *conditions])}}}"


def window(selector: str, window_s: int, *, offset_ms: int = 1) -> str:
    """Return a range selector: the samples of the ``window_s`` seconds before the evaluation.

    With the offset of 1 ms, servers whose ranges are open on the left (Prometheus from 3 on,
    VictoriaMetrics) give exactly the samples with ``t - window_s <= ts < t`` at an integer second.
    """
    offset = f" offset {offset_ms}ms" if offset_ms else ""
    return f"{selector}[{window_s}s]{offset}"


def over_time(function: str, selector: str, window_s: int, *, offset_ms: int = 1) -> str:
    """Return one value per series and window: ``max_over_time(m[60s] offset 1ms)``."""
    return f"{function}({window(selector, window_s, offset_ms=offset_ms)})"


def aggregate(operator: Aggregation, expression: str, by: Sequence[str] = ()) -> str:
    """Return an aggregation: ``count(m)``, ``max by (namespace,workload) (m)``."""
    if not by:
        return f"{operator}({expression})"
    names = (checked_name(label, "label name") for label in by)
    shown = (name if _BARE_LABEL.fullmatch(name) else quoted(name) for name in names)
    return f"{operator} by ({','.join(shown)}) ({expression})"


def quoted(text: str, field: str = "label value") -> str:
    """Return a text as a Go string literal.  Raises ``InvalidValueError`` where it is no Unicode.

    A text that holds half of a surrogate pair has no UTF-8 form and cannot be sent.
    """
    if any(_is_surrogate(char) for char in text):
        raise InvalidValueError(field, text, "Unicode text")
    return f'"{text.translate(_ESCAPES)}"'


def literal_regex(text: str) -> str:
    """Return a pattern for ``=~`` that matches exactly this text (RE2 syntax, not yet quoted)."""
    return text.translate(_REGEX_ESCAPES)


def checked_name(name: str, field: str) -> str:
    """Return a metric or label name.  Raises ``InvalidValueError`` where no server can hold it."""
    if not name or any(_is_control(char) or _is_surrogate(char) for char in name):
        raise InvalidValueError(field, name, ALLOWED_NAME)
    return name


def _is_surrogate(char: str) -> bool:
    return "\ud800" <= char <= "\udfff"


def _is_control(char: str) -> bool:
    code = ord(char)
    return code < _FIRST_PRINTABLE or code == _DELETE or code in _C1_CONTROLS
