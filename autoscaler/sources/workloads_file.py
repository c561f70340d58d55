"""Reads the file that says what is in force for recorded workloads: YAML or CSV, row by row.

Only the file is dealt with here: its format, which keys a row has, which workload it names.  What
the values mean is ``recommender.policy``; the views made of them are ``scaling.recorded_cluster``.
"""

from __future__ import annotations

import csv
import difflib
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from autoscaler.errors import InputError, UsageError
from autoscaler.printable import printable
from autoscaler.sources.usage_series import PRINTABLE, named
from autoscaler.sources.yaml_text import parse_yaml
from recommender.policy.values import shown

NAME_KEYS = ("namespace", "workload", "series_id")
VALUE_KEYS = (
    "tflops_request",
    "tflops_limit",
    "compute_percent_request",
    "compute_percent_limit",
    "vram_request",
    "vram_limit",
    "replicas",
    "gpu_count",
    "gpu_model",
    "qos",
    "profile",
    "price_per_hour",
    "owner",
    "kind",
    "pool",
)
YAML_KEYS = ("annotations", "autoScalingConfig")
KEYS = (*NAME_KEYS, *VALUE_KEYS, *YAML_KEYS)


class RowProblem(NamedTuple):
    """What is wrong with one row."""

    line: int
    """From 1."""
    text: str
    """For the user; it begins with the file and the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadRow:
    """One workload as the file states it; values are not yet checked."""

    namespace: str
    workload: str
    place: str
    """For messages: ``workloads.csv line 4``."""
    values: Mapping[str, object]
    """By key of ``VALUE_KEYS`` and ``YAML_KEYS``; absent where the cell is empty."""
    line: int = 0
    """From 1; 0: it stands in no file."""

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, workload)."""
        return self.namespace, self.workload


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadsFile:
    """All rows of one file, and what its user should know of it."""

    path: str
    rows: tuple[WorkloadRow, ...]
    noted: tuple[RowProblem, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was not used."""
        return tuple(note.text for note in self.noted)


def read_workloads_file(path: Path) -> WorkloadsFile:
    """Read one workloads file; ``.csv`` names a CSV, anything else is YAML.

    Raises ``InputError`` when it cannot be read or holds no row, and ``UsageError`` with all
    problems of all rows at once.
    """
    file, problems = parse_workloads(read_text(path), path)
    if problems:
        raise UsageError("\n".join(problem.text for problem in problems))
    if not file.rows:
        raise InputError(f"{path}: no workload in the file; {_columns_hint()}")
    return file


def parse_workloads(text: str, path: Path) -> tuple[WorkloadsFile, tuple[RowProblem, ...]]:
    """Return the sound rows of a text, and what is wrong with the others.

    Raises ``InputError`` where it is neither YAML nor CSV with rows of workloads.
    """
    is_csv = path.suffix.lower() == ".csv"
    raw: Iterator[tuple[int, object]] = (_csv_rows if is_csv else _yaml_rows)(path, text)
    rows: dict[tuple[str, str], WorkloadRow] = {}
    notes: list[RowProblem] = []
    problems: list[RowProblem] = []
    for line, cells in raw:
        place = f"{path} line {line}"
        if not isinstance(cells, dict):
            text = f"{place}: {shown(cells)!r} is no mapping; {_columns_hint()}"
            problems.append(RowProblem(line, text))
            continue
        notes += [RowProblem(line, f"{place}: {text}") for text in _unknown_keys(cells)]
        try:
            row = _row(line, place, cells)
        except UsageError as error:
            problems += [RowProblem(line, text) for text in str(error).splitlines()]
            continue
        if row.key in rows:
            name = f"{row.namespace}/{row.workload}"
            stands = f"{place}: {name} stands already in {rows[row.key].place}"
            problems.append(RowProblem(line, stands))
        rows.setdefault(row.key, row)
    file = WorkloadsFile(path=str(path), rows=tuple(rows.values()), noted=tuple(notes))
    return file, tuple(problems)


def read_text(path: Path) -> str:
    """Read a text file.  Raises ``InputError``."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason})") from error


