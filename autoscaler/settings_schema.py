"""JSON Schema (draft 2020-12) of the settings file, made from the tables of settings."""

from __future__ import annotations

from typing import Any

from autoscaler.settings import SETTINGS
from recommender.policy.schema import DRAFT

Schema = dict[str, Any]


def settings_schema() -> Schema:
    """Return the schema of the file that ``--config`` names."""
    root = _object("Settings of the process that runs tfa.")
    for setting in SETTINGS:
        group, dot, name = setting.path.partition(".")
        holder = root
        if dot:
            holder = root["properties"].setdefault(group, _object(f"Settings of {group}."))
        holder["properties"][name or group] = {**setting.shape, "description": setting.meaning}
    return {"$schema": DRAFT, "title": "settings of tfa", **root}


def _object(description: str) -> Schema:
    return {
        "description": description,
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }
