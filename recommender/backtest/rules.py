"""Rules of other autoscalers, to compare policies with: percentiles of decaying histograms.

Only what sizes amounts is here; a rule sizes no replicas, and knows no enrolment and no pace.  What
it puts in force follows its target as every replay does: raised at once, lowered when it is worth
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from recommender.policy.model import Dimension
from recommender.resources import MIB
from recommender.usage.store import DAY_S

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one autoscaler sizes workers."""

    half_life_s: int
    request_levels: Mapping[Dimension, tuple[float, float, float, float]]
    """Percentile of use that a request covers, for QoS low, medium, high and critical."""
    limit_levels: Mapping[Dimension, float] | None
    """Percentile that a limit covers; None: a limit keeps its stated ratio to the request."""
    margin: float = 0.15
    """Added to a percentile, as a share of it."""
    lower_below: float = 0.1
    """A target that is by less than this share below what is in force changes nothing."""
    vram_peak_s: int | None = None
    """Of so long, only the highest VRAM use of a worker counts; None: every sample counts."""
    refused_factor: float = 1.0
    """What was refused counts as so many times the amount in force,"""
    refused_least_bytes: float = 0.0
    """and as at least so much more."""
    has_whole_tflops: bool = False
    """Fractions of a TFLOPS are cut off; what is left is at least 1 TFLOPS."""
    keeps_stated_compute_limit: bool = False
    """A compute limit is never below the stated one."""


TENSOR_FUSION = Rule(
    half_life_s=3600,
    request_levels=MappingProxyType(
        {Dimension.COMPUTE: (0.5, 0.5, 0.95, 0.99), Dimension.VRAM: (0.5, 0.5, 0.98, 0.99)}
    ),
    limit_levels=MappingProxyType({Dimension.COMPUTE: 0.99, Dimension.VRAM: 0.99}),
    has_whole_tflops=True,
    keeps_stated_compute_limit=True,
)
"""Defaults of the TensorFusion operator (NexusGPU/tensor-fusion)."""
VPA = Rule(
    half_life_s=DAY_S,
    request_levels=MappingProxyType(dict.fromkeys(Dimension, (0.9, 0.9, 0.9, 0.9))),
    limit_levels=None,
    vram_peak_s=DAY_S,
    refused_factor=1.2,
    refused_least_bytes=100 * MIB,
)
"""Defaults of the Kubernetes Vertical Pod Autoscaler, VRAM sized as it sizes memory."""
