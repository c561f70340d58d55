"""The frozen policy of one workload.

Rules exist per *dimension*: compute (TFLOPS, percent, any other compressible resource) and VRAM.
Amounts are in base units (TFLOPS, bytes), shares are 0 to 1, durations are whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from recommender.errors import Problem
from recommender.forecast.models import ModelName

if TYPE_CHECKING:
    from collections.abc import Mapping


class Dimension(StrEnum):
    """What ``targetResource`` chooses between."""

    COMPUTE = "compute"
    VRAM = "vram"


class Mode(StrEnum):
    """How far a layer may go: ``recommend`` writes nothing, ``initial`` only at admission."""

    RECOMMEND = "recommend"
    INITIAL = "initial"
    APPLY = "apply"


class LimitBasis(StrEnum):
    """Where a limit comes from: layer 1's bursts, or ``autoSetResources``' upper percentile."""

    BURST = "burst"
    UPPER_PERCENTILE = "upper_percentile"


class Follows(StrEnum):
    """What moves the amounts of a layer."""

    USE = "use"
    """Use, and what cron rules and the external scaler ask for beside it."""
    CRON = "cron"
    """Cron rules alone; outside their windows what is stated."""
    ANSWERS = "answers"
    """The external scaler and cron rules; what neither asks for stays as it is."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """Margin on a raw value: ``value * factor``, and at least ``value + least``."""

    factor: float
    least: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """``prediction`` of a block, checked and kept for the forecaster."""

    enabled: bool = False
    model: ModelName = ModelName.AUTO
    history_s: int = 14 * 86400
    period_s: int = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRule:
    """auto-requests of one dimension."""

    is_enrolled: bool
    mode: Mode
    percentile: float
    lower_percentile: float
    upper_percentile: float
    is_load_weighted: bool
    """Percentile of the work served instead of time; never for Jobs."""
    buffer: Buffer
    risk_target: float | None
    """Share of minutes with use above the request, in place of percentile and buffer; of compute
    only."""
    history_s: int
    """The requests histogram's half-life is half of it."""
    update_threshold: float
    min_ratio: float
    max_ratio: float
    """Bounds of ``next`` as multiples of the stated request."""
    min_allowed: float | None
    max_allowed: float | None
    initial_delay_s: int
    evaluation_s: int
    prediction: Prediction = field(default_factory=Prediction)
    follows: Follows = Follows.USE


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRule:
    """auto-limits of one dimension."""

    is_enrolled: bool
    mode: Mode
    basis: LimitBasis
    percentile: float
    buffer: Buffer
    risk_target: float | None
    ignored_delta: float
    scale_up_step: float
    """Smallest raise, as a multiple of the limit in force."""
    max_ratio_to_requests: float
    min_ratio: float
    max_ratio: float
    """Bounds of ``next`` as multiples of the stated limit (``autoSetResources`` only)."""
    min_allowed: float | None
    max_allowed: float | None
    evaluation_s: int
    prediction: Prediction = field(default_factory=Prediction)
    follows: Follows = Follows.USE


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaRule:
    """auto-replicas."""

    is_enrolled: bool
    mode: Mode
    target_of_limit: float
    """Demand per worker as a share of the stated limit."""
    tolerance_up: float
    tolerance_down: float
    scale_up_step: float
    """Largest growth per 15 s, as a multiple (+4 replicas are always allowed)."""
    scale_down_step: float
    """Smallest remainder per minute, as a multiple below 1."""
    scale_up_cooldown_s: int
    scale_down_cooldown_s: int
    min_replicas: int
    max_replicas: int | None
    """None: 10 x the stated replicas."""
    evaluation_s: int
    """Demand is the mean over this period."""
    prediction: Prediction = field(default_factory=Prediction)
    follows: Follows = Follows.USE


@dataclass(frozen=True, slots=True, kw_only=True)
class CronRule:
    """One ``cronScalingRules`` entry; a rule with a problem is kept, and disabled."""

    name: str
    is_enabled: bool
    start: str
    end: str
    time_zone: str
    requests: Mapping[Dimension, float]
    limits: Mapping[Dimension, float]
    replicas: int | None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalScaler:
    """``externalScaler``: an endpoint that recommends; its answer is an input of ``decide``."""

    is_enabled: bool
    url: str
    secret_namespace: str | None
    secret_name: str | None
    initial_delay_s: int
    interval_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that one workload's owner decided, and where each value came from."""

    requests: Mapping[Dimension, RequestRule]
    limits: Mapping[Dimension, LimitRule]
    replicas: ReplicaRule
    cron: tuple[CronRule, ...] = ()
    external: ExternalScaler | None = None
    scale_to_zero: Mapping[str, object] | None = None
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Path of a value (``requests.compute.percentile``) to where it was set; absent: default."""
    problems: tuple[Problem, ...] = ()

    def source_of(self, path: str) -> str:
        """Return where the value at ``path`` was set, for example ``profile team/small``."""
        return self.sources.get(path, "default")
