"""What the loop's thread hands over for a report: what the last tick saw, and its evidence.

Reading the evidence is the only work that is done there, because the usage model belongs to the
loop.  Everything else is left to the thread that builds the report: decisions of all layers for
this moment, the back-test, the sentences.  No later tick changes what is handed over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.reporting import Analysis, partial_answers
from autoscaler.scaling.page.choosing import MOST_ROWS, chosen_rows
from autoscaler.scaling.page.live_state import Key
from autoscaler.scaling.page.queries import Found, Queries
from autoscaler.scaling.page.row_slices import decisions_of, observation_of
from recommender.decide import decide
from recommender.observation import Ints
from recommender.report.blocks import HistoryEntry, ItemError
from recommender.sentences import counted
from recommender.state import evaluable
from recommender.usage.evidence_of import read_evidence

if TYPE_CHECKING:
    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.scaling.loop import Loop, Tick
    from autoscaler.scaling.observing import Observed
    from autoscaler.scaling.records import Records
    from recommender.forecast.promises import ForecastEvidence
    from recommender.usage.evidence import Evidence

CHANGES_SHOWN = 20
"""Of each workload, the newest."""
LESS_URGENT = "less urgent than those shown; ask for them by name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One moment of the loop.  ``rows`` are those of the report, and of both evidences."""

    now_s: int
    views: Sequence[WorkloadView]
    observed: Observed
    rows: Ints
    evidence: Evidence
    forecasts: ForecastEvidence
    records: Records
    queries: Found
    errors: tuple[ItemError, ...]
    notes: tuple[str, ...]

    @property
    def has_all(self) -> bool:
        """Whether the report is of the whole fleet."""
        return len(self.rows) == len(self.views)


def look_at(
    loop: Loop,
    tick: Tick,
    queries: Queries,
    *,
    wanted: Collection[Key] = (),
    most_rows: int = MOST_ROWS,
) -> Look | None:
    """Return what a report is made of; None where the tick decided nothing.

    Runs on the loop's thread.  ``wanted`` workloads are part of the report however large the
    fleet is.
    """
    observed, decisions = tick.observed, tick.decisions
    if observed is None or decisions is None:
        return None
    asked = {row for row, view in enumerate(tick.views) if view.key in wanted} if wanted else set()
    rows = chosen_rows(observed.observation, decisions, asked, most=most_rows)
    return Look(
        now_s=tick.now_s,
        views=tick.views,
        observed=observed,
        rows=rows,
        evidence=read_evidence(loop.model, observed.usage_rows[rows], tick.now_s),
        forecasts=loop.model.forecasts.evidence(observed.usage_rows[rows]),
        records=loop.records,
        queries=queries.of(
            dict.fromkeys([*wanted, *(tick.views[row].key for row in rows.tolist())]),
            [resource.name for resource in loop.model.resources],
        ),
        errors=tuple(_errors(tick)),
        notes=tuple(_notes(tick)),
    )


def analysis_of(look: Look, since_s: int) -> Analysis:
    """Return what all layers would decide at that moment, for the rows of the look."""
    observed, rows = look.observed, look.rows
    decisions, _ = decide(
        observed.observation, observed.policies, evaluable(observed.fleet.state), look.now_s
    )
    views = [look.views[row] for row in rows.tolist()]
    left_out = len({view.key for view in look.views}) - len({view.key for view in views})
    return Analysis(
        views=views,
        observation=observation_of(observed.observation, rows),
        decisions=decisions_of(decisions, rows),
        evidence=look.evidence,
        forecasts=look.forecasts,
        start_s=look.now_s - since_s,
        now_s=look.now_s,
        errors=look.errors,
        notes=look.notes,
        skipped={LESS_URGENT: left_out} if left_out else {},
        history=_history(look.records, views),
    )


def _history(
    records: Records, views: Iterable[WorkloadView]
) -> dict[Key, tuple[HistoryEntry, ...]]:
    return {key: records.history_of(key)[-CHANGES_SHOWN:] for key in {view.key for view in views}}


def _errors(tick: Tick) -> Iterable[ItemError]:
    """Yield what went wrong in the tick, each thing once."""
    for stage, error in tick.errors.items():
        if stage != "collect":
            yield ItemError(message=str(error), stage=stage)
    collected = tick.collected
    if collected is None:
        if "collect" in tick.errors:
            yield ItemError(message=str(tick.errors["collect"]), stage="collect")
        return
    for metric, problem in collected.errors.items():
        yield ItemError(message=str(problem), resource=metric, stage="collect")
    yield from partial_answers(collected.warnings)


def _notes(tick: Tick) -> Iterable[str]:
    collected = tick.collected
    if collected is None:
        return
    if collected.partial:
        yield "some answers were partial, so that use may be higher than what is shown"
    if collected.unlabelled:
        yield (
            f"{counted(collected.unlabelled, 'sample')} named no worker and were left out, as do "
            "those of a card that nobody uses"
        )
