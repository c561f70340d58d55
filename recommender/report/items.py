"""One item of a report from one row of the fleet's arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender.decision import CODES_BY_NUMBER
from recommender.observation import QOS_LEVELS
from recommender.policy.table import dimension_of
from recommender.report.blocks import (
    CurrentReplicas,
    CurrentSize,
    Finding,
    Identity,
    NextReplicas,
    NextSize,
    RecommendedReplicas,
    RecommendedSize,
    Severity,
)
from recommender.report.confidence import confidence
from recommender.report.forecasts import item_pattern, replica_forecasts, size_forecasts
from recommender.report.measured import item_evidence, item_what_if
from recommender.report.model import REPLICAS, Item
from recommender.report.patches import annotation_name, replicas_patch, size_patch
from recommender.report.policy_view import (
    OFF,
    replica_enrolment,
    replica_settings,
    size_enrolment,
    size_settings,
)
from recommender.report.rounding import computed_amount, rounded, stated_amount
from recommender.report.severity import SizeFacts, replica_findings, size_findings

if TYPE_CHECKING:
    from recommender.backtest.whatif import WhatIf
    from recommender.decision import Decisions
    from recommender.forecast.promises import ForecastEvidence
    from recommender.observation import Floats, Observation
    from recommender.policy.model import Policy
    from recommender.report.blocks import HistoryEntry, ItemEvidence
    from recommender.report.diagnosing import Diagnoses
    from recommender.report.reasoning import StepIndex
    from recommender.report.subject import Subject
    from recommender.report.thresholds import Thresholds
    from recommender.usage.evidence import Evidence

AUTOSCALER = "autoscaler"
"""Source of a value in force that is not the stated one, unless it is known where it was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportInput:
    """Everything that items are made of; row i is the same workload everywhere."""

    subjects: Sequence[Subject]
    observation: Observation
    policies: Sequence[Policy]
    decisions: Decisions
    evidence: Evidence
    whatif: WhatIf | None
    forecasts: ForecastEvidence | None
    diagnoses: Diagnoses
    history: Mapping[tuple[str, str], Sequence[HistoryEntry]]
    thresholds: Thresholds
    steps: StepIndex
    held_share: Floats
    """[W] largest share of a device that the requests hold."""


def size_item(source: ReportInput, i: int, r: int) -> Item:
    """Return the item of resource column ``r`` of row ``i``; its money is added later."""
    resource = source.observation.resources[r]
    current, recommended = _current(source, i, r), _recommended(source.decisions, i, r)
    measured = item_evidence(source.evidence, source.observation, i, r, current.request)
    findings = size_findings(
        _facts(source, i, r, current, recommended, measured), source.thresholds
    )
    enrolment = size_enrolment(source.policies[i], resource)
    identity, subject = _identity(source, i), source.subjects[i]
    is_unset = findings[0].severity is Severity.UNSET
    return Item(
        identity=identity,
        resource=resource.name,
        current=current,
        recommended=recommended,
        next=_next(source.decisions, i, r, enrolment),
        change_ratio=_change(current.request, recommended.request)
        if current.request is not None
        else _change(current.limit, recommended.limit),
        limit_change_ratio=_change(current.limit, recommended.limit),
        verdict=findings[0],
        further=findings[1:],
        evidence=measured,
        reasoning=source.steps.of(i, r, resource),
        confidence=confidence(
            _certainty(source.decisions, i, r),
            measured,
            has_recommendation=recommended.request is not None or recommended.limit is not None,
        ),
        what_if=item_what_if(source.whatif, source.evidence, i, r, recommended),
        forecasts=size_forecasts(
            source.policies[i],
            resource,
            source.forecasts,
            source.diagnoses,
            (i, r),
            is_replayed=source.whatif is not None,
        ),
        pattern=item_pattern(
            source.diagnoses.patterns.get((i, r)),
            span_s=min(measured.span_s, source.diagnoses.span_s),
        ),
        history=_history(source, i, resource.name),
        promql=tuple(subject.promql[resource.name]) if resource.name in subject.promql else None,
        patch=size_patch(resource.name, identity.owner, recommended.request, recommended.limit)
        if is_unset or _asks_for_change(findings)
        else None,
        enrolment=enrolment,
        settings=size_settings(source.policies[i], resource),
    )


def replica_item(source: ReportInput, i: int) -> Item:
    """Return the item of row ``i``'s replicas."""
    work, decisions = source.observation.workloads, source.decisions
    now, right = _count(work.replicas[i]), _count(decisions.target_replicas[i])
    code, reason = _unknown(int(decisions.unknown_replicas[i]))
    findings = replica_findings(now, right, code, reason)
    columns = [k for k, kind in enumerate(source.observation.resources) if kind.is_compressible]
    r = columns[0] if columns else 0
    measured = item_evidence(source.evidence, source.observation, i, r, None, with_series=False)
    enrolment = replica_enrolment(source.policies[i])
    stated = source.subjects[i].sources.get(REPLICAS)
    return Item(
        identity=_identity(source, i),
        resource=REPLICAS,
        current=CurrentReplicas(
            replicas=now, sources={REPLICAS: stated} if stated is not None else {}
        ),
        recommended=RecommendedReplicas(
            replicas=right,
            raw=computed_amount(decisions.raw_replicas[i]) if right is not None else None,
        ),
        next=NextReplicas(replicas=_count(decisions.next_replicas[i]))
        if enrolment["replicas"] != OFF
        else None,
        change_ratio=_change(now, right),
        verdict=findings[0],
        further=findings[1:],
        evidence=measured,
        reasoning=source.steps.replicas(i),
        confidence=confidence(
            _certainty(decisions, i, r), measured, has_recommendation=right is not None
        ),
        forecasts=replica_forecasts(source.policies[i], source.forecasts, i),
        history=_history(source, i, REPLICAS),
        patch=replicas_patch(source.subjects[i].owner, right)
        if right is not None and _asks_for_change(findings)
        else None,
        enrolment=enrolment,
        settings=replica_settings(source.policies[i]),
    )


