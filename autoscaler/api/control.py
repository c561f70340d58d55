"""The switches that webhook, controller and autoscaler all read: process-wide mode, and pauses.

They stand in one ConfigMap (``names.CONTROL_CONFIG_MAP``) with the keys ``mode`` and ``paused``; a
single workload or pool is paused by its annotation.  Who reads the ConfigMap is not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from autoscaler.api.names import PAUSED


class ProcessMode(StrEnum):
    """How far the whole installation may go."""

    RECOMMEND = "recommend"
    """Nothing is changed; pods start with what was declared."""
    APPLY = "apply"
    """Enrolled workloads are changed, as far as their own mode allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The switches of the whole installation."""

    mode: ProcessMode = ProcessMode.RECOMMEND
    is_paused: bool = False
    problem: str = ""
    """What is wrong with the ConfigMap; the safer reading counts then."""


def control_from(config_map: Mapping[str, Any] | None) -> Control:
    """Return what a ConfigMap says; an absent one says ``recommend``.  Nothing is raised.

    A value that is not understood recommends, or pauses, and is named in ``problem``.
    """
    data = (config_map or {}).get("data") or {}
    problems = []
    mode, paused = str(data.get("mode") or "").strip(), str(data.get("paused") or "").strip()
    if mode not in {"", *ProcessMode}:
        problems.append(f"mode: {mode!r} is not valid; allowed: recommend, apply")
    if paused not in {"", "true", "false"}:
        problems.append(f"paused: {paused!r} is not valid; allowed: true, false")
    return Control(
        mode=ProcessMode.APPLY if mode == ProcessMode.APPLY else ProcessMode.RECOMMEND,
        is_paused=paused not in {"", "false"},
        problem="; ".join(problems),
    )


def is_paused(control: Control, *objects: Mapping[str, Any] | None) -> bool:
    """Return whether everything, or one of these objects (pool, workload), is paused."""
    return control.is_paused or any(
        (((obj or {}).get("metadata") or {}).get("annotations") or {}).get(PAUSED) == "true"
        for obj in objects
    )
