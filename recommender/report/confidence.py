"""Confidence as a grade, and what would raise it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recommender.report.blocks import Confidence
from recommender.sentences import duration, percent

if TYPE_CHECKING:
    from recommender.report.blocks import ItemEvidence

GRADES = (("A", 0.9), ("B", 0.5), ("C", 0.1), ("D", 0.0))
"""Least value of each grade: from B on a request may fall."""
FULL_SPAN_S = 2 * 86_400
FULL_COVERAGE_RATIO = 0.95
FRESH_S = 300
FRESH_STEPS = 3


def confidence(value: float, evidence: ItemEvidence) -> Confidence:
    """Grade a value of 0 to 1 and say what is missing."""
    grade = next(name for name, least in GRADES if value >= least)
    missing = []
    if evidence.span_s < FULL_SPAN_S:
        missing.append(f"{duration(evidence.span_s)} of {duration(FULL_SPAN_S)} of history")
    coverage = evidence.coverage_ratio
    if coverage is not None and coverage < FULL_COVERAGE_RATIO:
        missing.append(f"{percent(coverage)} of the expected samples")
    age_s = evidence.last_sample_age_s
    if age_s is not None and age_s > max(FRESH_S, FRESH_STEPS * (evidence.step_s or 0)):
        missing.append(f"the last sample is {duration(age_s)} old")
    return Confidence(grade=grade, value=round(value, 4), missing=tuple(missing))
