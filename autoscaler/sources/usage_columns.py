"""Orders the usable rows of one resource in time and says where the clock of a series jumps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autoscaler.sources.recorded_usage import Column
from autoscaler.sources.timestamps import iso
from autoscaler.sources.usage_series import Label, name_of
from recommender.observation import Bools, Floats, Ints

if TYPE_CHECKING:
    from autoscaler.sources.usage_files import UsageTable

DEFAULT_STEP_S = 60
"""Where no series has two samples."""
LONG_GAP_S = 86400
MOST_STRAY = 3
MOST_STRAY_SHARE = 0.001
LEAST_OTHERS = 10
"""Of so many samples one may be stray: in a short record a gap is a gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRows:
    """The usable rows of one resource, in the order of the file."""

    table: UsageTable
    resource: str
    labels: Sequence[Label]
    row: Ints
    series: NDArray[np.int32]
    ts: Ints
    value: Floats


def stray_stamps(ts: Floats) -> Bools:
    """Return the few stamps that lie more than a day after all others, ``[n]``.

    The last stamp decides what "now" is, so one clock that ran ahead for a moment would make the
    whole record look old.
    """
    stray = np.zeros(len(ts), np.bool_)
    few = max(MOST_STRAY, int(MOST_STRAY_SHARE * len(ts)))
    order = np.argsort(ts, kind="stable")
    last = ts[order][-few - 1 :]
    gaps = np.flatnonzero(np.diff(last) > LONG_GAP_S)
    if len(gaps) and len(ts) > LEAST_OTHERS * few:
        stray[order[len(ts) - len(last) + int(gaps[0]) + 1 :]] = True
    return stray


def ordered(rows: ResourceRows) -> tuple[Column, list[str]]:
    """Return the samples in order of time, and what the user should know of their stamps.

    Of two samples of one series under one stamp the larger counts.
    """
    notes = _backward(rows)
    order = np.lexsort((rows.value, rows.ts, rows.series))
    series, ts, value = rows.series[order], rows.ts[order], rows.value[order]
    same = (series[1:] == series[:-1]) & (ts[1:] == ts[:-1])
    if same.any():
        notes.append(
            f"{_subject(rows)}: {int(same.sum())} samples share series and second with another; "
            "the largest of them counts"
        )
        last = np.concatenate([~same, np.ones(1, np.bool_)])
        series, ts, value = series[last], ts[last], value[last]
    distance = np.diff(ts)
    inside = series[1:] == series[:-1]
    notes += _forward(rows, series, ts, np.flatnonzero(inside & (distance > LONG_GAP_S)))
    order = np.lexsort((series, ts))
    step_s = _most_frequent(distance[inside])
    column = Column(series=series[order], ts=ts[order], value=value[order], step_s=step_s)
    return column, notes


def _backward(rows: ResourceRows) -> list[str]:
    order = np.argsort(rows.series, kind="stable")
    series, ts, row = rows.series[order], rows.ts[order], rows.row[order]
    back = np.flatnonzero((series[1:] == series[:-1]) & (ts[1:] < ts[:-1])) + 1
    if len(back) == 0:
        return []
    first = back[np.argmin(row[back])]
    return [
        (
            f"{_subject(rows)}: time goes back at {_places(len(back))}, first for "
            f"{name_of(rows.labels[series[first]])} on {rows.table.at(int(row[first]))} "
            f"(from {iso(int(ts[first - 1]))} to {iso(int(ts[first]))}); "
            "the samples were put in order"
        )
    ]


def _forward(
    rows: ResourceRows, series: NDArray[np.int32], ts: Ints, gaps: NDArray[np.intp]
) -> list[str]:
    if len(gaps) == 0:
        return []
    first = gaps[0]
    return [
        (
            f"{_subject(rows)}: the clock jumps forward by more than a day at "
            f"{_places(len(gaps))}, first for {name_of(rows.labels[series[first]])} "
            f"from {iso(int(ts[first]))} to {iso(int(ts[first + 1]))}; "
            "if that is a fault, leave out what follows with --until"
        )
    ]


def _subject(rows: ResourceRows) -> str:
    return f"{rows.table.path}: {rows.resource}"


def _places(count: int) -> str:
    return "1 place" if count == 1 else f"{count} places"


def _most_frequent(distances: Ints) -> int:
    if len(distances) == 0:
        return DEFAULT_STEP_S
    values, counts = np.unique(distances, return_counts=True)
    return int(values[np.argmax(counts)])
