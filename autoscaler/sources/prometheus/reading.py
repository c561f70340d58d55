"""Reading one series name over a time: raw samples, or blocks of a minute and more.

A block is [start, start + step) and is labelled by its start.  It is asked for at its end with an
offset of a millisecond, which gives exactly its samples where ranges are open on the left
(Prometheus 3, VictoriaMetrics).  Where they are closed on the left (Prometheus 2), a sample that
lies exactly a millisecond before the block is counted in both.  Raw samples are chosen by their
stamps, and so are the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autoscaler.sources.prometheus.promql import over_time, window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscaler.sources.prometheus.answer import Answer
    from autoscaler.sources.prometheus.client import PrometheusClient
    from autoscaler.sources.prometheus.label_texts import LabelSets
    from recommender.observation import Floats, Ints

MEAN, MAXIMUM, LAST = "avg_over_time", "max_over_time", "last_over_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Samples of one query."""

    labels: LabelSets
    """Per series, as the server has them."""
    series: NDArray[np.integer[Any]]
    """Index into ``labels``."""
    ts: Floats
    """Seconds; of blocks their start."""
    value: Floats
    warnings: tuple[str, ...] = ()
    top: NDArray[np.float64] | None = None
    """Maximum of the block where ``value`` is its mean."""

    def __len__(self) -> int:
        return len(self.ts)


NOTHING = Piece(
    labels=(), series=np.empty(0, np.int64), ts=np.empty(0), value=np.empty(0), warnings=()
)


def raw(client: PrometheusClient, selector: str, start_s: int, end_s: int) -> Piece:
    """Return the samples with ``start_s <= ts < end_s`` under their own stamps."""
    answer = client.instant(window(selector, end_s - start_s), end_s)
    piece = _piece(answer, 0)
    return taken(piece, (piece.ts >= start_s) & (piece.ts < end_s))


def blocks_of(
    client: PrometheusClient, function: str, selector: str, span: tuple[int, int], step_s: int
) -> Piece:
    """Return one value per series and block of ``span``, both ends multiples of ``step_s``."""
    start_s, end_s = span
    if start_s == end_s:
        return NOTHING
    query = over_time(function, selector, step_s)
    return _piece(client.range(query, start_s + step_s, end_s, step_s), step_s)


def raw_blocks(
    client: PrometheusClient, selector: str, span: tuple[int, int], step_s: int
) -> Piece:
    """Return the same as ``blocks_of`` with the maximum, made here of the samples themselves.

    Where a block holds one sample, that is all the server would do, and it need not.
    """
    return highest_of_blocks(raw(client, selector, *span), step_s)


def highest_of_blocks(piece: Piece, step_s: int) -> Piece:
    """Return the largest sample of each series and block; samples are ordered by series, then time.

    NaN counts only where a block holds nothing else.
    """
    if not len(piece):
        return piece
    block = np.floor(piece.ts / step_s) * step_s
    changes = (np.diff(piece.series) != 0) | (np.diff(block) != 0)
    first = np.flatnonzero(np.append([True], changes))
    return Piece(
        labels=piece.labels,
        series=piece.series[first],
        ts=block[first],
        value=np.fmax.reduceat(piece.value, first),
        warnings=piece.warnings,
    )


def means_with_tops(
    client: PrometheusClient, selector: str, span: tuple[int, int], step_s: int
) -> Piece:
    """Return mean and maximum per series and block: two queries, joined by series and time.

    A sample may arrive between the two.  A block without a maximum has its mean for it, and one
    without a mean is left out.
    """
    mean = blocks_of(client, MEAN, selector, span, step_s)
    highest = blocks_of(client, MAXIMUM, selector, span, step_s)
    return Piece(
        labels=mean.labels,
        series=mean.series,
        ts=mean.ts,
        value=mean.value,
        warnings=tuple(dict.fromkeys((*mean.warnings, *highest.warnings))),
        top=_tops(mean, highest),
    )


def taken(piece: Piece, rows: NDArray[np.bool_]) -> Piece:
    """Return some samples of a piece."""
    if rows.all():
        return piece
    return Piece(
        labels=piece.labels,
        series=piece.series[rows],
        ts=piece.ts[rows],
        value=piece.value[rows],
        warnings=piece.warnings,
        top=None if piece.top is None else piece.top[rows],
    )


def _piece(answer: Answer, labelled_by_start_s: int) -> Piece:
    return Piece(
        labels=answer.labels,
        series=answer.series,
        ts=answer.ts - labelled_by_start_s,
        value=answer.value,
        warnings=answer.warnings,
    )


def _tops(mean: Piece, highest: Piece) -> Floats:
    if (
        mean.labels == highest.labels
        and np.array_equal(mean.series, highest.series)
        and np.array_equal(mean.ts, highest.ts)
    ):
        return highest.value
    number_of = {_name(labels): number for number, labels in enumerate(highest.labels)}
    # -1 is a series without maxima, and sorts before all others
    number = np.array([number_of.get(_name(labels), -1) for labels in mean.labels], np.int64)
    wanted = _key(number[mean.series], mean.ts)
    offered = _key(highest.series, highest.ts)
    order = np.argsort(offered, kind="stable")
    at = np.minimum(np.searchsorted(offered[order], wanted), max(len(order) - 1, 0))
    tops = mean.value.copy()
    if len(order):
        found = offered[order[at]] == wanted
        tops[found] = highest.value[order[at[found]]]
    return tops


def _name(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def _key(series: NDArray[np.integer[Any]], ts: Floats) -> Ints:
    """Return one number per (series, second); stamps stay below 2^37 s."""
    return (series.astype(np.int64) << 37) | ts.astype(np.int64)
