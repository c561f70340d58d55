"""The settings of a workload that are in effect, each with where it came from.  Pure.

They stand in ``status.effective`` for people; nothing reads them to decide something.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from autoscaler.api.names import SOURCES
from recommender.policy.fields import PROPERTIES
from recommender.policy.stated import Stated
from recommender.policy.written import WrittenConfig

CONFIG = "autoScalingConfig"
LONGEST = 1024
"""Characters of a value or a source."""
MOST_SETTINGS = 256
Effective = dict[str, dict[str, str]]
"""Name of a setting to its value and source."""


def effective_settings(
    stated: Stated,
    properties: Mapping[str, object],
    written: WrittenConfig,
    chosen: Mapping[str, str],
) -> Effective:
    """Return every setting that somebody stated or that was chosen for the workload.

    ``properties`` are values by the key of their statement.  ``chosen`` has where values came from
    as admission found it, which knows more than the annotations that it wrote.
    """
    values: dict[str, tuple[object, str]] = {
        key: (quantity, stated.source_of(key)) for key, quantity in stated.quantities.items()
    }
    values |= {key: (value, stated.source_of(key)) for key, value in properties.items()}
    values = {key: (value, chosen.get(key, source)) for key, (value, source) in values.items()}
    for path, value in _leaves(written.config):
        values[f"{CONFIG}.{path}"] = value, written.sources.get(path, "")
    return {
        key: {"value": _text(value)[:LONGEST], "source": source[:LONGEST]}
        for key, (value, source) in list(values.items())[:MOST_SETTINGS]
    }


def stated_properties(stated: Stated) -> dict[str, object]:
    """Return the properties that somebody stated, by key."""
    values = {
        "replicas": stated.replicas,
        "gpu-count": stated.gpu_count,
        "gpu-model": stated.gpu_model,
        "qos": stated.qos,
        "gpupool": stated.pool,
        "is-local-gpu": stated.is_local_gpu,
    }
    return {each.key: values[each.key] for each in PROPERTIES if each.key in stated.sources}


def sources_of(annotations: Mapping[str, str]) -> Mapping[str, str]:
    """Return where admission found each value of a pod; nothing where the text is no such thing.

    Tenants may write the annotation, so that it is shown and nothing more.
    """
    try:
        found = json.loads(annotations.get(SOURCES) or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)}


def _leaves(config: Mapping[str, Any], parent: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        path = f"{parent}{key}"
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}.")
        else:
            yield path, value


def _text(value: object) -> str:
    """Return a value as a user would write it."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "), default=str)
