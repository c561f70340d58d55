"""Settings as they were written, each with its source, before they become a policy.

``read_settings`` reads one ``autoScalingConfig`` and collects every problem at once; ``merged``
puts several above one another.  What the settings mean together is in ``vertical`` and
``horizontal``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from recommender.amounts import ResourceAmounts
from recommender.errors import InvalidValueError, Problem
from recommender.policy.field import Field, Kind
from recommender.policy.fields import FIELD, children_of, suggestion
from recommender.policy.values import default_text, is_blank, is_unset, read_value, shown

EVERYTHING = "mode"
"""Key in ``held`` that stands for all blocks."""
_WHOLE_BLOCKS = ("externalScaler", "scaleToZero")
"""A layer that says anything about them replaces them: an address from one layer must never be
combined with the secret of another."""
_RULES = "cronScalingRules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One value that somebody wrote, in base units."""

    value: object
    source: str
    """For people, for example ``profile team-a/small``."""
    rank: int
    """Precedence of the layer that it came from; the higher one wins."""
    path: str
    """Where it was written."""
    written: object = None
    """As its owner spelt it; None where the value itself is the spelling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One entry of a list, with its own problems."""

    path: str
    source: str
    values: Mapping[str, object]
    """By the path below the entry."""
    written: Mapping[str, object]
    """The same values as their owner spelt them."""
    problems: tuple[Problem, ...]

    @property
    def name(self) -> str:
        """The entry's ``name``; empty without one."""
        return str(self.values.get("name", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one or several layers."""

    values: Mapping[str, Setting] = field(default_factory=lambda: MappingProxyType({}))
    """By the path of the field."""
    problems: tuple[Problem, ...] = ()
    held: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Block that must only recommend, to the path of the problem in one of its bounds."""

    def get(self, path: str) -> Setting | None:
        """Return the setting of a field; None where nobody set it."""
        return self.values.get(path)

    def value(self, path: str) -> object:
        """Return the value of a field, its default where nobody set it."""
        setting = self.values.get(path)
        return FIELD[path].default if setting is None else setting.value

    def has(self, block: str) -> bool:
        """Return whether anything of a block is set."""
        return any(path.startswith(f"{block}.") for path in self.values)


@dataclass(slots=True)
class _Reading:
    source: str
    rank: int
    values: dict[str, Setting] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)

    def problem(self, at: Field | None, path: str, message: str, consequence: str = "") -> None:
        if at is not None and at.is_bound:
            self.held.setdefault(at.block, path)
            consequence = "until it is corrected, nothing is changed"
            consequence += "" if at.block == EVERYTHING else f" by {at.block}"
        self.problems.append(Problem(path, message, consequence=consequence))

    def warning(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message, is_warning=True))


def read_settings(mapping: object, *, path: str, source: str, rank: int = 0) -> Settings:
    """Read one ``autoScalingConfig`` that stands at ``path``.  Nothing is raised for user input."""
    reading = _Reading(source, rank)
    if not is_unset(mapping):
        _read_object(reading, "", mapping, path)
    return Settings(
        values=MappingProxyType(reading.values),
        problems=tuple(reading.problems),
        held=MappingProxyType(reading.held),
    )


def merged(*layers: Settings) -> Settings:
    """Put layers above one another, the lowest precedence first.

    Values win one by one, but ``externalScaler`` and ``scaleToZero`` as a whole; cron rules add up,
    and a rule replaces one of the same name.
    """
    values: dict[str, Setting] = {}
    for layer in layers:
        for block in _WHOLE_BLOCKS:
            if layer.has(block):
                values = {p: s for p, s in values.items() if not p.startswith(f"{block}.")}
        rules = _added_rules(values.get(_RULES), layer.get(_RULES))
        values |= layer.values
        if rules is not None:
            values[_RULES] = rules
    return Settings(
        values=MappingProxyType(values),
        problems=tuple(problem for layer in layers for problem in layer.problems),
        held=MappingProxyType({b: p for layer in layers for b, p in layer.held.items()}),
    )


