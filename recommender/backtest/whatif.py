"""What a report says of a recommendation, had it been in force: result types only."""

from __future__ import annotations

from dataclasses import dataclass

from recommender.observation import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Scores of one series of amounts against measured use, ``[W, R]``, NaN: nothing to judge."""

    slack: Floats
    """Allocated / used - 1, over the judged time."""
    violated_share: Floats
    """Share of judged minutes (or steps) with use above the amount; VRAM: would have failed."""
    throttled_volume: Floats
    """Use above the amount as a share of use."""
    changes_per_day: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """The workloads' own causal back-test beside what was in force."""

    start_s: int
    end_s: int
    decision_step_s: int
    requests: Scores
    """Each decision saw earlier samples only."""
    limits: Scores
    current_requests: Scores
    """Hindsight: today's value over the same time."""
    current_limits: Scores
