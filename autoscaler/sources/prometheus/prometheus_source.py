"""Usage of all workers from a server that speaks the Prometheus HTTP API.

One query per metric for the whole fleet.  Below a minute the samples themselves are read; from a
minute on blocks, with the maximum of each, so that no peak is lost, and for compute the mean
beside it.  Counters become what happened in each interval.  What names the server has for it is the
mapping's business, and how it is reached the client's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from autoscaler.errors import ClockError
from autoscaler.sources.prometheus import chunks, counters, reading
from autoscaler.sources.prometheus.chunked import ChunkedReader
from autoscaler.sources.prometheus.compute import Compute, Part
from autoscaler.sources.prometheus.density import Densities
from autoscaler.sources.prometheus.label_texts import joined
from autoscaler.sources.prometheus.labels import LabelTable
from autoscaler.sources.prometheus.names_in_use import NamesInUse
from autoscaler.sources.prometheus.pod_owners import OwnersOfPods
from autoscaler.sources.prometheus.promql import Matcher, over_time
from autoscaler.sources.source import Metric, Samples
from recommender.sentences import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscaler.sources.prometheus.client import PrometheusClient
    from autoscaler.sources.prometheus.mapping import NameMapping, SeriesName
    from autoscaler.sources.prometheus.reading import Piece
    from autoscaler.sources.prometheus.units import PeakTflops

WITH_MEANS = frozenset({Metric.TFLOPS, Metric.COMPUTE_PERCENT})
COUNTERS = {Metric.THROTTLED_RATIO: counters.shares_of_time, Metric.VRAM_DENIED: counters.events}
BLOCK_S = 60
"""From this resolution on blocks are read."""
AHEAD_S = 300
"""A time that is further ahead of the server's clock has not come yet."""