def _added_rules(lower: Setting | None, upper: Setting | None) -> Setting | None:
    if lower is None or upper is None:
        return upper or lower
    above: tuple[Item, ...] = upper.value  # type: ignore[assignment]
    below: tuple[Item, ...] = lower.value  # type: ignore[assignment]
    names = {item.name for item in above if item.name}
    return replace(upper, value=(*(item for item in below if item.name not in names), *above))


def _read_object(reading: _Reading, parent: str, mapping: object, path: str) -> None:
    """Read the fields of one object; ``parent`` is its path in the table, ``path`` as written."""
    if not isinstance(mapping, Mapping):
        hint = f"; write {path.rpartition('.')[2]}: {{enable: true}}" if mapping is True else ""
        reading.problem(
            FIELD.get(parent), path, f"{shown(mapping)!r} is not valid; allowed: a mapping{hint}"
        )
        return
    known = children_of(parent)
    written: dict[str, tuple[str, object]] = {}
    for key, value in mapping.items():
        at = known.get(key) if isinstance(key, str) else None
        if at is None:
            _unknown(reading, parent, f"{path}.{shown(key)}", str(shown(key)))
        elif at.path in written and not is_blank(value):
            _twice(reading, at, path, written, (key, value))
        elif not is_blank(value):
            written[at.path] = (key, value)
    for field_path, (key, value) in written.items():
        _read_field(reading, FIELD[field_path], value, f"{path}.{key}")


def _unknown(reading: _Reading, parent: str, path: str, key: str) -> None:
    names = {at.name: at for at in children_of(parent).values()}
    meant = suggestion(key, list(names))
    hint = f"did you mean {meant}?" if meant else f"known: {', '.join(names)}"
    reading.problem(names[meant] if meant else None, path, f"unknown setting; {hint}")


def _twice(
    reading: _Reading,
    at: Field,
    path: str,
    written: dict[str, tuple[str, object]],
    second: tuple[str, object],
) -> None:
    """Keep the current name where a setting stands under two of its names."""
    first = written[at.path]
    if first[1] == second[1]:
        return
    kept = second if second[0] == at.name else first
    other = first if kept is second else second
    written[at.path] = kept
    reading.problem(
        at,
        f"{path}.{other[0]}",
        f"is an older name of {path}.{kept[0]}, which has another value; keep one of the two",
    )


def _read_field(reading: _Reading, at: Field, value: object, path: str) -> None:
    if at.kind is Kind.OBJECT:
        _read_object(reading, at.path, value, path)
        return
    if at.is_ignored:
        reading.warning(path, f"has no effect. {at.meaning}")
        return
    try:
        if at.kind is Kind.LIST:
            read: object = _read_list(reading, at, value, path)
        elif at.kind is Kind.AMOUNTS:
            read = _read_amounts(reading, value, path)
        else:
            read = read_value(at, value, path)
    except InvalidValueError as error:
        fallback = default_text(at)
        consequence = f"used instead: {fallback}" if fallback else ""
        text = f"{error.value!r} is not valid; allowed: {error.allowed}"
        reading.problem(at, path, text, consequence)
        return
    reading.values[at.path] = Setting(
        value=read, source=reading.source, rank=reading.rank, path=path, written=value
    )


def _read_amounts(reading: _Reading, value: object, path: str) -> ResourceAmounts:
    amounts, problems = ResourceAmounts.from_mapping(value, path)  # type: ignore[arg-type]
    reading.problems.extend(problems)
    return amounts


def _read_list(reading: _Reading, at: Field, value: object, path: str) -> tuple[Item, ...]:
    if not isinstance(value, list | tuple):
        raise InvalidValueError(path, shown(value), "a list")
    items = []
    prefix = f"{at.path}[]"
    for i, entry in enumerate(value):
        inner = _Reading(reading.source, reading.rank)
        _read_object(inner, prefix, entry, f"{path}[{i}]")
        reading.problems.extend(inner.problems)
        settings = {p.removeprefix(f"{prefix}."): s for p, s in inner.values.items()}
        items.append(
            Item(
                path=f"{path}[{i}]",
                source=reading.source,
                values=MappingProxyType({p: s.value for p, s in settings.items()}),
                written=MappingProxyType({p: s.written for p, s in settings.items()}),
                problems=tuple(inner.problems),
            )
        )
    return tuple(items)