def _columns_hint() -> str:
    return (
        "a workloads file has a row per workload with namespace and workload (or series_id), "
        f"and any of {', '.join((*VALUE_KEYS, *YAML_KEYS))}"
    )


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, object]]]:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True, strict=True)
    try:
        header = [(name or "").strip() for name in reader.fieldnames or []]
        reader.fieldnames = header
        _check_header(path, header)
        for cells in reader:
            place = f"{path} line {reader.line_num}"
            if None in cells:
                raise UsageError(f"{place}: more cells than the header has columns")
            filled: dict[str, object] = {
                name: cell.strip() for name, cell in cells.items() if cell and cell.strip()
            }
            if filled:
                yield reader.line_num, filled
    except csv.Error as error:
        raise InputError(f"{path} line {reader.line_num}: not a regular CSV: {error}") from error


def _check_header(path: Path, header: list[str]) -> None:
    if "series_id" in header or {"namespace", "workload"} <= set(header):
        return
    raise InputError(
        f"{path}: no column namespace and workload, nor series_id "
        f"(found: {', '.join(map(printable, header))}); {_columns_hint()}"
    )


def _yaml_rows(path: Path, text: str) -> Iterator[tuple[int, object]]:
    import yaml

    document = parse_yaml(text, str(path))
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    items, node = document, root
    if isinstance(document, dict) and isinstance(root, yaml.MappingNode):
        items = document.get("workloads")
        nodes = [value for key, value in root.value if key.value == "workloads"]
        node = nodes[0] if nodes else None
    if not isinstance(items, list) or not isinstance(node, yaml.SequenceNode):
        raise InputError(f"{path}: a list of workloads is expected; {_columns_hint()}")
    for item, item_node in zip(items, node.value, strict=True):
        cells = item
        if isinstance(item, dict):
            cells = {str(name): _written(cell) for name, cell in item.items() if cell is not None}
        yield item_node.start_mark.line + 1, cells


def _written(cell: object) -> object:
    """Return a cell of a document, where NaN is no empty cell but what somebody wrote."""
    return str(cell) if isinstance(cell, float) and math.isnan(cell) else cell


def _row(line: int, place: str, cells: dict[str, object]) -> WorkloadRow:
    problems = list(_unprintable(place, cells))
    if problems:
        raise UsageError("\n".join(problems))
    namespace, workload = _name(place, cells)
    values = {key: cells[key] for key in (*VALUE_KEYS, *YAML_KEYS) if key in cells}
    for key in YAML_KEYS:
        if key in values and not isinstance(values[key], dict):
            raise UsageError(f"{place}: {key}: {values[key]!r} is not valid; allowed: a mapping")
    return WorkloadRow(
        namespace=namespace,
        workload=workload,
        place=place,
        line=line,
        values=MappingProxyType(values),
    )


def _unprintable(place: str, cells: dict[str, object]) -> Iterator[str]:
    """Name the texts that would be shown and cannot be: reports go to terminals and pages."""
    for key in (*NAME_KEYS, *VALUE_KEYS):
        text = cells.get(key)
        if isinstance(text, str) and not text.strip().isprintable():
            yield f"{place}: {key}: {text!r} is not valid; allowed: {PRINTABLE}"


def _name(place: str, cells: dict[str, object]) -> tuple[str, str]:
    """Return (namespace, workload) of a row, from its two names or its series id."""
    pair = tuple(str(cells.get(name, "")).strip() for name in ("namespace", "workload"))
    series_id = str(cells.get("series_id", "")).strip()
    if not series_id:
        if not all(pair):
            raise UsageError(
                f"{place}: no workload named: give namespace and workload, or series_id"
            )
        return pair[0], pair[1]
    namespace, workload, _ = named(series_id)
    if any(pair) and pair != (namespace, workload):
        raise UsageError(
            f"{place}: series_id {series_id!r} and namespace/workload name two workloads"
        )
    if not namespace or not workload:
        raise UsageError(f"{place}: series_id {series_id!r} names no workload: namespace/workload")
    return namespace, workload


def _unknown_keys(cells: dict[str, object]) -> Iterator[str]:
    for key in cells:
        if key in KEYS:
            continue
        close = difflib.get_close_matches(key, KEYS, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        yield f"unknown key {key!r} was not used{hint}"