class PrometheusSource:
    """A ``MetricsSource``; not safe for use by several threads, as its client.

    ``peak_tflops`` tells for which cards a share of the card is known in TFLOPS.
    ``matchers`` narrow every query, for example to one cluster of a shared server.
    """

    def __init__(
        self,
        client: PrometheusClient,
        mapping: NameMapping,
        *,
        peak_tflops: PeakTflops,
        matchers: Sequence[Matcher] = (),
    ) -> None:
        self.client = client
        self.mapping = mapping
        self._compute = Compute(mapping, peak_tflops)
        self.matchers = tuple(matchers)
        self.owners = OwnersOfPods(client, mapping, matchers)
        self._tables = {
            metric: LabelTable(mapping, self.owners.owner_of) for metric in mapping.metrics
        }
        self._names = NamesInUse(client, mapping, matchers)
        self._densities = Densities(client)
        self._chunked = ChunkedReader(client)

    def metrics(self) -> frozenset[str]:
        """Return the metrics that the mapping has names for."""
        return frozenset(str(metric) for metric in self.mapping.metrics)

    def read(self, metric: str, start_s: int, end_s: int, step_s: int) -> Samples:
        """Return the samples with ``start_s <= ts < end_s``; see ``MetricsSource.read``.

        ``step_s`` below 60: samples as they were scraped.  From 60 on: whole blocks, labelled by
        their start.  A query that is too much for the server is asked again in shorter parts.
        Raises ``ClockError`` for a time that has not come yet: it would count as read for ever.
        """
        name = self._names.at(metric, end_s)
        if self.owners.refresh(end_s):
            for table in self._tables.values():
                table.take_owners(self.owners.exact)
        span = start_s, end_s
        if name is not None:
            self.client.know(self._tables[Metric(metric)].known_texts)
        parts = [] if name is None else self._parts(Metric(metric), name, span, step_s)
        if metric == Metric.TFLOPS and self._compute.is_completed:
            self._compute.forget_devices()
            shares = self._names.at(Metric.COMPUTE_PERCENT, end_s)
            if shares is not None:
                parts += self._parts(Metric.COMPUTE_PERCENT, shares, span, step_s)
        self._check_clock(end_s)
        return self._samples(metric, parts)

    def give_compute_once(self) -> None:
        """From now on give each device's compute in one metric.

        In TFLOPS where the server has them or knows the card of a share, which costs a second query
        per read, else in percent; of one time TFLOPS are to be read first.
        """
        self._compute.is_given_once = True

    def promql(self, metric: str, namespace: str, workload: str) -> tuple[str, ...]:
        """Return the queries that show one workload's samples of a metric, block by block."""
        names = [self._names.known(metric)]
        if metric == Metric.TFLOPS and self._compute.is_of_shares(namespace, workload):
            names.append(self._names.known(Metric.COMPUTE_PERCENT))
        own = self._tables[Metric(metric)].matchers_of(namespace, workload) if any(names) else ()
        return tuple(
            over_time(function, name.selector((*self.matchers, *own)), BLOCK_S)
            for name in names
            if name is not None
            for function in _functions_of(Metric(metric))
        )

    def _check_clock(self, end_s: int) -> None:
        server_s = self.client.server_time_s
        if server_s is not None and end_s - server_s > AHEAD_S:
            raise ClockError(
                f"{self.client.connection.url}: the clock of this machine is "
                f"{duration(end_s - server_s)} ahead of the server's: set it, or the server's"
            )

    def _selector(self, name: SeriesName) -> str:
        return name.selector(self.matchers)

    def _parts(
        self, metric: Metric, name: SeriesName, span: tuple[int, int], step_s: int
    ) -> list[Part]:
        if step_s < BLOCK_S:
            pieces = self._read_raw(metric, name, span, step_s)
        else:
            pieces = self._read_blocks(metric, name, chunks.blocks(*span, step_s), step_s)
        return [Part(metric, name, piece) for piece in pieces]

    def _read_raw(
        self, metric: Metric, name: SeriesName, span: tuple[int, int], step_s: int
    ) -> list[Piece]:
        selector = self._selector(name)

        def samples(client: PrometheusClient, from_s: int, upto_s: int) -> Piece:
            if not self.mapping.answers_raw_windows:
                part = chunks.blocks(from_s, upto_s, step_s)
                return reading.blocks_of(client, reading.LAST, selector, part, step_s)
            piece = reading.raw(client, selector, from_s, upto_s)
            self._densities.learn(metric, piece, upto_s - from_s)
            return piece

        def read(client: PrometheusClient, from_s: int, upto_s: int) -> Piece:
            if metric not in COUNTERS:
                return samples(client, from_s, upto_s)
            before_s = self._densities.look_back_s(metric)
            return _counted(metric, samples(client, from_s - before_s, upto_s), from_s)

        length_s = chunks.length_s_of(self._densities.samples_per_s(metric))
        return self._chunked.read(metric, span, length_s, read, whole_s=1)

    def _read_blocks(
        self, metric: Metric, name: SeriesName, span: tuple[int, int], step_s: int
    ) -> list[Piece]:
        if span[0] == span[1]:
            return []
        selector = self._selector(name)
        has_several = metric not in COUNTERS and self._densities.has_several_per_block(
            metric, selector, span, step_s
        )

        def read(client: PrometheusClient, from_s: int, upto_s: int) -> Piece:
            part = (from_s, upto_s)
            if metric in COUNTERS:
                before_s = -(-counters.LONGEST_INTERVAL_S // step_s) * step_s
                longer = (from_s - before_s, upto_s)
                piece = reading.blocks_of(client, reading.LAST, selector, longer, step_s)
                return _counted(metric, piece, from_s)
            if has_several and metric in WITH_MEANS:
                return reading.means_with_tops(client, selector, part, step_s)
            if has_several or not self.mapping.answers_raw_windows:
                return reading.blocks_of(client, reading.MAXIMUM, selector, part, step_s)
            return reading.raw_blocks(client, selector, part, step_s)

        series = self._densities.series(metric, selector, span)
        length_s = chunks.length_s_of(series / step_s, 1 / step_s)
        length_s = min(length_s, chunks.half_s(span))
        # a part holds whole blocks, however long they are
        length_s = -(-length_s // step_s) * step_s
        pieces = self._chunked.read(metric, span, length_s, read, whole_s=step_s)
        self._densities.note(metric, max((len(piece.labels) for piece in pieces), default=0))
        return pieces

    def _samples(self, metric: str, parts: Sequence[Part]) -> Samples:
        """Return the parts as one: our labels, our units, float32."""
        pieces = [part.piece for part in parts]
        warnings = tuple(dict.fromkeys(text for piece in pieces for text in piece.warnings))
        written = joined([piece.labels for piece in pieces]) if pieces else ()
        if not written:
            return _nothing(warnings)
        labels, row = self._tables[Metric(metric)].rows(written)
        ends = np.cumsum([len(piece.labels) for piece in pieces])
        rows = np.split(row, ends[:-1])
        factor = self._compute.factors(Metric(metric), parts, labels, rows)
        series = np.concatenate([own[p.series] for p, own in zip(pieces, rows, strict=True)])
        kept = ~np.isnan(factor)
        value = np.concatenate([piece.value for piece in pieces])
        top = np.concatenate([p.value if p.top is None else p.top for p in pieces])
        has_top = any(piece.top is not None for piece in pieces)
        # what overflows is infinite, and left out by whoever takes it
        with np.errstate(over="ignore"):
            return Samples(
                series=series[kept].astype(np.int32),
                ts=np.concatenate([np.floor(piece.ts).astype(np.int64) for piece in pieces])[kept],
                value=(value * factor)[kept].astype(np.float32),
                top=(top * factor)[kept].astype(np.float32) if has_top else None,
                labels=labels,
                is_partial=bool(warnings),
                warnings=warnings,
            )


def _functions_of(metric: Metric) -> tuple[str, ...]:
    if metric in WITH_MEANS:
        return reading.MEAN, reading.MAXIMUM
    return (reading.LAST,) if metric in COUNTERS else (reading.MAXIMUM,)


def _counted(metric: Metric, piece: Piece, from_s: int) -> Piece:
    """Return what a counter did in the intervals that end at ``from_s`` or later."""
    gained = counters.increments(piece.series, piece.ts, piece.value)
    series, ts, value = COUNTERS[metric](gained)
    whole = reading.Piece(
        labels=piece.labels, series=series, ts=ts, value=value, warnings=piece.warnings
    )
    return reading.taken(whole, ts >= from_s)


def _nothing(warnings: tuple[str, ...]) -> Samples:
    return Samples(
        series=np.empty(0, np.int32),
        ts=np.empty(0, np.int64),
        value=np.empty(0, np.float32),
        labels=(),
        is_partial=bool(warnings),
        warnings=warnings,
    )
