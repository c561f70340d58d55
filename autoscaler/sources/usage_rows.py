"""Turns the rows of a usage file into clean samples, and says what was wrong with the rest.

Rows that hold no usable number are left out and counted, with the place of the first one.  Series
whose unit cannot be right are left out whole (``usage_units``).  The order of the rows makes no
difference to the samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autoscaler.errors import InputError
from autoscaler.printable import printable
from autoscaler.sources.recorded_usage import Column, RecordedUsage, RejectedSeries
from autoscaler.sources.timestamps import LARGEST_STAMP_S, refuse_milliseconds, stamps_s
from autoscaler.sources.usage_columns import ResourceRows, ordered, stray_stamps
from autoscaler.sources.usage_files import RESOURCE, TIME, VALUE, UsageTable, read_usage_table
from autoscaler.sources.usage_series import Label, names_of, series_of_rows
from autoscaler.sources.usage_units import (
    above_any_gpu,
    above_full_gpu,
    looks_like_ratio,
    wrong_units,
)
from recommender.observation import Bools, Floats, Ints

if TYPE_CHECKING:
    import pandas as pd


@dataclass(slots=True)
class _Rows:
    """The rows that are still usable, as columns, and what was said of the others."""

    table: UsageTable
    row: Ints
    series: NDArray[np.int32]
    resource: NDArray[np.int32]
    ts: Floats
    value: Floats
    notes: list[str]
    reasons: dict[tuple[int, int], str]
    """(series, resource) to why the first of its rows was left out."""

    def drop(self, mask: Bools, reason: str, shown: pd.Series | Floats | None = None) -> None:
        """Leave out the rows of ``mask``; ``shown`` holds the cells to quote the first one from."""
        count = int(mask.sum())
        if count == 0:
            return
        first = int(self.row[mask][0])
        quoted = ""
        if isinstance(shown, np.ndarray):
            quoted = f"{shown[mask][0]:g} "
        elif shown is not None:
            quoted = f"{str(shown.iloc[first])[:40]!r} "
        self.notes.append(
            f"{self.table.path}: {count} {'row' if count == 1 else 'rows'} left out: {reason}; "
            f"the first is {quoted}on {self.table.at(first)}"
        )
        pairs = np.unique(np.column_stack([self.series[mask], self.resource[mask]]), axis=0)
        for series, resource in pairs.tolist():
            self.reasons.setdefault((series, resource), reason)
        self.keep(~mask)

    def keep(self, mask: Bools) -> None:
        self.row, self.ts, self.value = self.row[mask], self.ts[mask], self.value[mask]
        self.series, self.resource = self.series[mask], self.resource[mask]


def read_usage(path: Path) -> RecordedUsage:
    """Read recorded usage from one file.

    Raises ``InputError``: unreadable, empty, a column is missing, or no row is usable; the text
    lists everything that was wrong.
    """
    table = read_usage_table(path)
    if len(table.frame) == 0:
        raise InputError(f"{path}: the file has a header and no rows")
    labels, series = series_of_rows(table)
    names, resource = names_of(table, RESOURCE)
    rows = _usable_rows(table, series, resource, names)
    rejected = []
    for bad in wrong_units(rows.series, rows.resource, rows.value, labels, names):
        rejected.append(bad.problem)
        rows.keep((rows.series != bad.series) | (rows.resource != bad.resource))
    ahead = stray_stamps(rows.ts)
    rows.drop(ahead, "a stamp more than a day after all others", table.frame[TIME])
    above = above_full_gpu(rows.resource, rows.value, names)
    rows.drop(above, "more than 100 % of a GPU", rows.value)
    if len(rows.row) == 0:
        reasons = [*rows.notes, *(f"{p.namespace}/{p.workload}: {p.reason}" for p in rejected)]
        raise InputError("\n".join([f"{path}: no usable sample", *reasons]))
    rejected += _without_samples(rows, rejected, names, labels)
    if looks_like_ratio(rows.resource, rows.value, names):
        rows.notes.append(
            f"{path}: no value of tflops_pct is above 1; it is a percentage, 0 to 100: "
            "shares from 0 to 1 would be sized 100 times too small"
        )
    columns = _columns(rows, names, labels)
    return RecordedUsage(
        path=str(path),
        labels=labels,
        columns=MappingProxyType(columns),
        notes=tuple(rows.notes),
        rejected=tuple(rejected),
    )


def _usable_rows(
    table: UsageTable, series: NDArray[np.int32], resource: NDArray[np.int32], names: list[str]
) -> _Rows:
    """Leave out every row that lacks a name, a time or a usable number."""
    cells = table.frame
    value, value_is_text = _numbers(cells[VALUE])
    rows = _Rows(
        table=table,
        row=np.arange(len(cells)),
        series=series,
        resource=resource,
        ts=stamps_s(cells[TIME]),
        value=value,
        notes=[],
        reasons={},
    )
    if table.ignored_columns:
        rows.notes.append(
            f"{table.path}: columns not used: {', '.join(map(printable, table.ignored_columns))}"
        )
    no_cell = cells[TIME].isna().to_numpy() & cells[VALUE].isna().to_numpy()
    rows.keep(~(no_cell & (series < 0) & (resource < 0)))
    rows.drop(rows.series < 0, "no workload is named")
    rows.drop(rows.resource < 0, "no resource is named")
    rows.drop(value_is_text[rows.row], "the value is text, not a number", cells[VALUE])
    rows.drop(np.isnan(rows.ts), "ts is no time", cells[TIME])
    late = rows.ts > LARGEST_STAMP_S
    if late.any():
        refuse_milliseconds(rows.ts, table.at(int(rows.row[late][0])), table.path)
    rows.drop(rows.ts <= 0, "ts is not after 1970", cells[TIME])
    rows.drop(np.isnan(rows.value), "the value is missing or NaN")
    rows.drop(np.isinf(rows.value), "the value is infinite")
    rows.drop(rows.value < 0, "the value is negative", rows.value)
    too_large, limits = above_any_gpu(rows.resource, rows.value, names)
    rows.drop(too_large, f"more than any GPU has ({limits})", rows.value)
    return rows


def _without_samples(
    rows: _Rows, rejected: list[RejectedSeries], names: list[str], labels: tuple[Label, ...]
) -> list[RejectedSeries]:
    """Return the workloads and resources that lost all of their rows: they must not just vanish."""

    def name_of(series: int, resource: int) -> tuple[str, str, str]:
        return labels[series]["namespace"], labels[series]["workload"], names[resource]

    # one number for each pair: pairs would be sorted as records, which takes seconds
    kept = np.unique(rows.series.astype(np.int64) * len(names) + rows.resource)
    known = {name_of(*divmod(pair, len(names))) for pair in kept.tolist()}
    known |= {(bad.namespace, bad.workload, bad.resource) for bad in rejected}
    lost = {
        name_of(*pair): reason
        for pair, reason in rows.reasons.items()
        if min(pair) >= 0 and name_of(*pair) not in known
    }
    return [
        RejectedSeries(
            namespace=namespace,
            workload=workload,
            resource=resource,
            reason=f"no usable value of {resource}: {lost[namespace, workload, resource]}",
        )
        for namespace, workload, resource in sorted(lost)
    ]


def _numbers(column: pd.Series) -> tuple[Floats, Bools]:
    """Return the numbers of a column, and which cells hold text instead."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return column.to_numpy(np.float64, na_value=np.nan), np.zeros(len(column), np.bool_)
    numbers = pd.to_numeric(column.astype("str"), errors="coerce")
    values = numbers.to_numpy(np.float64, na_value=np.nan)
    return values, np.isnan(values) & column.notna().to_numpy()


def _columns(rows: _Rows, names: list[str], labels: tuple[Label, ...]) -> dict[str, Column]:
    columns = {}
    for i, name in enumerate(names):
        mask = rows.resource == i
        if not mask.any():
            continue
        columns[name], notes = ordered(
            ResourceRows(
                table=rows.table,
                resource=name,
                labels=labels,
                row=rows.row[mask],
                series=rows.series[mask],
                ts=rows.ts[mask].astype(np.int64),
                value=rows.value[mask],
            )
        )
        rows.notes.extend(notes)
    return columns
