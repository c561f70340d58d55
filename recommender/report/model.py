"""The versioned report: the one form that every renderer reads.

``reading`` turns its JSON back into these classes, ``jsonschema`` describes it.  A field may be
added under the same version; one that changes its meaning or goes makes the next version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from recommender.report.blocks import (
    Confidence,
    CurrentReplicas,
    CurrentSize,
    Finding,
    HistoryEntry,
    Identity,
    ItemError,
    ItemEvidence,
    ItemWhatIf,
    Money,
    NextReplicas,
    NextSize,
    ReasonStep,
    RecommendedReplicas,
    RecommendedSize,
    Setting,
    Severity,
)
from recommender.report.forecast_blocks import ItemForecast, ItemPattern
from recommender.report.thresholds import Thresholds

SCHEMA = "tensorfusion-report/v1"
REPLICAS = "replicas"
"""Name of the resource of replica items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One workload and one resource."""

    identity: Identity
    """Which workload, and what it runs on."""
    resource: str
    """``tflops``, ``tflops_pct``, ``vram_bytes``, ``replicas`` or a recorded file's own name."""
    current: CurrentSize | CurrentReplicas
    """What is in force."""
    recommended: RecommendedSize | RecommendedReplicas
    """What would be right."""
    next: NextSize | NextReplicas | None = None
    """None where no layer of this resource is enrolled."""
    change_ratio: float | None = None
    """Recommended / current - 1: of the request, or of the limit where no request is set."""
    limit_change_ratio: float | None = None
    """The same of the limit."""
    verdict: Finding
    """What is most urgent about it."""
    further: tuple[Finding, ...] = ()
    """Everything else worth knowing, most urgent first."""
    evidence: ItemEvidence = field(default_factory=ItemEvidence)
    """What was measured."""
    reasoning: tuple[ReasonStep, ...] = ()
    """The way to what is recommended, first step first."""
    confidence: Confidence
    what_if: ItemWhatIf | None = None
    """Null where it was not replayed."""
    forecasts: tuple[ItemForecast, ...] = ()
    """Of each layer that asks for one, or that promises a share of minutes above."""
    pattern: ItemPattern | None = None
    """None where nobody looked for one: no layer asks for a forecast."""
    money: Money | None = None
    history: tuple[HistoryEntry, ...] = ()
    """Newest first."""
    promql: tuple[str, ...] | None = None
    """Queries that show what was measured; null where no server was asked."""
    patch: Mapping[str, object] | None = None
    """Merge patch for the owner; None: nothing would change, or its kind has no known template."""
    enrolment: Mapping[str, str] = field(default_factory=dict)
    """Layer to ``apply``, ``initial``, ``recommend`` or ``off``."""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """The values of the policy that counted, by field."""

    @property
    def severity(self) -> Severity:
        """The verdict's severity."""
        return self.verdict.severity

    @property
    def name(self) -> str:
        """``namespace/workload``."""
        return f"{self.identity.namespace}/{self.identity.workload}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTotals:
    """Whole GPUs of one pool and model."""

    pool: str | None = None
    gpu_model: str | None = None
    workers: int
    gpus_now: int | None = None
    """GPUs that the current requests need after packing."""
    releasable_gpus: int | None = None
    """Those that the recommended requests would leave empty after packing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over the items of the report."""

    severities: Mapping[str, int] = field(default_factory=dict)
    """Severity to number of items."""
    workloads: int = 0
    """Workloads with at least one item."""
    current_per_month: float | None = None
    """What the priced workloads cost in 730 hours."""
    saving_per_month: float | None = None
    """Each workload once; None where no price is known."""
    priced_workloads: int = 0
    """Workloads whose price is known."""
    freed_gpus: float | None = None
    """Sum of shares that become free; no money until a GPU is empty."""
    releasable_gpus: int | None = None
    """Whole GPUs that could be released after packing; None for a selection of workloads."""
    pools: tuple[PoolTotals, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which measurements were asked for, and which there were."""

    start_s: int
    end_s: int
    step_s: int | None = None
    """That samples were asked for in; null: as they were."""
    first_sample_s: int | None = None
    """Earliest sample of the items; None where nothing was measured."""
    last_sample_s: int | None = None
    """Latest sample of the items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """Where the report comes from.

    ``totals`` and what was measured of ``window`` are filled by whoever builds or selects items.
    """

    generated_s: int
    """When it was made."""
    tool_version: str
    """Of the program that made it."""
    source: str
    """A server's address without secrets, or the files."""
    cluster: str | None = None
    """Its name, where one was given."""
    window: Window | None = None
    currency: str = "USD"
    scanned_workloads: int = 0
    """Those that were looked at, before selection."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Reason to number of workloads that were left out."""
    filters: tuple[str, ...] = ()
    """What was selected, in words."""
    notes: tuple[str, ...] = ()
    """What a reader must know of the whole report, for example a partial answer."""
    thresholds: Thresholds = field(default_factory=Thresholds)
    """When an observation became a finding."""
    totals: Totals = field(default_factory=Totals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A complete report."""

    schema: str = SCHEMA
    meta: Meta
    items: tuple[Item, ...]
    """Most urgent first."""
    errors: tuple[ItemError, ...] = ()
    """What could not be read or decided."""
