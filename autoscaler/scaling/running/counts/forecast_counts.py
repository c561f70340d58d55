"""What keeps forecasts good, in numbers: trainings, and models by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recommender.forecast.named.reason import Reason

Subject = tuple[str, str, int]
"""Layer, resource, and how many seconds ahead forecasts look."""


class TrainingFailure(StrEnum):
    """Why a training gave no model."""

    TOO_LONG = "too_long"
    """It was ended after its limit."""
    ENDED = "ended"
    """Its process ended, for example for want of memory."""
    FAILED = "failed"
    """It raised an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """The model that a stream forecasts with."""

    rows: int
    """That it was trained on."""
    took_s: float
    trained_s: int
    """UTC seconds."""
    version: str
    """Digest of what it was trained on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSnapshot:
    """All trainings of a process."""

    models: Mapping[Subject, TrainedModel] = field(default_factory=lambda: MappingProxyType({}))
    failures: Mapping[TrainingFailure, int] = field(
        default_factory=lambda: MappingProxyType(dict.fromkeys(TrainingFailure, 0))
    )
    """Every reason, since the process started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSnapshot:
    """Models that workloads ask for by name, and that are fitted for each of them."""

    fitted: int = 0
    """Series whose last fit gave a forecast."""
    failing: int = 0
    """Series whose last fit gave none."""
    busy: int = 0
    """Series that are being fitted."""
    left_out: int = 0
    """Workloads beyond the number that is served; their model is ``auto``."""
    failures: Mapping[Reason, int] = field(default_factory=lambda: MappingProxyType({}))
    """Fits that gave no forecast, since the process started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepSnapshot:
    """What keeps forecasts good, at one moment."""

    training: TrainingSnapshot = field(default_factory=TrainingSnapshot)
    named: NamedSnapshot = field(default_factory=NamedSnapshot)
