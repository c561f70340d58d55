"""Evidence and what-if of one item, read from the fleet's arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from recommender.report.blocks import ItemEvidence, ItemWhatIf, WhatIfScore
from recommender.report.plots import share_above, usage_series
from recommender.report.rounding import computed_amount, rounded

if TYPE_CHECKING:
    from recommender.backtest.whatif import Scores, WhatIf
    from recommender.observation import Observation
    from recommender.report.blocks import RecommendedSize
    from recommender.usage.evidence import Evidence


def item_evidence(
    evidence: Evidence,
    observation: Observation,
    i: int,
    r: int,
    request: float | None,
    *,
    with_series: bool = True,
) -> ItemEvidence:
    """Return what was measured of column ``r`` of row ``i``, numbers to 5 digits."""
    step_s, denials = int(observation.usage.step_s[i, r]), float(evidence.denials[i, r])
    series = None
    if with_series:
        series = usage_series(
            evidence.block_start_s, evidence.block_max[i, r], evidence.block_mean[i, r]
        )
    profile = evidence.hourly_profile[i, r] if with_series else np.empty(0)
    return ItemEvidence(
        points=int(evidence.points[i, r]),
        span_s=max(0, int(evidence.span_s[i, r])),
        step_s=step_s if step_s > 0 else None,
        coverage_ratio=_number(evidence.coverage[i, r]),
        workers_seen=int(evidence.workers_seen[i, r]),
        last_sample_age_s=_number(evidence.last_sample_age_s[i, r]),
        p50=_use(evidence.p50[i, r]),
        p90=_use(evidence.p90[i, r]),
        p95=_use(evidence.p95[i, r]),
        p99=_use(evidence.p99[i, r]),
        highest=_use(evidence.highest[i, r]),
        mean=_use(evidence.mean[i, r]),
        at_limit_share=_number(evidence.saturated_share[i, r]),
        above_request_share=share_above(evidence.block_max[i, r], request),
        denials=round(denials) if math.isfinite(denials) else None,
        is_opaque=bool(evidence.is_opaque[i, r]),
        hourly_profile=tuple(_profile_value(value) for value in profile)
        if np.isfinite(profile).any()
        else (),
        series=series,
    )


def item_what_if(
    whatif: WhatIf | None, evidence: Evidence, i: int, r: int, recommended: RecommendedSize
) -> ItemWhatIf | None:
    """Return the replay's scores of one item, with the hindsight of today's recommendation."""
    if whatif is None or (recommended.request is None and recommended.limit is None):
        return None
    blocks = evidence.block_max[i, r]
    return ItemWhatIf(
        start_s=whatif.start_s,
        end_s=whatif.end_s,
        request=_score(whatif.requests, i, r),
        limit=_score(whatif.limits, i, r),
        current_request=_score(whatif.current_requests, i, r),
        current_limit=_score(whatif.current_limits, i, r),
        hindsight_above_request_share=share_above(blocks, recommended.request),
        hindsight_above_limit_share=share_above(blocks, recommended.limit),
    )


def _score(scores: Scores, i: int, r: int) -> WhatIfScore | None:
    score = WhatIfScore(
        slack_ratio=_number(scores.slack[i, r]),
        violated_share=_number(scores.violated_share[i, r]),
        throttled_ratio=_number(scores.throttled_volume[i, r]),
        changes_per_day=_number(scores.changes_per_day[i, r]),
    )
    return None if score == WhatIfScore() else score


def _number(value: float) -> float | None:
    return rounded(float(value))


def _use(value: float) -> float | None:
    """Return measured use; zero is a measurement, unlike in an amount."""
    return 0.0 if value == 0 else computed_amount(float(value))


def _profile_value(value: float) -> float | None:
    return rounded(float(value), 3)
