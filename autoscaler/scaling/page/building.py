"""From a look at the loop to what is served: the report, the page and the JSON.

Runs on a thread of its own.  Nothing here reads the loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoscaler.reporting import Analysis, ReportText, look_into_days, report_of
from autoscaler.scaling.page.back_test import BackTest, BackTested
from autoscaler.scaling.page.encoded import Encoded, encoded
from autoscaler.scaling.page.formats import CHARSET, HTML_TYPE, JSON_TYPE
from autoscaler.scaling.page.look import Look, analysis_of
from recommender.report.diagnosing import NO_DIAGNOSES, Diagnoses
from recommender.report.jsonform import render_json
from recommender.report.options import RenderOptions
from recommender.report.page import render_page
from recommender.report.select import SortKey, ordered
from recommender.report.totals import totals_of

if TYPE_CHECKING:
    from autoscaler.scaling.page.about import About
    from autoscaler.scaling.page.live_state import Key
    from recommender.report.model import Report

TO_COME = "the back-test is still being made"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """One finished report, most urgent item first."""

    report: Report
    page: Encoded
    json: Encoded
    live: str
    """The line of the page that says what the process does."""
    looked_s: float
    """Monotonic seconds of the look that it was made from."""
    keys: frozenset[Key]


class Builder:
    """Builds reports of one process, one after the other."""

    def __init__(self, about: About, back_test: BackTest) -> None:
        self._about = about
        self._back_test = back_test

    def build(self, look: Look, live: str, looked_s: float) -> Iterator[Built]:
        """Yield what is served of a look; takes seconds for a large fleet.

        Where the back-test is still to be made, the report appears without it and patterns first.
        """
        analysis = analysis_of(look, self._about.since_s)
        tested = self._back_test.known(analysis)
        if tested is None:
            yield self._built(look, analysis, BackTested(None, TO_COME), live, looked_s)
            tested = self._back_test.make(analysis)
        yield self._built(look, analysis, tested, live, looked_s, look_into_days(analysis))

    def _built(
        self,
        look: Look,
        analysis: Analysis,
        tested: BackTested,
        live: str,
        looked_s: float,
        diagnoses: Diagnoses = NO_DIAGNOSES,
    ) -> Built:
        if tested.note:
            analysis = replace(analysis, notes=(*analysis.notes, tested.note))
        report = report_of(analysis, self._text(analysis, look), tested.whatif, diagnoses)
        report = replace(report, meta=replace(report.meta, cluster=self._about.cluster))
        report = ordered(_honest(report, has_all=look.has_all), SortKey.RISK)
        return Built(
            report=report,
            page=encoded(render_page(report, RenderOptions(live=live)), HTML_TYPE + CHARSET),
            json=encoded(render_json(report), JSON_TYPE),
            live=live,
            looked_s=looked_s,
            keys=frozenset(view.key for view in analysis.views),
        )

    def _text(self, analysis: Analysis, look: Look) -> ReportText:
        about = self._about
        priced = {view.key for view in analysis.views if view.price_per_gpu_hour is not None}
        return ReportText(
            generated_s=analysis.now_s,
            tool_version=about.tool_version,
            source=about.source,
            step_s=about.step_s,
            currency=about.currency,
            thresholds=about.thresholds,
            notes=about.notes,
            price_sources={key: about.price_source for key in priced if about.price_source},
            queries=look.queries,
        )


def _honest(report: Report, *, has_all: bool) -> Report:
    """Return the report without whole GPUs, which only a complete fleet can tell."""
    if has_all:
        return report
    return replace(report, meta=replace(report.meta, totals=totals_of(report.items)))
