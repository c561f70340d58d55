"""What a report shows of measured use, read from the usage model for all workloads at once."""

from __future__ import annotations

from dataclasses import dataclass

from recommender.observation import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """``[W, R]`` unless said otherwise; NaN where there is nothing.

    Amounts and shares are of the last 7 days at most; points, span and coverage of everything that
    was taken.  Amounts of compressible resources are demand (``quality.demand_of``): the use where
    no sample was saturated.
    """

    p50: Floats
    p90: Floats
    p95: Floats
    p99: Floats
    highest: Floats
    """Percentiles over the 5-minute maxima."""
    mean: Floats
    points: Ints
    span_s: Ints
    coverage: Floats
    """Points as a share of the expected ones, 0 to 1."""
    workers_seen: Ints
    last_sample_age_s: Floats
    saturated_share: Floats
    """Share of minutes with a saturated sample, last 7 days."""
    denials: Floats
    """Refused allocations, last 7 days."""
    is_opaque: Bools
    hourly_profile: Floats
    """[W, R, 24] mean of the 5-minute maxima by hour of the day, UTC."""
    block_start_s: Ints
    """[B] start of each 5-minute block, oldest first."""
    block_max: Floats
    """[W, R, B] (float32) highest amount of any worker in the block."""
    block_mean: Floats
    """[W, R, B] (float32) mean amount of the workers."""