def _facts(
    source: ReportInput,
    i: int,
    r: int,
    current: CurrentSize,
    recommended: RecommendedSize,
    measured: ItemEvidence,
) -> SizeFacts:
    resource = source.observation.resources[r]
    policy, dimension = source.policies[i], dimension_of(resource)
    number = source.decisions.unknown_request[i, r] or source.decisions.unknown_limit[i, r]
    code, reason = _unknown(int(number))
    return SizeFacts(
        resource=resource,
        request=current.request,
        limit=current.limit,
        recommended_request=recommended.request,
        recommended_limit=recommended.limit,
        card=stated_amount(source.observation.workloads.card[i, r]),
        held_share=rounded(float(source.held_share[i])),
        request_threshold=policy.requests[dimension].update_threshold,
        limit_threshold=policy.limits[dimension].ignored_delta,
        evidence=measured,
        unknown_code=code,
        unknown_reason=reason,
        is_stale=bool(source.decisions.is_stale[i, r]),
    )


def _identity(source: ReportInput, i: int) -> Identity:
    work, subject = source.observation.workloads, source.subjects[i]
    return Identity(
        namespace=work.namespace[i],
        workload=work.workload[i],
        owner=subject.owner or None,
        pool=subject.pool or None,
        gpu_model=work.gpu_model[i] or None,
        qos=QOS_LEVELS[int(work.qos[i])],
        gpu_count=int(work.gpu_count[i]),
        replicas=_count(work.replicas[i]),
        labels=dict(subject.labels),
    )


def _current(source: ReportInput, i: int, r: int) -> CurrentSize:
    work, resource = source.observation.workloads, source.observation.resources[r]
    subject = source.subjects[i]
    values = {
        "request": (work.request[i, r], work.stated_request[i, r]),
        "limit": (work.limit[i, r], work.stated_limit[i, r]),
    }
    sources = {}
    for side, (in_force, declared) in values.items():
        if stated_amount(in_force) is None:
            continue
        name = annotation_name(resource.name, side)
        origin = subject.in_force_sources.get(name)
        if in_force == declared:
            origin = subject.sources.get(name, origin)
        elif origin is None and np.isfinite(declared):
            origin = AUTOSCALER
        if origin is not None:
            sources[side] = origin
    return CurrentSize(
        request=stated_amount(work.request[i, r]),
        limit=stated_amount(work.limit[i, r]),
        sources=sources,
    )


def _recommended(decisions: Decisions, i: int, r: int) -> RecommendedSize:
    request = computed_amount(decisions.target_request[i, r])
    limit = computed_amount(decisions.target_limit[i, r])
    if decisions.unknown_request[i, r]:
        request = None
    if decisions.unknown_limit[i, r]:
        limit = None
    has_request, has_limit = request is not None, limit is not None
    return RecommendedSize(
        request=request,
        limit=limit,
        lower=computed_amount(decisions.lower_request[i, r]) if has_request else None,
        upper=computed_amount(decisions.upper_request[i, r]) if has_request else None,
        raw=computed_amount(decisions.raw_request[i, r]) if has_request else None,
        raw_limit=computed_amount(decisions.raw_limit[i, r]) if has_limit else None,
    )


def _next(decisions: Decisions, i: int, r: int, enrolment: Mapping[str, str]) -> NextSize | None:
    if all(reach == OFF for reach in enrolment.values()):
        return None
    request, limit = decisions.next_request[i, r], decisions.next_limit[i, r]
    return NextSize(
        request=computed_amount(request) if enrolment["requests"] != OFF else None,
        limit=computed_amount(limit) if enrolment["limits"] != OFF else None,
    )


def _history(source: ReportInput, i: int, resource: str) -> tuple[HistoryEntry, ...]:
    work = source.observation.workloads
    entries = source.history.get((work.namespace[i], work.workload[i]), ())
    own = [entry for entry in entries if entry.resource == resource]
    return tuple(sorted(own, key=lambda entry: -entry.time_s))


def _certainty(decisions: Decisions, i: int, r: int) -> float:
    value = float(decisions.confidence[i, r])
    return value if math.isfinite(value) else 0.0


def _unknown(number: int) -> tuple[str | None, str]:
    code = CODES_BY_NUMBER.get(number)
    return (None, "") if code is None else (code.name, code.template)


def _asks_for_change(findings: Sequence[Finding]) -> bool:
    return findings[0].severity in {Severity.CRITICAL, Severity.WARNING, Severity.SAVING}


def _change(now: float | None, right: float | None) -> float | None:
    if now is None or right is None:
        return None
    return rounded(right / now - 1)


def _count(value: float) -> int | None:
    known = stated_amount(value)
    return None if known is None else round(known) or None
