"""From a metrics source and a fleet to a report: the same path for files, simulator and cluster.

Collect, decide, look back, build: each step is a module of its own, and this one only puts them in
order.  Which files were given and how the report is shown is the command line's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.scaling.collect.collecting import Collected, CollectionError, Collector
from autoscaler.scaling.observing import Observer
from recommender.backtest.lookback import what_if
from recommender.decide import ALL_LAYERS, decide
from recommender.forecast.history_training import HistoryTraining
from recommender.report.blocks import HistoryEntry, ItemError
from recommender.report.build import build_report
from recommender.report.diagnosing import NO_DIAGNOSES, Diagnoses, diagnosed
from recommender.report.hours import Hours, LongMemory
from recommender.report.model import Meta, Report, Window
from recommender.report.subject import Subject
from recommender.report.thresholds import Thresholds
from recommender.sentences import counted
from recommender.usage.evidence_of import read_evidence
from recommender.usage.minutes import MINUTE_S
from recommender.usage.model import UsageModel
from recommender.usage.store import CLOSE_AFTER_S

if TYPE_CHECKING:
    from autoscaler.scaling.cluster import Cluster, WorkloadView
    from autoscaler.sources.source import MetricsSource
    from recommender.backtest.whatif import WhatIf
    from recommender.decision import Decisions
    from recommender.forecast.promises import ForecastEvidence
    from recommender.observation import Observation
    from recommender.resources import Resource
    from recommender.usage.evidence import Evidence

Advance = Callable[[float], None]
"""Told how much is done, 0 to 1."""
Key = tuple[str, str]
"""(namespace, workload)."""
Queries = Mapping[Key, Mapping[str, Sequence[str]]]
"""Workload and resource to the queries that repeat its evidence."""
NOT_LATELY = "not measured for a day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What was measured of a fleet and decided for it, rows in the order of ``views``."""

    views: Sequence[WorkloadView]
    observation: Observation
    decisions: Decisions
    evidence: Evidence
    forecasts: ForecastEvidence | None = None
    hours: Hours | None = None
    """Of more than the week of the evidence, where a longer history was read."""
    start_s: int
    now_s: int
    errors: tuple[ItemError, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Reason to number of workloads that were measured and are not among the views."""
    history: Mapping[Key, Sequence[HistoryEntry]] = field(
        default_factory=lambda: MappingProxyType({})
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportText:
    """What the head of a report says besides what is measured."""

    generated_s: int
    tool_version: str
    source: str
    step_s: int | None = None
    currency: str = "USD"
    price_sources: Mapping[Key, str] = field(default_factory=lambda: MappingProxyType({}))
    """Where a workload's price came from."""
    queries: Queries = field(default_factory=lambda: MappingProxyType({}))
    thresholds: Thresholds = field(default_factory=Thresholds)
    notes: tuple[str, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


def analyse(
    *,
    source: MetricsSource,
    cluster: Cluster,
    resources: Sequence[Resource],
    start_s: int,
    now_s: int,
    step_s: int,
    errors: Sequence[ItemError] = (),
) -> Analysis:
    """Read a history and decide once, at ``now_s``, as if nothing had been decided before.

    Metrics that cannot be read, and answers that are not whole, are errors of the result, after
    ``errors``, of which those are left out that the history repeats; the others are used.  Raises
    ``CollectionError`` where nothing could be read.
    """
    views = tuple(cluster.snapshot())
    model = LongMemory(resources)
    # so that the weights are like those of a loop that had run all the while
    model.forecasts.training = HistoryTraining()
    collector = Collector(source, model, step_s=step_s)
    collector.see(views)
    collected = _collected(collector, start_s, now_s)
    # a look at one moment does not wait for late samples
    model.advance(now_s + CLOSE_AFTER_S + MINUTE_S)
    observed = Observer(model, collector.index).observe(views, None, now_s, was_watched=False)
    decisions, _ = decide(
        observed.observation, observed.policies, observed.fleet.state, now_s, ALL_LAYERS
    )
    return Analysis(
        views=views,
        observation=observed.observation,
        decisions=decisions,
        evidence=read_evidence(model, observed.usage_rows, now_s),
        forecasts=model.forecasts.evidence(observed.usage_rows),
        hours=model.hours(observed.usage_rows),
        start_s=start_s,
        now_s=now_s,
        errors=_all_errors(errors, _read_errors(collected)),
        notes=_read_notes(collected),
        skipped=_skipped(model, views),
    )


def report_of(
    analysis: Analysis,
    text: ReportText,
    whatif: WhatIf | None = None,
    diagnoses: Diagnoses = NO_DIAGNOSES,
) -> Report:
    """Return the report of an analysis."""
    window = Window(start_s=analysis.start_s, end_s=analysis.now_s, step_s=text.step_s)
    meta = Meta(
        generated_s=text.generated_s,
        tool_version=text.tool_version,
        source=text.source,
        window=window,
        currency=text.currency,
        scanned_workloads=len(analysis.views),
        skipped={**text.skipped, **analysis.skipped},
        notes=(*text.notes, *analysis.notes, *diagnoses.notes),
    )
    return build_report(
        meta=meta,
        subjects=[_subject(view, text) for view in analysis.views],
        observation=analysis.observation,
        policies=[view.policy for view in analysis.views],
        decisions=analysis.decisions,
        evidence=analysis.evidence,
        whatif=whatif,
        history=analysis.history,
        errors=analysis.errors,
        thresholds=text.thresholds,
        forecasts=analysis.forecasts,
        diagnoses=diagnoses,
    )


def look_into_days(
    analysis: Analysis,
    *,
    clock: Callable[[], float] | None = None,
    workload: str | None = None,
) -> Diagnoses:
    """Return the patterns of what asks for forecasts, or of one ``namespace/workload``.

    With a ``clock`` models that are asked for by name are fitted too, in processes of their own.
    """
    return diagnosed(
        [view.policy for view in analysis.views],
        analysis.observation.resources,
        analysis.evidence,
        clock=clock,
        rows=_rows_named(analysis, workload),
        hours=analysis.hours,
    )


def look_back(
    analysis: Analysis, advance: Advance | None = None, *, workload: str | None = None
) -> WhatIf | None:
    """Return what the last 7 days would have been with the recommendations in force.

    Every decision of it sees earlier samples only.  None where nothing was measured.  Of one
    ``namespace/workload`` it is the same, without most of the others.
    """
    return what_if(
        analysis.observation,
        [view.policy for view in analysis.views],
        analysis.evidence,
        now_s=analysis.now_s,
        wanted=_rows_named(analysis, workload),
        progress=advance,
    )


def _rows_named(analysis: Analysis, workload: str | None) -> list[int] | None:
    """Return the rows of a ``namespace/workload``, one for each GPU model; None for None: all."""
    if workload is None:
        return None
    return [i for i, view in enumerate(analysis.views) if "/".join(view.key) == workload]


def _collected(collector: Collector, start_s: int, now_s: int) -> Collected:
    try:
        return collector.bootstrap(start_s, now_s)
    except CollectionError as error:
        if not any(error.collected.samples.values()):
            raise
        return error.collected


def _read_errors(collected: Collected) -> tuple[ItemError, ...]:
    failed = [
        ItemError(message=str(problem), resource=metric, stage="collect")
        for metric, problem in collected.errors.items()
    ]
    return (*failed, *partial_answers(collected.warnings))


def _all_errors(earlier: Sequence[ItemError], read: Sequence[ItemError]) -> tuple[ItemError, ...]:
    """Return each fault once: of a metric that cannot be read the last words count."""
    again = {(error.resource, error.stage) for error in read if error.resource is not None}
    others = [error for error in earlier if (error.resource, error.stage) not in again]
    return tuple(dict.fromkeys((*others, *read)))


def partial_answers(warnings: Sequence[str]) -> tuple[ItemError, ...]:
    """Return an error for each thing that a source said of answers it could not give in full."""
    return tuple(
        ItemError(message=f"a partial answer: {warning}", stage="collect") for warning in warnings
    )


def _read_notes(collected: Collected) -> tuple[str, ...]:
    notes = []
    if collected.partial:
        notes.append("some answers were partial, so that use may be higher than what is shown")
    if collected.unlabelled:
        notes.append(
            f"{counted(collected.unlabelled, 'sample')} named no worker and were left out, as do "
            "those of a card that nobody uses"
        )
    return tuple(notes)


def _skipped(model: UsageModel, views: Sequence[WorkloadView]) -> dict[str, int]:
    """Count workloads that have a history and no view: they ran earlier."""
    seen = {key[:2] for key in model.workloads.keys if key is not None}
    gone = len(seen - {view.key for view in views})
    return {NOT_LATELY: gone} if gone else {}


def _subject(view: WorkloadView, text: ReportText) -> Subject:
    return Subject(
        owner=view.owner,
        pool=view.pool,
        sources=view.stated_sources,
        in_force_sources=view.in_force_sources,
        price_per_gpu_hour=view.price_per_gpu_hour,
        price_source=text.price_sources.get(view.key, ""),
        promql=text.queries.get(view.key, {}),
    )
