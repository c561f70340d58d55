"""From the result of ``decide`` to a report: one item per workload and resource.

Pure and without formatting.  Rules of verdicts are in ``severity``, prices in ``money``, one item
in ``items``; this file only knows which items there are and in which order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from recommender.errors import ContractError
from recommender.report.blocks import Severity
from recommender.report.diagnosing import NO_DIAGNOSES, Diagnoses
from recommender.report.items import ReportInput, replica_item, size_item
from recommender.report.model import Item, Report
from recommender.report.money import fleet_money, held_shares, workers_of
from recommender.report.reasoning import StepIndex
from recommender.report.totals import totals_of
from recommender.report.window import measured_window

if TYPE_CHECKING:
    from recommender.backtest.whatif import WhatIf
    from recommender.decision import Decisions
    from recommender.forecast.promises import ForecastEvidence
    from recommender.observation import Bools, Observation
    from recommender.policy.model import Policy
    from recommender.report.blocks import HistoryEntry, ItemError
    from recommender.report.model import Meta
    from recommender.report.subject import Subject
    from recommender.report.thresholds import Thresholds
    from recommender.usage.evidence import Evidence

_ADOPTED = {Severity.CRITICAL, Severity.WARNING, Severity.SAVING}
"""Verdicts that ask for a change."""


def build_report(
    *,
    meta: Meta,
    subjects: Sequence[Subject],
    observation: Observation,
    policies: Sequence[Policy],
    decisions: Decisions,
    evidence: Evidence,
    whatif: WhatIf | None,
    history: Mapping[tuple[str, str], Sequence[HistoryEntry]],
    errors: Sequence[ItemError],
    thresholds: Thresholds,
    forecasts: ForecastEvidence | None = None,
    diagnoses: Diagnoses = NO_DIAGNOSES,
) -> Report:
    """Return the report of a fleet, workloads in row order, resources in column order.

    Row i of all arguments is the same workload.  A resource that is neither measured nor in force
    has no item, but every workload has at least one.  ``meta.totals``, ``meta.thresholds`` and what
    was measured of ``meta.window`` are filled here.  Raises ``ContractError`` where the rows do not
    agree.
    """
    rows = observation.shape[0]
    if len(subjects) != rows or len(policies) != rows:
        raise ContractError(
            f"{rows} workloads, but {len(subjects)} subjects and {len(policies)} policies"
        )
    source = ReportInput(
        subjects=subjects,
        observation=observation,
        policies=policies,
        decisions=decisions,
        evidence=evidence,
        whatif=whatif,
        forecasts=forecasts,
        diagnoses=diagnoses,
        history=history,
        thresholds=thresholds,
        steps=StepIndex(decisions.steps),
        held_share=held_shares(observation),
    )
    shown = _shown(observation, evidence)
    sized = {(i, r): size_item(source, i, r) for i, r in zip(*np.nonzero(shown), strict=True)}
    adopted = np.zeros(observation.shape, bool)
    for place, item in sized.items():
        adopted[place] = item.severity in _ADOPTED
    workers = workers_of(observation)
    money = fleet_money(subjects, observation, decisions, adopted, workers)

    items: list[Item] = []
    for i in range(rows):
        own = [sized[i, r] for r in range(observation.shape[1]) if shown[i, r]]
        names = [item.resource for item in own]
        at = names.index(money.carrier[i]) if money.carrier[i] in names else 0
        own[at] = replace(own[at], money=money.money[i])
        if np.isfinite(observation.workloads.replicas[i]):
            is_own_row = observation.workloads.replica_row[i] == i
            own += [replica_item(source, i)] if is_own_row else []
        items += own
    totals = totals_of(items, money.pools)
    return Report(
        meta=replace(
            meta,
            thresholds=thresholds,
            totals=totals,
            window=measured_window(meta.window, items),
        ),
        items=tuple(items),
        errors=tuple(errors),
    )


def _shown(observation: Observation, evidence: Evidence) -> Bools:
    """Return [W, R] which resources have an item: measured or in force, else the first."""
    work = observation.workloads
    is_set = (
        np.isfinite(work.request)
        | np.isfinite(work.limit)
        | np.isfinite(work.stated_request)
        | np.isfinite(work.stated_limit)
    )
    shown: Bools = (evidence.points > 0) | is_set
    shown[~shown.any(axis=1), :1] = True
    return shown
