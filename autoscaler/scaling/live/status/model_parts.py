"""Parts of a status by GPU model: at the top for one model, in ``byGPUModel`` for several.  Pure.

A workload gets a second model when a worker is placed on other GPUs, and loses one when its last
worker there ends.  What stood at the top then counts for each model, until each has its own; so no
worker's amounts and no roll-back get lost on the way.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

BY_MODEL = "byGPUModel"
ANY = ""
"""The model of what stands at the top where no worker says on which GPUs it runs."""
Part = Mapping[str, Any]


def parts_of(
    present: Mapping[str, Any] | None, names: Collection[str], models: Collection[str]
) -> dict[str, Part]:
    """Return the parts of a status by GPU model; an empty part is left out.

    ``names`` are the fields that a part has, ``models`` those that workers run on, by the names
    that their GPUs have; none where no worker runs, and then all parts stay as they are.
    """
    present = present or {}
    top = {name: present[name] for name in names if name in present}
    named: Mapping[str, Part] = present.get(BY_MODEL) or {}
    if not models:
        found: dict[str, Part] = {ANY: top, **named}
    elif len(models) == 1:
        [model] = models
        found = {model: {**top, **named.get(model, {})}}
    else:
        found = {model: named.get(model) or top for model in models}
    return {model: part for model, part in found.items() if part}


def place_of(model: str, parts: Collection[str], models: Collection[str]) -> str:
    """Return under which key of ``parts`` is to stand what is decided for a model."""
    return model if model in models or model in parts else ANY


def laid_out(parts: Mapping[str, Part], models: Collection[str]) -> dict[str, Any]:
    """Return the parts as a status has them; the opposite of ``parts_of``."""
    if len(models) == 1:
        [model] = models
        return dict(parts.get(model, {}))
    named = {model: dict(part) for model, part in sorted(parts.items()) if model != ANY and part}
    return {**parts.get(ANY, {}), **({BY_MODEL: named} if named else {})}
