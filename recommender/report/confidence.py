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
SHORTEST_STEP_S = 60
FRESH_S = 300
FRESH_STEPS = 3
STALE_MOST = 0.49
"""Largest value on stale samples: nothing is lowered on them, as below B."""


def confidence(value: float, evidence: ItemEvidence, *, has_recommendation: bool) -> Confidence:
    """Grade the decision's confidence (0 to 1) and say what is missing.

    The decision keeps how well a record is known apart from how old it is; a grade is one answer,
    so that a stale record is below B.  Without a recommendation there is nothing to trust.
    """
    if is_stale(evidence):
        value = min(value, STALE_MOST)
    if not has_recommendation:
        value = 0.0
    grade = next(name for name, least in GRADES if value >= least)
    return Confidence(grade=grade, value=round(value, 4), missing=_missing(evidence))


def is_stale(evidence: ItemEvidence) -> bool:
    """Return whether the last sample is too old to act on, by the rule of the decision."""
    age_s = evidence.last_sample_age_s
    return age_s is not None and age_s > max(FRESH_S, FRESH_STEPS * (evidence.step_s or 0))


def _missing(evidence: ItemEvidence) -> tuple[str, ...]:
    missing = []
    span, full = duration(evidence.span_s), duration(FULL_SPAN_S)
    if evidence.span_s < FULL_SPAN_S and span != full:
        missing.append(f"{span} of {full} of history")
    covered = _covered_ratio(evidence)
    if covered is not None and covered < FULL_COVERAGE_RATIO:
        missing.append(f"{percent(covered)} of the expected samples")
    if is_stale(evidence):
        missing.append(f"the last sample is {duration(evidence.last_sample_age_s or 0)} old")
    return tuple(missing)


def _covered_ratio(evidence: ItemEvidence) -> float | None:
    """Return the samples as a share of those that are expected, of 2 days at most.

    As the decision counts them: a workload that is off at night lacks nothing.
    """
    if evidence.step_s is None:
        return evidence.coverage_ratio
    step_s = max(evidence.step_s, SHORTEST_STEP_S)
    return evidence.points / (min(evidence.span_s, FULL_SPAN_S) / step_s + 1.0)
