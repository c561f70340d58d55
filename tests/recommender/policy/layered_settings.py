"""Hypothesis strategies: settings of several layers above one another, some of them wrong."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from recommender.errors import InvalidValueError
from recommender.policy.annotations import implied_settings, read_annotation_settings
from recommender.policy.field import Field, Kind
from recommender.policy.fields import ANNOTATION_PREFIX, FIELDS, children_of
from recommender.policy.settings import Settings, merged, read_settings
from recommender.policy.values import read_value

_SPELLINGS: tuple[Any, ...] = (
    *(0, 1, 2, 3, 50, 0.05, 0.2, 0.95, 1.15, "0.3", " 20% ", "95%", "1.5", "1500m", "2"),
    *("90s", "10m", " 2h ", "3d", "20d", "4Gi", "16Gi", "512Mi", "0"),
    *(True, False, "true", "recommend", "initial", "apply", "compute", "TFLOPS", "vram", "all"),
    *("low", "critical", "ets", "0 8 * * 1-5", "0 18 * * 1-5", "Europe/Berlin", "night"),
    *("https://scaler.example/ask", "http://other.example"),
)
_AMOUNTS = st.fixed_dictionaries(
    {},
    optional={
        "tflops": st.sampled_from((5, "7500m", "x")),
        "compute": st.sampled_from(("30", 60)),
        "vram": st.sampled_from(("2Gi", "1.5Gi", 4e9)),
    },
)


def _is_readable(at: Field, value: Any) -> bool:
    try:
        read_value(at, value, at.path)
    except InvalidValueError:
        return False
    return True


def _values(at: Field) -> st.SearchStrategy[Any]:
    if at.kind is Kind.LIST:
        return st.lists(_entries(f"{at.path}[]"), max_size=3)
    if at.kind is Kind.AMOUNTS:
        return _AMOUNTS
    if at.name == "enable":
        return st.sampled_from((True, True, "true", False))
    valid = [value for value in _SPELLINGS if at.is_ignored or _is_readable(at, value)]
    usual = st.sampled_from(valid)
    return st.one_of(usual, usual, usual, st.sampled_from(["no such", -1, [], "95%", None]))


def _entries(parent: str) -> st.SearchStrategy[dict[str, Any]]:
    members: dict[str, st.SearchStrategy[Any]] = {}
    for name, at in children_of(parent).items():
        members[name] = _entries(at.path) if at.kind is Kind.OBJECT else _values(at)
    return st.fixed_dictionaries({}, optional={**members, "unknown": st.just(1)})


_LEAVES = {at.path: at for at in FIELDS if at.kind is not Kind.OBJECT and "[]" not in at.path}
_BLOCKS = tuple(dict.fromkeys(at.block for at in _LEAVES.values()))
_DECISIVE = ("enable", "targetResource", "mode")
THEMES: dict[str, tuple[str, ...]] = {
    "generations": tuple(path for path in _LEAVES if path.rpartition(".")[2] in _DECISIVE),
    **{
        block: tuple(path for path, at in _LEAVES.items() if at.block in {block, "mode"})
        for block in _BLOCKS
    },
}
"""Name to fields that are drawn together, because their values depend on one another."""


def _configs(theme: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """One ``autoScalingConfig``: most values are valid, each is in some usual spelling."""
    values = {path: _values(_LEAVES[path]) for path in theme}
    return st.fixed_dictionaries({}, optional=values).map(_nested)


def _nested(values: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for path, value in values.items():
        *parents, name = path.split(".")
        holder = config
        for parent in parents:
            holder = holder.setdefault(parent, {})
        holder[name] = value
    return config


def _annotations() -> st.SearchStrategy[dict[str, str]]:
    switch = st.sampled_from(("true", "false"))
    keys = {
        "auto-requests": switch,
        "auto-limits": switch,
        "auto-replicas": switch,
        "autoscale": switch,
        "autoscale-target": st.sampled_from(("compute", "vram", "all", "wrong")),
    }
    short = st.fixed_dictionaries({}, optional=keys)
    return short.map(lambda found: {f"{ANNOTATION_PREFIX}{key}": v for key, v in found.items()})


@st.composite
def layered_settings(draw: st.DrawFn, *themes: str) -> Settings:
    """Draw settings of annotations above up to three configurations, on one theme (any)."""
    annotations = draw(_annotations())
    theme = THEMES[draw(st.sampled_from(themes or tuple(THEMES)))]
    layers = [
        read_settings(config, path=f"layer {rank}", source=f"layer {rank}", rank=rank)
        for rank, config in enumerate(draw(st.lists(_configs(theme), min_size=1, max_size=3)), 1)
    ]
    return merged(
        implied_settings(annotations), *layers, read_annotation_settings(annotations, rank=4)
    )
