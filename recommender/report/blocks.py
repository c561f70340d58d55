"""What one item of a report consists of: plain values, no rules and no rendering.

Amounts are per worker and GPU device in base units (TFLOPS, percent, bytes, a file's own unit).
None means "not known" or "not set"; an amount is never 0.  Shares are 0 to 1, times UTC seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

HOURS_PER_MONTH = 730.0


class Severity(StrEnum):
    """How urgent an item is, most urgent first: risk stands before saving everywhere."""

    CRITICAL = "CRITICAL"
    WARNING = "WARNING"
    SAVING = "SAVING"
    UNKNOWN = "UNKNOWN"
    """Too little is known: nothing is recommended."""
    UNSET = "UNSET"
    """Nothing is in force, or stated, to compare with: no change and no saving, and where it can be
    told all the same, a recommendation."""
    OK = "OK"

    @property
    def rank(self) -> int:
        """Return 0 for the most urgent."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which workload, and what it runs on."""

    namespace: str
    workload: str
    owner: str | None = None
    """Kind and name, for example ``Deployment/chat``."""
    pool: str | None = None
    """Name of its GPUPool."""
    gpu_model: str | None = None
    """Of the cards that its workers run on, such as ``NVIDIA A100-SXM4-40GB``."""
    qos: str | None = None
    """``critical``, ``high``, ``medium`` or ``low``."""
    gpu_count: int = 1
    """Devices per worker."""
    replicas: int | None = None
    """Workers that are wanted."""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        """(namespace, workload, GPU model): what a row of a report is about."""
        return self.namespace, self.workload, self.gpu_model or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentSize:
    """What is in force, and where each value came from."""

    request: float | None = None
    limit: float | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    """``request`` and ``limit`` to their origin, for example ``annotation``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendedSize:
    """What would be right."""

    request: float | None = None
    limit: float | None = None
    lower: float | None = None
    """Lower bound of the request: what is in force is too little below it."""
    upper: float | None = None
    """Upper bound of the request: what is in force is too much above it."""
    raw: float | None = None
    """The request before floors, allowed range, card and quota."""
    raw_limit: float | None = None
    """The limit before the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextSize:
    """What may be written now, after ratio bounds, pace, budgets and confidence."""

    request: float | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentReplicas:
    """Wanted replicas in force, and where the number came from."""

    replicas: int | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    """``replicas`` to its origin, for example ``annotation``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendedReplicas:
    """Replicas that would be right; ``raw`` before every bound."""

    replicas: int | None = None
    raw: float | None = None
    """Before every bound, and not rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextReplicas:
    """Replicas that may be written now."""

    replicas: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One judgement.  ``code`` is stable: filters, documentation and alerts may rely on it."""

    severity: Severity
    code: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSeries:
    """Measured use or demand for a plot, at most 56 points; None where nothing was measured.

    The last point may reach beyond the time of the report.
    """

    start_s: int
    step_s: int
    highest: tuple[float | None, ...]
    mean: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemEvidence:
    """What was measured.

    Counts, span and coverage are of everything that was read; amounts and shares of the last 7 days
    at most.  Amounts of compute are *demand*: the use, and in the minutes of ``at_limit_share`` an
    estimate of what was held back.  Where that share is 0, and always for VRAM, they are the use.
    """

    points: int = 0
    """Samples."""
    span_s: int = 0
    """From the first sample to the last."""
    step_s: int | None = None
    """Between two samples, mostly."""
    coverage_ratio: float | None = None
    """Samples that there are, of those that the span could have."""
    workers_seen: int = 0
    """Different workers, those that ended included."""
    last_sample_age_s: float | None = None
    p50: float | None = None
    """Half of the highest amounts of 5 minutes are not above it; ``p90`` and so on likewise."""
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    highest: float | None = None
    mean: float | None = None
    at_limit_share: float | None = None
    """Share of minutes in which compute was held back by its limit or its share of the GPU."""
    above_request_share: float | None = None
    """Share of 5-minute blocks whose highest amount was above the request in force."""
    denials: int | None = None
    """Refused allocations."""
    is_opaque: bool = False
    """A constant share of the limit is taken whatever the load: use says nothing."""
    hourly_profile: tuple[float | None, ...] = ()
    """24 values, by hour of the day in UTC."""
    series: UsageSeries | None = None
    """For a plot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonStep:
    """One step of the way from measured use to the recommendation."""

    layer: str
    """``requests``, ``limits`` or ``replicas``."""
    code: str
    """Stable; the list is in the reference of reasons."""
    before: float | None = None
    """The amount that came into the step."""
    after: float | None = None
    """The amount that left it."""
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """How far the recommendation may be trusted: ``A`` (best) to ``D``.

    Below B where the last sample is stale, and D with 0 where there is nothing to trust.
    """

    grade: str
    value: float
    """0 to 1; grades are ranges of it."""
    missing: tuple[str, ...] = ()
    """What would raise it, for example ``13 h of 2 d of history``; only what is really missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIfScore:
    """One series of amounts against what was measured (``ItemEvidence``: use or demand)."""

    slack_ratio: float | None = None
    """Allocated / measured - 1."""
    violated_share: float | None = None
    """Share of judged 5-minute blocks that were above the amount; VRAM would have failed there."""
    throttled_ratio: float | None = None
    """What was above the amount as a share of everything."""
    changes_per_day: float | None = None
    """Of the amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemWhatIf:
    """Had the recommendations been in force: a causal replay, beside what was in force."""

    start_s: int
    end_s: int
    request: WhatIfScore | None = None
    limit: WhatIfScore | None = None
    current_request: WhatIfScore | None = None
    current_limit: WhatIfScore | None = None
    hindsight_above_request_share: float | None = None
    """Hindsight, no replay: share of 5-minute blocks above today's recommended request."""
    hindsight_above_limit_share: float | None = None
    """The same of today's recommended limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """Cost of one workload.  It stands on one item per workload, so that sums are right."""

    current_per_hour: float | None = None
    """Of all workers, in the currency of the report."""
    recommended_per_hour: float | None = None
    saving_per_month: float | None = None
    """730 hours; negative where the recommendation costs more; None without a price."""
    price_source: str | None = None
    """Where the price was found."""
    is_estimated: bool = False
    """From the price of a whole GPU and the larger of the two shares."""
    freed_gpus: float | None = None
    """Share of GPUs that becomes free, over all workers; no money until a GPU is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One change that was tried."""

    time_s: int
    resource: str
    layer: str
    """``requests``, ``limits`` or ``replicas``."""
    before: float | None = None
    after: float | None = None
    reason: str = ""
    """The step that decided, as a sentence."""
    outcome: str = "applied"
    """``applied``, ``capped``, ``rolled back``, or why it was not applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One value of the workload's policy, and where it was set."""

    value: float | str
    source: str
    """Where it was set, for example ``profile`` or ``default``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemError:
    """A workload or a query that failed."""

    message: str
    namespace: str | None = None
    workload: str | None = None
    resource: str | None = None
    stage: str = ""
    """``collect``, ``decide`` and so on."""
