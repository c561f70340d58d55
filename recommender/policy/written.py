"""The merged settings of all layers, written down as one ``autoScalingConfig``.

Whoever resolves it alone comes to the same policy.  One mapping has no precedence, so that
everything that precedence decided is written out: which generation acts, how far a block may go,
whether a risk target counts, and that a block with a wrong bound only recommends.  Where each value
came from is kept beside it, by the path of its field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from recommender.amounts import ResourceAmounts
from recommender.policy.field import Field, Kind
from recommender.policy.fields import FIELD
from recommender.policy.generations import LIMITS, REQUESTS, RESOURCES, acts, governing
from recommender.policy.horizontal import REPLICAS, replica_rule
from recommender.policy.model import Dimension, Mode
from recommender.policy.risk import REPLACED_BY_RISK, is_of_vram_alone
from recommender.policy.settings import EVERYTHING, Item, Setting, Settings
from recommender.policy.taking import Taking
from recommender.policy.values import quantity_text
from recommender.policy.vertical import crossed_bounds, hold_crossed_bounds

_RULES = "cronScalingRules"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenConfig:
    """One ``autoScalingConfig`` and where its values came from."""

    config: dict[str, object]
    """In the API's spelling; values as their owners spelt them, what is not valid left out."""
    sources: dict[str, str]
    """By the path of the field, such as ``autoSetRequests.enable``; for people."""


@dataclass(slots=True)
class _Writing:
    values: dict[str, object] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def write(self, path: str, value: object, source: str) -> None:
        self.values[path], self.sources[path] = value, source

    def drop(self, path: str) -> None:
        self.values.pop(path, None)
        self.sources.pop(path, None)


def written_config(settings: Settings) -> WrittenConfig:
    """Return settings as one mapping, for which ``parse_auto_scaling_config`` gives their policy.

    Sources and problems of that policy are its own.  Cron rules with a wrong value are disabled.
    The mapping is empty where nobody set anything.
    """
    writing = _Writing()
    for path, setting in settings.values.items():
        writing.write(path, _spelt(FIELD[path], setting.value, setting.written), _source(setting))
    taking = Taking(settings)
    hold_crossed_bounds(taking)
    least = replica_rule(taking).min_replicas
    _write_generations(writing, taking)
    _write_modes(writing, taking)
    _write_bounds(writing, settings, least)
    _write_risks(writing, taking)
    in_order = [path for path in FIELD if path in writing.values]
    return WrittenConfig(
        config=_nested({path: writing.values[path] for path in in_order}),
        sources={path: writing.sources[path] for path in in_order},
    )


def _write_generations(writing: _Writing, taking: Taking) -> None:
    """Switch off what has no effect because the other generation wins, or contradicts it."""
    chosen = {dimension: governing(taking, dimension) for dimension in Dimension}
    acting = {
        RESOURCES: [d for d, by in chosen.items() if by.is_current and by.acts_on_requests],
        REQUESTS: [d for d, by in chosen.items() if not by.is_current and by.acts_on_requests],
        LIMITS: [d for d, by in chosen.items() if not by.is_current and by.acts_on_limits],
    }
    for block, dimensions in acting.items():
        if dimensions == [d for d in Dimension if acts(taking, block, d)]:
            continue
        others = (REQUESTS, LIMITS) if block == RESOURCES else (RESOURCES,)
        source = _source_of_enabled(taking, others)
        if dimensions:  # one of the two is left
            writing.write(f"{block}.targetResource", dimensions[0].value, source)
        else:
            writing.write(f"{block}.enable", False, source)  # noqa: FBT003 - it is the value


def _write_modes(writing: _Writing, taking: Taking) -> None:
    settings = taking.settings
    if EVERYTHING in settings.held:
        source = f"problem at {settings.held[EVERYTHING]}"
        writing.write(EVERYTHING, Mode.RECOMMEND.value, source)
    whole = writing.values.get(EVERYTHING, FIELD[EVERYTHING].default)
    for block in (REQUESTS, LIMITS, RESOURCES, REPLICAS):
        own = f"{block}.mode"
        mode = taking.mode(block, own)
        # A block that is not written must not appear: that would change which generation governs.
        if not settings.has(block) or mode == writing.values.get(own, whole):
            continue
        if mode in FIELD[own].choices:
            writing.write(own, mode.value, taking.sources[own])
        else:
            writing.drop(own)


def _write_bounds(writing: _Writing, settings: Settings, least_replicas: int) -> None:
    """Write bounds that do not cross, as the API server wants them; their block is held."""
    for crossed in crossed_bounds(settings):
        writing.drop(crossed.low_field)
    least = settings.get(f"{REPLICAS}.minReplicas")
    most = settings.get(f"{REPLICAS}.maxReplicas")
    if least is not None and most is not None and least.value != least_replicas:
        writing.write(f"{REPLICAS}.minReplicas", least_replicas, most.source)


def _write_risks(writing: _Writing, taking: Taking) -> None:
    """Leave out a risk target that does not count, or what it replaces of lower layers.

    What it replaces for TFLOPS but not for VRAM stays: beside each other the risk target counts.
    """
    for block, replaced in REPLACED_BY_RISK.items():
        risk = f"{block}.riskTarget"
        if is_of_vram_alone(taking, block) or taking.rank(*replaced) > taking.rank(risk):
            writing.drop(risk)
            continue
        for path in replaced:
            is_of_compute = all(".compute" in land for land in FIELD[path].lands)
            if is_of_compute and taking.rank(path) < taking.rank(risk):
                writing.drop(path)


def _source(setting: Setting) -> str:
    items = setting.value if isinstance(setting.value, tuple) else ()
    return " and ".join(dict.fromkeys(item.source for item in items)) or setting.source


def _source_of_enabled(taking: Taking, blocks: tuple[str, ...]) -> str:
    settings = (taking.settings.get(f"{block}.enable") for block in blocks)
    return " and ".join(dict.fromkeys(each.source for each in settings if each and each.value))


def _spelt(at: Field, value: object, written: object) -> object:
    """Return a value as its owner spelt it, in a type that the API takes."""
    match at.kind:
        case Kind.SHARE | Kind.BUFFER_RATIO | Kind.MULTIPLE:
            return written if isinstance(written, int | float) else str(written).strip()
        case Kind.DURATION:
            return written.strip() if isinstance(written, str) else 0  # all that needs no unit
        case Kind.QUANTITY:
            return quantity_text(written)
        case Kind.AMOUNTS:
            stated, spelt = cast("ResourceAmounts", value), cast("Mapping[str, object]", written)
            return {name: quantity_text(spelt[name]) for name in stated.to_mapping()}
        case Kind.LIST:
            return [_entry(at, item) for item in cast("tuple[Item, ...]", value)]
        case _:
            return value


def _entry(at: Field, item: Item) -> dict[str, object]:
    values = {
        path: _spelt(FIELD[f"{at.path}[].{path}"], value, item.written[path])
        for path, value in item.values.items()
    }
    if at.path == _RULES and any(not problem.is_warning for problem in item.problems):
        values["enable"] = False
    return _nested(values)


def _nested(values: Mapping[str, object]) -> dict[str, object]:
    """Return values by their paths as objects in objects."""
    config: dict[str, object] = {}
    for path, value in values.items():
        *parents, name = path.split(".")
        holder = config
        for parent in parents:
            holder = cast("dict[str, object]", holder.setdefault(parent, {}))
        holder[name] = value
    return config
