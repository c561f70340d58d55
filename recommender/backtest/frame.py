"""Recorded usage on a regular grid, the input of every replay.

Reading files and servers is the services' business; here columns of samples, or the blocks that the
usage model keeps, become one array.  A sample's stamp is the start of its step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recommender.errors import ContractError, InvalidValueError
from recommender.observation import Floats, Ints
from recommender.resources import Resource
from recommender.usage.evidence import Evidence

SeriesKey = tuple[str, str, str]
"""(namespace, workload, worker)."""
Grid = NDArray[np.float32]
MOST_CELLS = 200_000_000
"""A grid of more cells (800 MB) comes from a clock that jumped, not from a fleet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleColumns:
    """Samples of one resource in any order, ``[n]`` each."""

    series: Ints
    """Index into the frame's series."""
    ts: Ints
    """UTC seconds."""
    value: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFrame:
    """Use of all series: resources x series x steps, NaN where there is no sample."""

    series: tuple[SeriesKey, ...]
    resources: tuple[Resource, ...]
    values: Grid
    """[R, S, T] highest use within each step."""
    means: Grid
    """[R, S, T] mean use within each step; the same array where steps are single samples."""
    t0_s: int
    """Start of the first step, a multiple of ``step_s``."""
    step_s: int

    def __post_init__(self) -> None:
        shape = (len(self.resources), len(self.series))
        if self.values.shape[:2] != shape or self.values.shape != self.means.shape:
            raise ContractError(
                f"values {self.values.shape}, means {self.means.shape}, expected {shape} + steps"
            )
        if self.step_s < 1 or self.t0_s % self.step_s:
            raise ContractError(f"t0_s {self.t0_s} is no multiple of step_s {self.step_s}")

    @property
    def steps(self) -> int:
        """Number of steps."""
        return int(self.values.shape[2])

    @property
    def end_s(self) -> int:
        """End of the last step."""
        return self.t0_s + self.steps * self.step_s

    @property
    def workloads(self) -> tuple[tuple[str, str], ...]:
        """(namespace, workload) in the order of their first series."""
        return tuple(dict.fromkeys((namespace, name) for namespace, name, _ in self.series))

    @property
    def row_of_series(self) -> Ints:
        """[S] index into ``workloads``."""
        row = {key: i for i, key in enumerate(self.workloads)}
        return np.array([row[namespace, name] for namespace, name, _ in self.series], np.int64)

    def times_s(self) -> Ints:
        """Return the start of every step, ``[T]``."""
        return self.t0_s + np.arange(self.steps, dtype=np.int64) * self.step_s

    def between(self, start_s: int, end_s: int) -> UsageFrame:
        """Return the steps that lie in ``[start_s, end_s)`` whole."""
        first = min(max(0, -(-(start_s - self.t0_s) // self.step_s)), self.steps)
        last = max(first, min(self.steps, (end_s - self.t0_s) // self.step_s))
        return replace(
            self,
            values=self.values[:, :, first:last],
            means=self.means[:, :, first:last],
            t0_s=self.t0_s + first * self.step_s,
        )

    def of_workloads(self, rows: Sequence[int] | Ints) -> UsageFrame:
        """Return the series of some workloads."""
        return next(self.in_parts([rows]))

    def in_parts(self, parts: Iterable[Sequence[int] | Ints]) -> Iterator[UsageFrame]:
        """Yield the series of some workloads after others, for example to replay a fleet in parts.

        Each part copies its series when it is taken, and no earlier.
        """
        row = self.row_of_series
        for rows in parts:
            kept = np.flatnonzero(np.isin(row, rows))
            yield replace(
                self,
                series=tuple(self.series[i] for i in kept),
                values=self.values[:, kept],
                means=self.means[:, kept],
            )


def frame_of_columns(
    series: Sequence[SeriesKey],
    columns: Mapping[Resource, SampleColumns],
    step_s: int,
) -> UsageFrame:
    """Return samples on a grid of ``step_s``; of several in one step maximum and mean are kept.

    Raises ``InvalidValueError`` where nothing is usable, or where stamps lie so far apart that the
    clock must have jumped.
    """
    used = [c.ts[np.isfinite(c.value)] for c in columns.values()]
    stamps = np.concatenate([*used, np.empty(0, np.int64)])
    if len(stamps) == 0:
        raise InvalidValueError("recorded usage", "no sample", "at least one finite sample")
    first = int(stamps.min()) // step_s
    steps = int(stamps.max()) // step_s - first + 1
    shape = (len(columns), len(series), steps)
    if np.prod(shape, dtype=np.float64) > MOST_CELLS:
        allowed = f"at most {MOST_CELLS} values of {len(series)} series; did a clock jump?"
        raise InvalidValueError("recorded usage", f"{steps} steps of {step_s} s", allowed)
    values, means = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    for r, column in enumerate(columns.values()):
        _lay(column, first, step_s, values[r], means[r])
    return UsageFrame(
        series=tuple(series),
        resources=tuple(columns),
        values=values,
        means=means,
        t0_s=first * step_s,
        step_s=step_s,
    )


def frame_of_evidence(
    evidence: Evidence, keys: Sequence[tuple[str, str]], resources: Sequence[Resource]
) -> UsageFrame | None:
    """Return the last 7 days of 5-minute blocks, one series per workload; None without blocks.

    ``keys`` are (namespace, workload) in the order of the evidence's rows.
    """
    start_s = evidence.block_start_s
    if len(start_s) == 0:
        return None
    step_s = int(start_s[1] - start_s[0]) if len(start_s) > 1 else 300
    return UsageFrame(
        series=tuple((namespace, name, str(i)) for i, (namespace, name) in enumerate(keys)),
        resources=tuple(resources),
        values=np.ascontiguousarray(evidence.block_max.transpose(1, 0, 2), np.float32),
        means=np.ascontiguousarray(evidence.block_mean.transpose(1, 0, 2), np.float32),
        t0_s=int(start_s[0]),
        step_s=step_s,
    )


def _lay(column: SampleColumns, first: int, step_s: int, values: Grid, means: Grid) -> None:
    """Write one resource's samples into its part of the grid."""
    usable = np.isfinite(column.value)
    cell = column.series[usable], column.ts[usable] // step_s - first
    value = column.value[usable]
    np.fmax.at(values, cell, value.astype(np.float32))
    flat = np.ravel_multi_index(cell, values.shape)
    count = np.bincount(flat, minlength=values.size)
    total = np.bincount(flat, weights=value, minlength=values.size)
    there = count > 0
    means.reshape(-1)[there] = (total[there] / count[there]).astype(np.float32)
