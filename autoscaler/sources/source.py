"""The protocol of every metrics source, and what it returns.

Live Prometheus, recorded files and the simulator all answer the same question: all samples of one
metric of all workers between two times.  Never per worker, never per workload.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping


class Metric(StrEnum):
    """What can be asked for.  A recorded file's own resource is asked for by its name."""

    TFLOPS = "tflops"
    COMPUTE_PERCENT = "tflops_pct"
    VRAM_BYTES = "vram_bytes"
    EFFECTIVE_SHARE_PERCENT = "effective_share_percent"
    """Share of the card in force after QoS, 0 to 100."""
    THROTTLED_RATIO = "throttled_ratio"
    """Share of the interval that launches waited, 0 to 1 (from a counter, per interval)."""
    VRAM_DENIED = "vram_denied"
    """Allocations refused in the interval (from a counter, per interval)."""


SIDE_METRICS = frozenset(
    {Metric.EFFECTIVE_SHARE_PERCENT, Metric.THROTTLED_RATIO, Metric.VRAM_DENIED}
)
"""They say something of other samples and are not sized themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Samples of one metric, as columns.  Rows may come in any order."""

    series: NDArray[np.int32]
    """Index into ``labels``."""
    ts: NDArray[np.int64]
    """UTC seconds."""
    value: NDArray[np.float32]
    """Where the source aggregated its samples: the mean of ``[ts, ts + step)``."""
    labels: tuple[Mapping[str, str], ...]
    """Per series: ``namespace``, ``workload``, ``worker``; where known ``gpu_model``, ``pool``,
    ``node``, ``uuid``, ``qos``."""
    top: NDArray[np.float32] | None = None
    """Largest value of ``[ts, ts + step)`` where the source aggregated; None: as ``value``."""
    is_partial: bool = False
    """The source could not answer in full; ``warnings`` say what it said."""
    warnings: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.ts)


class MetricsSource(Protocol):
    """Anything that can be asked for usage."""

    def metrics(self) -> frozenset[str]:
        """Return the metrics that this source has (names of ``Metric``, or a file's own)."""
        ...

    def read(self, metric: str, start_s: int, end_s: int, step_s: int) -> Samples:
        """Return the samples with ``start_s <= ts < end_s``.

        ``step_s`` is the wanted resolution.  A coarser source answers with what it has; a finer one
        gives its own samples below a minute, and from a minute on blocks of ``step_s``, labelled by
        their start, so that no peak is lost.  Raises a ``SourceError``; an unknown metric has no
        samples.
        """
        ...
