"""Pod annotations that say how a workload is sized; the keys stand in ``fields``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from recommender.errors import InvalidValueError, Problem
from recommender.policy.fields import (
    AMOUNTS,
    ANNOTATION_PREFIX,
    BLOCK_ANNOTATIONS,
    DECLARED_PREFIX,
    FIELD,
    PROFILE_ANNOTATIONS,
    STATEMENTS,
    TARGET_ANNOTATIONS,
)
from recommender.policy.settings import Setting, Settings
from recommender.policy.stated import Said, StatedLayer, read_layer
from recommender.policy.values import is_unset, read_value, shown

_TARGET = "autoSetResources.targetResource"
_AUTOSCALE = "autoscale"
_KEYS = (
    *BLOCK_ANNOTATIONS,
    *TARGET_ANNOTATIONS,
    *PROFILE_ANNOTATIONS,
    *(key for statement in STATEMENTS for key in statement.annotations),
    *(f"{DECLARED_PREFIX}{statement.key}" for statement in AMOUNTS),
)
_ALIKE = 0.9


def named_profile(annotations: Mapping[str, object]) -> str | None:
    """Return the name of the profile that annotations refer to; None: they name none."""
    for key in PROFILE_ANNOTATIONS:
        value = annotations.get(ANNOTATION_PREFIX + key)
        if not is_unset(value):
            return str(shown(value)).strip()
    return None


def read_annotation_settings(annotations: Mapping[str, object], rank: int) -> Settings:
    """Return what annotations switch on.

    ``'true'`` enables a block.  ``'false'`` does not switch a profile's block off and is answered
    with a warning; any other value is a problem.
    """
    values: dict[str, Setting] = {}
    problems: list[Problem] = []
    held: dict[str, str] = {}
    for key, block in BLOCK_ANNOTATIONS.items():
        source = _source(key)
        match _text(annotations, key):
            case "":
                continue
            case "true":
                path = f"{block}.enable"
                values[path] = Setting(value=True, source=source, rank=rank, path=source)
            case "false":
                text = (
                    "'false' does not switch off a block that a profile enables; to only get "
                    f"recommendations, set mode: recommend in autoScalingConfig.{block}"
                )
                problems.append(Problem(source, text, is_warning=True))
            case other:
                text = f"{other!r} is not valid; allowed: 'true'"
                problems.append(Problem(source, text))
    _read_target(annotations, rank, values, problems, held)
    problems += _misspelt(annotations)
    return Settings(
        values=MappingProxyType(values),
        problems=tuple(problems),
        held=MappingProxyType(held),
    )


def implied_settings(annotations: Mapping[str, object]) -> Settings:
    """Return what ``autoscale: 'true'`` implies where nobody names a target: all resources."""
    if _text(annotations, _AUTOSCALE) != "true" or any(
        _text(annotations, key) for key in TARGET_ANNOTATIONS
    ):
        return Settings()
    source = _source(_AUTOSCALE)
    setting = Setting(value="all", source=source, rank=0, path=source)
    return Settings(values=MappingProxyType({_TARGET: setting}))


def read_annotation_statements(
    annotations: Mapping[str, object], amounts_prefix: str = ""
) -> StatedLayer:
    """Return the amounts and properties that annotations state.

    Keys of amounts begin with ``amounts_prefix``.
    """
    said = {
        statement.key: Said(
            value=annotations[ANNOTATION_PREFIX + key], source=_source(key), path=_source(key)
        )
        for statement in STATEMENTS
        for key in (
            f"{amounts_prefix}{name}" if statement.resource else name
            for name in statement.annotations
        )
        if ANNOTATION_PREFIX + key in annotations
    }
    return read_layer(said, tolerates_two_units=True)


def _read_target(
    annotations: Mapping[str, object],
    rank: int,
    values: dict[str, Setting],
    problems: list[Problem],
    held: dict[str, str],
) -> None:
    is_enabled = "autoSetResources.enable" in values
    for key in TARGET_ANNOTATIONS:
        text, source = _text(annotations, key), _source(key)
        if not text:
            continue
        if not is_enabled:
            message = f"has no effect without {ANNOTATION_PREFIX}{_AUTOSCALE}: 'true'"
            problems.append(Problem(source, message, is_warning=True))
            continue
        try:
            target = read_value(FIELD[_TARGET], text, source)
        except InvalidValueError as error:
            message = f"{text!r} is not valid; allowed: {error.allowed}"
            consequence = "until it is corrected, nothing is changed by autoSetResources"
            problems.append(Problem(source, message, consequence=consequence))
            held["autoSetResources"] = source
            continue
        values.setdefault(_TARGET, Setting(value=target, source=source, rank=rank, path=source))


def _misspelt(annotations: Mapping[str, object]) -> list[Problem]:
    """Name keys that differ by a letter or two from one that counts."""
    problems = []
    for full_key in annotations:
        key = str(full_key).removeprefix(ANNOTATION_PREFIX)
        if not str(full_key).startswith(ANNOTATION_PREFIX) or key in _KEYS:
            continue
        close = difflib.get_close_matches(key, _KEYS, n=1, cutoff=_ALIKE)
        if close:
            text = f"has no effect; did you mean {ANNOTATION_PREFIX}{close[0]}?"
            problems.append(Problem(_source(key), text, is_warning=True))
    return problems


def _source(key: str) -> str:
    return f"annotation {ANNOTATION_PREFIX}{key}"


def _text(annotations: Mapping[str, object], key: str) -> str:
    """Return an annotation's text; YAML may have made a boolean of it."""
    value = annotations.get(ANNOTATION_PREFIX + key)
    if is_unset(value):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(shown(value)).strip()
