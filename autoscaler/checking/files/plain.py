"""Files that are no manifests: settings, an ``autoScalingConfig`` alone, and workloads files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from enum import Enum, auto
from pathlib import Path
from typing import Any

from autoscaler.checking.files.documents import Document
from autoscaler.checking.files.problem import Place
from autoscaler.errors import AutoscalerError
from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.fleet.stated import stated_by
from autoscaler.settings import SETTINGS, read_settings
from autoscaler.sources.workloads_file import NAME_KEYS, WorkloadRow, parse_workloads
from recommender.errors import Problem
from recommender.policy.fields import children_of
from recommender.policy.parse import parse_auto_scaling_config

_CONFIG = "autoScalingConfig"
_LAYERS = {"annotation ": "annotations.", "workloads file ": ""}
"""Words that begin the path of a problem of a row, to the key where it stands."""

ProfileSpecs = Mapping[tuple[str, str], Mapping[str, Any]]
"""(namespace, name) to ``spec``."""


class Plain(Enum):
    """What a document without a kind is."""

    SETTINGS = auto()
    CONFIG = auto()
    WORKLOADS = auto()


def plain_kind(value: object) -> Plain | None:
    """Return what a document is, by the keys that it has; None: nothing of ours."""
    if isinstance(value, list):
        rows = [row for row in value if isinstance(row, Mapping) and {*NAME_KEYS} & {*row}]
        return Plain.WORKLOADS if rows else None
    if not isinstance(value, Mapping):
        return None
    if isinstance(value.get("workloads"), list):
        return Plain.WORKLOADS
    if _knows_most(value, {setting.path.partition(".")[0] for setting in SETTINGS}):
        return Plain.SETTINGS
    return Plain.CONFIG if _knows_most(value, {_CONFIG, *children_of("")}) else None


def _knows_most(value: Mapping[Any, Any], names: Collection[str]) -> bool:
    """Return whether at least half of the keys are known; other files have such names too."""
    known = sum(key in names for key in value)
    return known > 0 and 2 * known >= len(value)


def settings_problems(document: Document, file: str) -> Iterator[Problem]:
    """Yield what is wrong with a settings file."""
    _, problems = read_settings(document.value, file)
    for path, text in problems:
        message = text.removeprefix(f"{file}: ").removeprefix(f"{path}: ")
        yield Problem(path, message)


def config_problems(document: Document) -> Iterator[Problem]:
    """Yield what is wrong with an ``autoScalingConfig`` alone, under its key or without it."""
    has_key = _CONFIG in document.value
    config = document.value[_CONFIG] if has_key else document.value
    for problem in parse_auto_scaling_config(config, path=_CONFIG).problems:
        path = problem.path if has_key else problem.path.removeprefix(_CONFIG).removeprefix(".")
        yield Problem(path, problem.message, problem.is_warning)


def workloads_problems(
    text: str, file: Path, document: Document | None, profiles: ProfileSpecs, models: GpuModels
) -> Iterator[tuple[Place, Problem]]:
    """Yield what is wrong with a workloads file, with its place; no document: it is a CSV."""
    try:
        found, problems = parse_workloads(text, file)
    except AutoscalerError as error:
        yield Place(1, 1), Problem("", str(error).removeprefix(f"{file}: "))
        return
    for noted, is_warning in ((problems, False), (found.noted, True)):
        for line, sentence in noted:
            message = sentence.removeprefix(f"{file} line {line}: ")
            yield Place(line, 1), Problem("", message, is_warning)
    items = () if document is None else document.items(_items_key(document.value))
    rows = {item.place().line: item for item in items}
    for row in found.rows:
        for problem in _row_problems(row, profiles, models):
            at = rows.get(row.line)
            yield Place(row.line, 1) if at is None else at.place(problem.path), problem


def _items_key(value: object) -> str:
    return "workloads" if isinstance(value, Mapping) else ""


def _row_problems(row: WorkloadRow, profiles: ProfileSpecs, models: GpuModels) -> Iterator[Problem]:
    for problem in stated_by(row, profiles, models).problems:
        path = problem.path
        for layer, key in _LAYERS.items():
            if path.startswith(layer):
                path = f"{key}{path.removeprefix(layer)}"
        # The profile may be in another file, or in the cluster.
        is_elsewhere = path.startswith("profile ") and " " not in path.removeprefix("profile ")
        yield Problem(path, problem.message, problem.is_warning or is_elsewhere)
