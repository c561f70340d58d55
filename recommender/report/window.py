"""What was measured, beside what was asked for: a server may keep less than a report looks back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from recommender.report.wording import utc
from recommender.sentences import duration

if TYPE_CHECKING:
    from recommender.report.model import Item, Window

SLACK_S = 300
SLACK_STEPS = 3
"""Samples that begin so much later, or end so much earlier, are all that was asked for."""


def measured_window(window: Window | None, items: Sequence[Item]) -> Window | None:
    """Return the window with the earliest and the latest sample of some items."""
    if window is None:
        return None
    spans = [
        (round(window.end_s - evidence.last_sample_age_s), evidence.span_s)
        for evidence in (item.evidence for item in items)
        if evidence.last_sample_age_s is not None
    ]
    return replace(
        window,
        first_sample_s=min((last_s - span_s for last_s, span_s in spans), default=None),
        last_sample_s=max((last_s for last_s, _ in spans), default=None),
    )


def window_text(window: Window) -> str:
    """Return what was measured, and what was asked for where that is more."""
    asked = f"{duration(window.end_s - window.start_s)} until {utc(window.end_s)}"
    first_s, last_s = window.first_sample_s, window.last_sample_s
    if first_s is None or last_s is None:
        return f"asked for {asked}"
    measured = f"measured from {utc(first_s)} to {utc(last_s)}"
    slack_s = max(SLACK_S, SLACK_STEPS * (window.step_s or 0))
    if first_s - window.start_s <= slack_s and window.end_s - last_s <= slack_s:
        return measured
    return f"{measured} ({duration(last_s - first_s)}; asked for {asked})"
