"""What a metric family is, and the numbers that it has when it is scraped.

The families themselves are listed in ``families`` and its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PREFIX = "tensorfusion_autoscaler_"


class Kind(StrEnum):
    """Types of the text format."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric family."""

    name: str
    """As in the text format; counters end with ``_total``."""
    kind: Kind
    meaning: str
    """One sentence without a full stop, as Prometheus' own help texts."""
    labels: tuple[str, ...] = ()


def family(name: str, kind: Kind, meaning: str, *labels: str) -> Family:
    """Return a family whose name gets the common prefix."""
    return Family(name=f"{PREFIX}{name}", kind=kind, meaning=meaning, labels=labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One number of a family."""

    family: Family
    value: float
    labels: tuple[str, ...] = ()
    """Values of the labels of the family, in its order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """The numbers of a histogram family."""

    family: Family
    buckets: tuple[tuple[str, int], ...]
    """Upper end of each bucket to the number of observations at or below it; ``+Inf`` last."""
    total: float
    """Sum of all observations."""
    labels: tuple[str, ...] = ()
    """Values of the labels of the family, in its order."""
