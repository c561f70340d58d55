"""What streams say, as tables beside those of the fleet: for ``decide``, and for reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from recommender.decision import Layer
from recommender.forecast.absence import Absence
from recommender.forecast.forecaster import EXPERTS
from recommender.forecast.gate import Gate
from recommender.forecast.promises import ForecastEvidence, LayerEvidence
from recommender.forecast.rows import slots
from recommender.forecast.segments import HOURS, daily_segments
from recommender.observation import Forecasts
from recommender.usage.peaks import HOUR_S

if TYPE_CHECKING:
    from recommender.forecast.asked import StreamKey
    from recommender.forecast.stream import Stream
    from recommender.forecast.unfitted import Unfitted
    from recommender.observation import Floats, Ints

Streams = Mapping["StreamKey", "Stream"]


class _Columns:
    """What the streams of one layer say, ``[W, R]``."""

    def __init__(self, streams: Streams, layer: Layer, rows: Ints, resources: int) -> None:
        shape = (len(rows), resources)
        self.value, self.histogram = np.full(shape, np.nan), np.full(shape, np.nan)
        self.gate = np.full(shape, int(Gate.NOT_ASKED), np.int64)
        self._own = {key: stream for key, stream in streams.items() if key.layer is layer}
        self._rows = rows

    def read(self, now_s: int) -> _Columns:
        """Take what counts at ``now_s``."""
        for key, stream in self._own.items():
            mine, at = _places(self._rows, stream)
            current, r = stream.current, key.resource
            if current is None:
                self.gate[mine, r] = int(Gate.YOUNG)
            elif not stream.is_fresh(now_s):
                self.gate[mine, r] = int(Gate.GAPS)
            else:
                self.value[mine, r] = current.value[at]
                self.histogram[mine, r] = current.measured[at]
                self.gate[mine, r] = current.gate[at]
        return self

    @property
    def resource(self) -> int:
        """The one of a layer that has a single one; 0 where nobody asks."""
        return next((key.resource for key in self._own), 0)


def forecasts_of(streams: Streams, rows: Ints, resources: int, now_s: int) -> Forecasts:
    """Return what is forecast for usage ``rows``."""
    limits, requests, replicas = (
        _Columns(streams, layer, rows, resources).read(now_s)
        for layer in (Layer.LIMITS, Layer.REQUESTS, Layer.REPLICAS)
    )
    segment, since_s = _segments(streams, rows, requests.gate.shape, now_s)
    return Forecasts(
        limit=limits.value,
        limit_histogram=limits.histogram,
        limit_gate=limits.gate,
        request=requests.value,
        request_histogram=requests.histogram,
        request_gate=requests.gate,
        segment=segment,
        segment_since_s=since_s,
        replica_demand=replicas.value[:, replicas.resource],
        replica_gate=replicas.gate[:, replicas.resource],
    )


def evidence_of(
    streams: Streams, rows: Ints, resources: int, unfitted: Unfitted
) -> ForecastEvidence:
    """Return what was promised to usage ``rows``, and what came of it."""
    compute = [key.resource for key in streams if key.layer is Layer.REPLICAS]
    every = list(range(resources))
    return ForecastEvidence(
        limits=_evidence(streams, Layer.LIMITS, rows, every, unfitted),
        requests=_evidence(streams, Layer.REQUESTS, rows, every, unfitted),
        replicas=_evidence(streams, Layer.REPLICAS, rows, compute[:1] or [0], unfitted),
    )


def _evidence(
    streams: Streams, layer: Layer, rows: Ints, resources: list[int], unfitted: Unfitted
) -> LayerEvidence:
    shape = (len(rows), len(resources))
    found = LayerEvidence(
        gate=np.full(shape, int(Gate.NOT_ASKED), np.int64),
        promised=np.full(shape, np.nan),
        realised=np.full(shape, np.nan),
        minutes=np.zeros(shape),
        loss_ratio=np.full(shape, np.nan),
        absence=np.full(shape, int(Absence.NONE), np.int64),
        shares=np.zeros((*shape, len(EXPERTS))),
    )
    for key, stream in streams.items():
        if key.layer is not layer:
            continue
        c = resources.index(key.resource)
        mine, at = _places(rows, stream)
        gate = (
            np.full(len(at), int(Gate.YOUNG)) if stream.current is None else stream.current.gate[at]
        )
        found.gate[mine, c] = gate
        found.promised[mine, c] = stream.risk[at]
        found.realised[mine, c] = stream.realised.share[at]
        found.minutes[mine, c] = stream.realised.minutes[at]
        found.loss_ratio[mine, c] = stream.loss_ratio[at]
        found.absence[mine, c] = stream.absences(unfitted.of(key, stream.rows))[at]
        found.shares[mine, c] = stream.shares()[:, at].T
    return found


def _segments(
    streams: Streams, rows: Ints, shape: tuple[int, ...], now_s: int
) -> tuple[Floats, Ints]:
    """Return the highest hour of the running segment of the day, and when it began (-1: none)."""
    level, since_s = np.full(shape, np.nan), np.full(shape, -1, np.int64)
    hour = now_s // HOUR_S
    for key, stream in streams.items():
        if key.layer is not Layer.REQUESTS:
            continue
        segments = stream.segments(daily_segments)
        if segments is None:
            continue
        mine, at = _places(rows, stream)
        edges = np.stack([segments.edge[(hour - ago) % HOURS] for ago in range(HOURS)])
        begin_s = np.where(edges.any(axis=0), (hour - edges.argmax(axis=0)) * HOUR_S, -1)
        level[mine, key.resource] = segments.level[hour % HOURS][at]
        since_s[mine, key.resource] = begin_s[at]
    return level, since_s


def _places(rows: Ints, stream: Stream) -> tuple[Ints, Ints]:
    """Return which of ``rows`` a stream has, and their columns there."""
    slot = slots(rows, stream.rows)
    mine = np.flatnonzero(slot >= 0)
    return mine, slot[mine]
