"""A mapping that a user wrote, in the settings file: another server's names, checked.

It is a shipped mapping with other names in some places, or the name of a shipped one.  Every
problem is found at once, and says which key is wrong and what it may be.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from autoscaler.errors import UsageError
from autoscaler.sources.prometheus.mapping import (
    IN_FORCE,
    OUR_LABELS,
    NameMapping,
    SeriesName,
    Unit,
)
from autoscaler.sources.prometheus.promql import Matcher, MatchOp, checked_name, quoted
from autoscaler.sources.source import Metric
from recommender.errors import InvalidValueError

Key = TypeVar("Key", bound=str)
Entry = TypeVar("Entry")

ALLOWED_SERIES = (
    "a metric name, or a mapping {series, matchers, unit, scale}; null: the server has none"
)
ALLOWED_MATCHER = 'a text, or one of {"!=": text}, {"=~": pattern} and {"!~": pattern}'
ALLOWED_NAME = (
    "a name without blanks, control characters, brackets, quotes and commas; conditions stand in "
    "matchers"
)
_SYNTAX = re.compile(r"""[\s{}()\[\]"'`,]""")
_KEYS = ("base", "labels", "metrics", "inForce", "takesWorkloadOfPod")
_SERIES_KEYS = ("series", "matchers", "unit", "scale")
OPERATORS: Mapping[object, MatchOp] = MappingProxyType(
    {"=": "=", "!=": "!=", "=~": "=~", "!~": "!~"}
)
_OF_A_CARD = frozenset({Metric.TFLOPS, Metric.COMPUTE_PERCENT})


def read_mapping(document: object, where: str, shipped: Mapping[str, NameMapping]) -> NameMapping:
    """Return one of the shipped mappings, or one with names of its own.

    Raises ``UsageError`` with all problems at once.
    """
    if isinstance(document, str) and document in shipped:
        return shipped[document]
    problems = _Problems()
    names = ", ".join(shipped)
    if not isinstance(document, Mapping):
        problems.add(where, document, f"{names}, or a mapping with the keys {', '.join(_KEYS)}")
        raise problems.error()
    problems.unknown_keys(document, _KEYS, where)
    base_name = document.get("base", next(iter(shipped)))
    base = shipped.get(base_name) if isinstance(base_name, str) else None
    if base is None:
        problems.add(f"{where}.base", base_name, f"one of {names}")
        base = next(iter(shipped.values()))
    takes = document.get("takesWorkloadOfPod", base.takes_workload_of_pod)
    if not isinstance(takes, bool):
        problems.add(f"{where}.takesWorkloadOfPod", takes, "true or false")
    part = _Reader(document, where, problems)
    mapping = replace(
        base,
        name=f"{base.name} with other names",
        labels=part.merged("labels", base.labels, OUR_LABELS, _names),
        metrics=part.merged_metrics(base.metrics),
        in_force=part.merged("inForce", base.in_force, IN_FORCE, _series_in_force),
        takes_workload_of_pod=bool(takes),
    )
    if not problems.texts:
        problems.texts += [f"{where}.{text}" for text in _missing_labels(mapping)]
    if problems.texts:
        raise problems.error()
    return mapping


def _missing_labels(mapping: NameMapping) -> Iterator[str]:
    for label in ("namespace", "workload", "worker"):
        if not mapping.labels.get(label):
            if label != "workload":
                yield f"labels.{label}: a name is needed; without it no use belongs to a workload"
            elif not mapping.takes_workload_of_pod:
                yield "labels.workload: a name is needed, or takesWorkloadOfPod: true"


def read_matchers(document: object, where: str) -> tuple[Matcher, ...]:
    """Return matchers from a mapping of label to value, or to ``{operator: value}``.

    Raises ``UsageError`` with all problems at once.
    """
    problems = _Problems()
    matchers = _matchers(document, where, problems)
    if problems.texts:
        raise problems.error()
    return matchers


@dataclass(slots=True)
class _Problems:
    texts: list[str] = field(default_factory=list)

    def add(self, where: str, value: object, allowed: str) -> None:
        self.texts.append(str(InvalidValueError(where, value, allowed)))

    def unknown_keys(
        self, document: Mapping[object, object], known: Iterable[str], where: str
    ) -> None:
        names = tuple(known)
        for key in document:
            if key not in names:
                close = difflib.get_close_matches(str(key), names, n=1, cutoff=0.5)
                hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(names)}"
                self.texts.append(f"{where}.{key}: unknown key; {hint}")

    def error(self) -> UsageError:
        return UsageError("\n".join(self.texts))


