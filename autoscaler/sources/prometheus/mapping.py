"""What the series and labels of a server are called, as a value.

A mapping says under which names a server keeps what the autoscaler measures, and what it cannot
give.  The shipped ones are ``mappings``, those that users write are read by ``mapping_document``;
queries are built from a mapping by the source, and label sets are read by ``labels``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.sources.prometheus.promql import Matcher, selector
from autoscaler.sources.source import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

OUR_LABELS = ("namespace", "workload", "worker", "uuid", "gpu_model", "pool", "node", "qos")
"""All labels that are kept of a series, by our names."""
AMOUNTS_IN_FORCE = ("tflops-request", "tflops-limit", "vram-request", "vram-limit")
IN_FORCE = (*AMOUNTS_IN_FORCE, "gpu-count")
"""What a server may say of a worker's resources, by the names of the annotations."""
RENAMED = "exported_"
"""What a scrape without ``honorLabels: true`` puts before labels that its target has too."""
MISSING: Mapping[Metric, str] = MappingProxyType(
    {
        Metric.VRAM_BYTES: "The use of VRAM is not measured.",
        Metric.EFFECTIVE_SHARE_PERCENT: (
            "The share in force after QoS is not measured; use is compared with the limit instead."
        ),
        Metric.THROTTLED_RATIO: (
            "Throttled time is not measured; a compute limit that is too low shows only where the "
            "use reaches it."
        ),
        Metric.VRAM_DENIED: (
            "Refused VRAM allocations are not counted; a VRAM limit that is too low shows only "
            "where the use comes near it."
        ),
    }
)
"""What follows for users where a server has no name for a metric."""


class Unit(StrEnum):
    """What a series counts in, once it is multiplied by ``SeriesName.scale``."""

    BASE = "base"
    """The metric's own unit: TFLOPS, bytes, percent of one GPU, seconds or events."""
    CARD_RATIO = "cardRatio"
    """Share of the card, 0 to 1; the GPU model says how many TFLOPS that is."""
    CARD_PERCENT = "cardPercent"
    """Share of the card, 0 to 100."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesName:
    """One series of a server."""

    series: str
    matchers: tuple[Matcher, ...] = ()
    unit: Unit = Unit.BASE
    scale: float = 1.0
    """Factor from the server's numbers to ``unit``: 2**20 where it counts MiB."""

    def selector(self, extra: Sequence[Matcher] = ()) -> str:
        """Return the PromQL selector, narrowed by further matchers."""
        return selector(self.series, (*self.matchers, *extra))

    def __str__(self) -> str:
        """Return the name as users know it, with its own matchers."""
        return self.selector()


@dataclass(frozen=True, slots=True, kw_only=True)
class NameMapping:
    """Names of one kind of server.

    ``THROTTLED_RATIO`` names a counter of seconds, ``VRAM_DENIED`` a counter of events; all other
    metrics name gauges.
    """

    name: str
    labels: Mapping[str, tuple[str, ...]]
    """Our label to the names to look for; the first that a series has (and that is not empty)
    counts, and before each the same name with ``exported_`` is tried."""
    metrics: Mapping[Metric, tuple[SeriesName, ...]]
    """Alternatives; the first that the server has is used."""
    in_force: Mapping[str, SeriesName] = field(default_factory=lambda: MappingProxyType({}))
    """Keys of ``IN_FORCE``."""
    takes_workload_of_pod: bool = False
    """The worker is a pod whose owner is its workload, where the series names none."""
    exporter_pods: str = ""
    """Pattern of the names of pods that are the exporter itself: a card without a pod carries the
    labels of the scraped exporter."""
    answers_raw_windows: bool = True
    """An instant query for a window (``m[5m]``) is answered with the samples themselves."""
    remarks: tuple[str, ...] = ()
    """What else the server cannot give, as sentences for users."""

    @property
    def limits(self) -> tuple[str, ...]:
        """Return what the server cannot give, as sentences for users."""
        return (*self._missing(), *self.remarks)

    def names_of(self, label: str) -> tuple[str, ...]:
        """Return the names under which a series may hold one of our labels, first wins."""
        return tuple(
            name for own in self.labels.get(label, ()) for name in (f"{RENAMED}{own}", own)
        )

    def _missing(self) -> Iterator[str]:
        compute = [self.metrics.get(m, ()) for m in (Metric.TFLOPS, Metric.COMPUTE_PERCENT)]
        if not any(compute):
            yield "The use of compute is not measured."
        if any(name.unit is not Unit.BASE for names in compute for name in names):
            yield (
                "TFLOPS are the busy share of the card times the FP16 peak of its model; where the "
                "model is not known, compute is measured in percent of the card only."
            )
        for metric, sentence in MISSING.items():
            if not self.metrics.get(metric):
                yield sentence
        unknown = [name for name in AMOUNTS_IN_FORCE if name not in self.in_force]
        if unknown:
            yield (
                f"Not measured, and to be stated in a workloads file: {', '.join(unknown)} in "
                "force."
            )
        if not self.labels.get("gpu_model"):
            yield "The GPU model is not named, and is to be stated in a workloads file."
