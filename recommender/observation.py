"""What ``decide`` sees: statistics read from the usage model, and what is in force.

Arrays over all workloads at once.  ``W`` rows are workloads (one row per workload and GPU model),
``R`` columns are resources, ``K`` rows are workers.  NaN means "not known" or "not set"; it never
means zero.  Amounts are per worker and GPU device, in base units (TFLOPS, percent, bytes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from recommender.resources import Resource

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

QOS_LEVELS = ("low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workloads:
    """What is stated and in force, one row per workload and GPU model."""

    namespace: tuple[str, ...]
    workload: tuple[str, ...]
    gpu_model: tuple[str, ...]
    """Empty where unknown."""
    uid: NDArray[np.str_]
    """A new uid under an old name keeps the usage and clears the decision state."""
    stated_request: Floats
    """[W, R] what the user declared (annotation or profile)."""
    stated_limit: Floats
    request: Floats
    """[W, R] in force on running workers; the declared value where nothing was changed."""
    limit: Floats
    replicas: Floats
    """[W] wanted replicas now; NaN where the owner has no replicas."""
    stated_replicas: Floats
    gpu_count: Ints
    """[W] devices per worker."""
    qos: NDArray[np.int8]
    """[W] index into ``QOS_LEVELS``."""
    is_job: Bools
    """[W] owner is a Job: percentiles are over time, not load-weighted."""
    card: Floats
    """[W, R] capacity of one device of the workload's GPU model."""
    largest_placeable: Floats
    """[W, R] the largest request that any device of the pool could hold now, own share included."""
    quota: Floats
    """[W, R] largest request per worker that the namespace's quota still allows."""
    replica_quota: Floats
    """[W] most replicas that the GPU budget still allows."""
    is_paused: Bools
    external_request: Floats
    """[W, R] answer of the workload's external scaler."""
    external_limit: Floats
    external_replicas: Floats
    replica_row: Ints
    """[W] the row that carries the replica decision: itself, but for further GPU models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Running workers, ``K`` rows; surge and terminating workers are left out by the caller."""

    workload_row: Ints
    demand: Floats
    """[K] mean demand of the evaluation period in the first compressible resource, corrected for
    censoring; NaN where there is no fresh sample."""
    is_ready: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageStatistics:
    """Statistics of the usage model at one time, ``[W, R]`` unless said otherwise."""

    points: Ints
    """Minutes with at least one usable sample."""
    expected_points: Floats
    """Minutes (or steps, where longer) between the first and the last sample."""
    first_sample_s: Ints
    last_sample_s: Ints
    """-1 where there was none."""
    step_s: Ints
    request_target: Floats
    """At the policy's percentile, load-weighted where the policy says so; VRAM: of 1-h peaks."""
    request_lower: Floats
    request_upper: Floats
    limit_percentile: Floats
    """At the limit policy's level (p99) of the 1-h histogram of 1-minute maxima."""
    day_percentile: Floats
    """The same level over the 5-minute maxima of the last 24 h."""
    day_demand: Floats
    """Highest use of all workers together in 5 minutes of the last 24 h; NaN for VRAM."""
    hour_mean: Floats
    """Highest 5-minute mean of a worker in the last hour."""
    burst: Floats
    """max(EWMA 30 s + 3 sigma, p99 of 60 s) over the workers; NaN without fresh samples."""
    last_three: Floats
    """Highest of the last three samples of any worker, for steps longer than 15 s."""
    recent_minutes: Floats
    """Highest 1-minute maximum of the last 5 minutes."""
    is_saturated: Bools
    """The latest sample of some worker was saturated."""
    saturated_share: Floats
    """The largest share that held such a worker down; inf: not measured, NaN: there is none."""
    saturated_minutes: Floats
    """Saturated minutes since ``watch_since_s`` (at most the last 30 minutes)."""
    saturated_share_day: Floats
    """Share of saturated minutes in the last 24 h."""
    denials: Floats
    """Refused allocations since ``watch_since_s`` (at most the last 30 minutes)."""
    new_denials: Floats
    """Refused allocations since the last limits tick."""
    resident_peak: Floats
    """Highest use of any running worker in the last hour; incompressible resources only."""
    loaded_floor: Floats
    """Highest use while a worker was starting: what the loaded model needs."""
    is_opaque: Bools
    """A constant fraction of the limit is taken whatever the load: use says nothing."""
    startup_s: Floats
    """[W] learned time from start to Ready (p90); NaN where never seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecasts:
    """What is forecast, ``[W, R]`` unless said otherwise; NaN where nothing is.

    Gates are numbers of ``recommender.forecast.gate.Gate``: whether the forecast of the experts
    together counts, and why not.
    """

    limit: Floats
    """Use of any minute of a worker until the next forecast stays below it, at the level of the
    limits rule."""
    limit_histogram: Floats
    """The same of what was measured alone, calibrated alike: what counts without a forecast."""
    limit_gate: Ints
    request: Floats
    """Mean use of any minute of a worker in the period stays below it, at the requests' level."""
    request_histogram: Floats
    request_gate: Ints
    segment: Floats
    """Highest hour of the running segment of the day; NaN where the days have none."""
    segment_since_s: Ints
    """When the running segment began."""
    replica_demand: Floats
    """[W] demand of all workers together in the first compressible resource, once new ones are
    up."""
    replica_gate: Ints
    """[W]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Everything that one decision depends on, besides policies, state and time."""

    resources: tuple[Resource, ...]
    workloads: Workloads
    workers: Workers
    usage: UsageStatistics
    forecasts: Forecasts | None = None
    """None: nobody asked for any."""

    @property
    def shape(self) -> tuple[int, int]:
        """(W, R)."""
        return len(self.workloads.workload), len(self.resources)
