"""Parameters of the routes: their meaning for the description, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autoscaler.errors import UsageError
from autoscaler.scaling.page.formats import Format
from autoscaler.sources.timestamps import parse_time_s
from recommender.durations import parse_duration_s
from recommender.errors import InvalidValueError
from recommender.report.blocks import Severity
from recommender.report.select import SortKey

MOST_DECISIONS = 1000
USUAL_DECISIONS = 100
LONGEST_VALUE = 1000
"""Characters of one value."""
MOST_VALUES = 50
"""Of one parameter."""

Values = Mapping[str, Sequence[str]]
"""Parameter to the values that were given, at least one each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a path or a query."""

    name: str
    meaning: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    is_repeatable: bool = False
    is_in_path: bool = False


def _words(names: Sequence[str], default: str | None = None) -> Mapping[str, Any]:
    known = {} if default is None else {"default": default}
    return {"type": "string", "enum": list(names), **known}


SEVERITIES = tuple(severity.lower() for severity in Severity)
NAMESPACE_PART = Parameter(name="namespace", meaning="Namespace.", is_in_path=True)
NAME_PART = Parameter(name="name", meaning="Name of the workload.", is_in_path=True)
NAMESPACE_GLOB = Parameter(
    name="namespace",
    meaning="Only namespaces that match this pattern, for example team-*.",
    is_repeatable=True,
)
WORKLOAD_GLOB = Parameter(
    name="workload",
    meaning="Only workloads whose name, or NAMESPACE/NAME, matches this pattern.",
    is_repeatable=True,
)
POOL = Parameter(name="pool", meaning="Only workloads of this pool (pattern).", is_repeatable=True)
SEVERITY = Parameter(
    name="severity", meaning="Only items that are at least so urgent.", schema=_words(SEVERITIES)
)
SORT = Parameter(
    name="sort",
    meaning="Order of the items; risk always stands before saving.",
    schema=_words([str(key) for key in SortKey], SortKey.RISK),
)
FORMAT = Parameter(
    name="format",
    meaning="Format of the answer, as -o of tfa report.",
    schema=_words([str(format_) for format_ in Format], Format.JSON),
)
NAMESPACE = Parameter(name="namespace", meaning="Only this namespace.")
WORKLOAD = Parameter(name="workload", meaning="Only this workload; needs namespace.")
SINCE = Parameter(
    name="since",
    meaning="Only decisions since then: a duration before now (1h), unix seconds or ISO 8601.",
)
LIMIT = Parameter(
    name="limit",
    meaning="At most so many, the newest.",
    schema={
        "type": "integer",
        "minimum": 1,
        "maximum": MOST_DECISIONS,
        "default": USUAL_DECISIONS,
    },
)


def read_values(parameters: Sequence[Parameter], pairs: Sequence[tuple[str, str]]) -> Values:
    """Return the values of a query by parameter.

    Raises ``UsageError`` for a parameter that the route does not have, one that is given too often
    or without a value, and a value that is none of its words.
    """
    known = {parameter.name: parameter for parameter in parameters if not parameter.is_in_path}
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        parameter = known.get(name)
        if parameter is None:
            allowed = ", ".join(known) or "no parameter"
            raise UsageError(f"{_quoted(name)} is no parameter here; allowed: {allowed}")
        _check(parameter, value)
        values.setdefault(name, []).append(value)
        most = MOST_VALUES if parameter.is_repeatable else 1
        if len(values[name]) > most:
            raise UsageError(f"{name}: given more than {most} times; allowed: up to {most}")
    return values


def _check(parameter: Parameter, value: str) -> None:
    words = parameter.schema.get("enum")
    if words is not None and value not in words:
        raise UsageError(
            f"{parameter.name}: {_quoted(value)} is not valid; allowed: {', '.join(words)}"
        )
    if not 0 < len(value) <= LONGEST_VALUE:
        raise UsageError(
            f"{parameter.name}: a text of {len(value)} characters is not valid; "
            f"allowed: 1 to {LONGEST_VALUE}"
        )


def one(values: Values, parameter: Parameter, default: str = "") -> str:
    """Return the value of a parameter that stands once."""
    return next(iter(values.get(parameter.name, (default,))))


def read_limit(values: Values) -> int:
    """Return ``limit``.  Raises ``UsageError``."""
    text = one(values, LIMIT, str(USUAL_DECISIONS))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_DECISIONS):
        raise UsageError(
            f"limit: {_quoted(text)} is not valid; allowed: whole numbers from 1 to "
            f"{MOST_DECISIONS}"
        )
    return int(text)


def read_since_s(values: Values, now_s: int) -> int:
    """Return ``since`` in UTC seconds, 0 where it is not given.  Raises ``UsageError``."""
    text = one(values, SINCE)
    if not text:
        return 0
    readers: tuple[Callable[[str], float], ...] = (
        lambda value: now_s - abs(parse_duration_s(value, "since")),
        lambda value: parse_time_s(value, "since"),
    )
    for read in readers:
        try:
            return int(read(text))
        except (InvalidValueError, UsageError, OverflowError):
            continue
    raise UsageError(
        f"since: {_quoted(text)} is not valid; allowed: a duration such as 1h, unix seconds, or "
        "ISO 8601 such as 2026-01-01T00:00:00Z"
    )


def _quoted(text: str) -> str:
    """Return a caller's text, short enough for a sentence."""
    return repr(text if len(text) <= 60 else text[:60] + "...")