@dataclass(frozen=True, slots=True)
class _Reader:
    document: Mapping[object, object]
    where: str
    problems: _Problems

    def merged(
        self,
        key: str,
        base: Mapping[Key, Entry],
        known: Iterable[Key],
        read: Callable[[object, str, _Problems], Entry | None],
    ) -> Mapping[Key, Entry]:
        """Return the base's entries with those of one part of the document in their place."""
        where, part = f"{self.where}.{key}", self.document.get(key)
        if part is None:
            return base
        if not isinstance(part, Mapping):
            self.problems.add(where, part, f"a mapping with keys among {', '.join(known)}")
            return base
        self.problems.unknown_keys(part, known, where)
        entries = dict(base)
        for name in known:
            if name in part:
                entries.pop(name, None)
                if part[name] is not None:
                    value = read(part[name], f"{where}.{name}", self.problems)
                    entries |= {} if value is None else {name: value}
        return MappingProxyType(entries)

    def merged_metrics(
        self, base: Mapping[Metric, tuple[SeriesName, ...]]
    ) -> Mapping[Metric, tuple[SeriesName, ...]]:
        """Return the base's metrics with the document's; only compute may be shares of a card."""
        metrics = self.merged("metrics", base, tuple(Metric), _alternatives)
        for metric, names in metrics.items():
            if metric not in _OF_A_CARD:
                for name in names:
                    if name.unit is not Unit.BASE:
                        where = f"{self.where}.metrics.{metric}.unit"
                        self.problems.add(where, str(name.unit), str(Unit.BASE))
        return metrics


def _names(value: object, where: str, problems: _Problems) -> tuple[str, ...] | None:
    names = [name for name in _listed(value) if isinstance(name, str)]
    if not names or len(names) < len(_listed(value)):
        problems.add(where, value, "a label name, or a list of which the first found counts")
        return None
    return tuple(name for name in names if _is_name(name, where, problems))


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _alternatives(value: object, where: str, problems: _Problems) -> tuple[SeriesName, ...] | None:
    if not isinstance(value, list):
        name = _series(value, where, problems)
        return None if name is None else (name,)
    if not value:
        problems.add(where, value, ALLOWED_SERIES)
    found = [_series(part, f"{where}[{at}]", problems) for at, part in enumerate(value)]
    return tuple(name for name in found if name is not None)


def _series_in_force(value: object, where: str, problems: _Problems) -> SeriesName | None:
    name = _series(value, where, problems)
    if name is not None and name.unit is not Unit.BASE:
        problems.add(f"{where}.unit", str(name.unit), str(Unit.BASE))
    return name


def _series(value: object, where: str, problems: _Problems) -> SeriesName | None:
    """Return one series, by its name or with everything about it."""
    document = {"series": value} if isinstance(value, str) else value
    if not isinstance(document, Mapping) or not isinstance(document.get("series"), str):
        problems.add(where, value, ALLOWED_SERIES)
        return None
    problems.unknown_keys(document, _SERIES_KEYS, where)
    series, scale = document["series"], document.get("scale", 1.0)
    unit = document.get("unit", Unit.BASE)
    if unit not in tuple(Unit):
        problems.add(f"{where}.unit", unit, ", ".join(Unit))
        unit = Unit.BASE
    is_number = isinstance(scale, int | float) and not isinstance(scale, bool)
    if not is_number or not 0 < scale < math.inf:
        problems.add(f"{where}.scale", scale, "a number above 0")
        scale = 1.0
    matchers = _matchers(document.get("matchers", {}), f"{where}.matchers", problems)
    if not _is_name(series, where, problems):
        return None
    return SeriesName(series=series, matchers=matchers, unit=Unit(unit), scale=float(scale))


def _matchers(document: object, where: str, problems: _Problems) -> tuple[Matcher, ...]:
    if not isinstance(document, Mapping):
        problems.add(where, document, f"a mapping of label to {ALLOWED_MATCHER}")
        return ()
    found = []
    for label, condition in document.items():
        place = f"{where}.{label}"
        operators = condition if isinstance(condition, Mapping) else {"=": condition}
        if not operators or not all(
            key in OPERATORS and isinstance(value, str) for key, value in operators.items()
        ):
            problems.add(place, condition, ALLOWED_MATCHER)
        elif _is_name(str(label), place, problems) and all(
            _is_text(value, place, problems) for value in operators.values()
        ):
            found += [Matcher(str(label), v, OPERATORS[op]) for op, v in operators.items()]
    return tuple(found)


def _is_name(name: str, where: str, problems: _Problems) -> bool:
    """Return whether a metric or label can have this name.

    Prometheus would take more since version 3, but where a selector or a query stands in place of
    a name, no series is found and nothing says why.
    """
    if _SYNTAX.search(name):
        problems.add(where, name, ALLOWED_NAME)
        return False
    return _is_accepted(lambda: checked_name(name, where), problems)


def _is_text(value: str, where: str, problems: _Problems) -> bool:
    return _is_accepted(lambda: quoted(value, where), problems)


def _is_accepted(check: Callable[[], str], problems: _Problems) -> bool:
    try:
        check()
    except InvalidValueError as error:
        problems.texts.append(str(error))
        return False
    return True
