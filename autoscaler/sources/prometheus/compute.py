"""In which metric each device's compute is given: TFLOPS, or percent where they are not known.

Servers may have both of a device, or only the share of the card.  Its compute would count twice, or
stand in another unit than that of its neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from autoscaler.sources.prometheus.last_values import IDENTITY
from autoscaler.sources.prometheus.mapping import Unit
from autoscaler.sources.prometheus.units import as_share, factors
from autoscaler.sources.source import Metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscaler.sources.prometheus.mapping import NameMapping, SeriesName
    from autoscaler.sources.prometheus.reading import Piece
    from autoscaler.sources.prometheus.units import PeakTflops
    from recommender.observation import Floats, Ints

COMPUTE = frozenset({Metric.TFLOPS, Metric.COMPUTE_PERCENT})
_OF_A_DEVICE = (*IDENTITY, "uuid")


class Part(NamedTuple):
    """What one query brought, and of what; shares of the card may stand for TFLOPS."""

    metric: Metric
    name: SeriesName
    piece: Piece


class Compute:
    """Decides per device, from the answers of one server.

    Where the server keeps shares under the names of both metrics, that is the whole rule.  Where it
    has TFLOPS of its own, each metric is given as the server has it until ``is_given_once`` is set.
    """

    def __init__(self, mapping: NameMapping, peak_tflops: PeakTflops) -> None:
        self.is_given_once = False
        self._peak_tflops = peak_tflops
        tflops = mapping.metrics.get(Metric.TFLOPS, ())
        self._shares_are_tflops = any(name.unit is not Unit.BASE for name in tflops)
        self._has_tflops = bool(tflops)
        self._with_tflops: frozenset[tuple[str, ...]] = frozenset()
        self._of_shares: set[tuple[str, str]] = set()

    @property
    def is_completed(self) -> bool:
        """Whether TFLOPS are read from shares too, of devices that have none of their own."""
        return self.is_given_once and self._has_tflops and not self._shares_are_tflops

    def forget_devices(self) -> None:
        """Forget which devices have TFLOPS of their own, before these are read anew."""
        self._with_tflops = frozenset()

    def is_of_shares(self, namespace: str, workload: str) -> bool:
        """Return whether TFLOPS of this workload came from shares of the card."""
        return (namespace, workload) in self._of_shares

    def factors(
        self,
        metric: Metric,
        parts: Sequence[Part],
        labels: Sequence[Mapping[str, str]],
        rows: Sequence[Ints],
    ) -> Floats:
        """Return the factor of each sample of the parts; NaN: it is not given in this metric.

        ``labels`` are all label sets by our names, and ``rows`` those of each part's series.  Parts
        of the metric's own come before those of shares.
        """
        factor_of: dict[tuple[SeriesName, bool], Floats] = {}
        for part in parts:
            asked = part.name, part.metric is not metric
            if asked not in factor_of:
                own = [r for other, r in zip(parts, rows, strict=True) if other.name == part.name]
                factor_of[asked] = self._of_sets(
                    metric, part.name, labels, np.unique(np.concatenate(own)), is_share=asked[1]
                )
        of_samples = [
            factor_of[part.name, part.metric is not metric][own[part.piece.series]]
            for part, own in zip(parts, rows, strict=True)
        ]
        return np.concatenate(of_samples)

    def _of_sets(
        self,
        metric: Metric,
        name: SeriesName,
        labels: Sequence[Mapping[str, str]],
        rows: Ints,
        *,
        is_share: bool,
    ) -> Floats:
        """Return the factor of each label set; ``rows`` are those that have series of the name."""
        gives_tflops = self._shares_are_tflops or self.is_completed
        name = as_share(name) if is_share else name
        factor = factors(metric, name, labels, self._peak_tflops, gives_tflops=gives_tflops)
        if not self.is_completed or metric not in COMPUTE:
            return factor
        if metric is Metric.TFLOPS and not is_share:
            self._with_tflops = frozenset(_device(labels[row]) for row in rows.tolist())
            return factor
        has_own = [_device(label) in self._with_tflops for label in labels]
        factor = np.where(np.array(has_own, np.bool_), np.nan, factor)
        if is_share:
            given = rows[~np.isnan(factor[rows])].tolist()
            self._of_shares |= {
                (labels[row].get("namespace", ""), labels[row].get("workload", "")) for row in given
            }
        return factor


def _device(labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in _OF_A_DEVICE)
