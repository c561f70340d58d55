"""What an item says of forecasts: plain values beside ``blocks``, no rules and no rendering.

Amounts are those of the item, times UTC seconds, shares and ratios 0 to 1 unless said otherwise.
None means "not known"; it never stands for 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedModel:
    """A model that was fitted to this series alone, for the report and beside what is recommended.

    It expects amounts of 5 minutes: for requests means, for limits and VRAM the highest.
    """

    model: str
    period_s: int
    """How far ahead it was asked to look."""
    level: float
    """The quantile that ``highest`` is of."""
    mean: float | None = None
    """Expected on average over the period."""
    highest: float | None = None
    """Highest quantile of any 5 minutes of the period."""
    reason: str | None = None
    """Why there is none, for example ``TooShort``."""
    sentence: str = ""
    """The reason in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemForecast:
    """What one layer asks of a forecast, whether it counts, and what came of what it promised."""

    layer: str
    """``requests``, ``limits`` or ``replicas``."""
    is_asked: bool
    """``prediction.enable``; false where there is a ``riskTarget`` and no forecast."""
    model: str
    """As asked for by name."""
    period_s: int
    """How far ahead the policy asks to look."""
    gate: str | None = None
    """``OPEN`` where the forecast counts, else why not; None where none was made."""
    sentence: str
    """The gate in words, and before that why not the model counts that was asked for."""
    promised_share: float | None = None
    """Share of minutes that may lie above what is in force; None without a ``riskTarget``."""
    realised_share: float | None = None
    """Share of minutes that did, fading with a half-life of 7 days."""
    judged_minutes: float | None = None
    """How many minutes that is of, fading alike."""
    gain_ratio: float | None = None
    """How much smaller the forecast's error (pinball loss) is than the histogram's; below 0 it is
    larger."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Expert to its weight, largest first; those below 1 % are left out."""
    fitted: FittedModel | None = None
    """None where the model is not one that is fitted to a series alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternStep:
    """Use moved to another level and stayed there."""

    at_s: int
    before: float | None = None
    after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPattern:
    """What the days of a series have in common, from the mean use of its blocks."""

    span_s: int
    """How much history it is of, gaps included."""
    regime: str | None = None
    """``intermittent``, ``weekly``, ``daily``, ``stepping``, ``trending`` or ``steady``."""
    figure: float | None = None
    """What the regime rests on, as ``rests_on`` says."""
    rests_on: str = ""
    day_strength_ratio: float | None = None
    """How much of what the trend leaves the time of the day explains."""
    week_strength_ratio: float | None = None
    """The same of the day of the week; None below two weeks."""
    trend_per_day: float | None = None
    """Amount per day; may be negative."""
    steps: tuple[PatternStep, ...] = ()
    """Oldest first."""
    reason: str | None = None
    """Why there is no pattern, for example ``TooShort``."""
    sentence: str = ""
    """The reason in words."""
