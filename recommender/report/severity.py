"""Verdicts: which findings one item has, by what was measured and what is recommended.

Risk is judged by what happened (denials, peaks, time at the limit) and by a recommendation above
the value in force; a saving only by a recommendation below it.  Codes are stable words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recommender.decision import Code
from recommender.report.blocks import Finding, Severity
from recommender.sentences import amount, duration, percent, transition

if TYPE_CHECKING:
    from recommender.report.blocks import ItemEvidence
    from recommender.report.model import Item, Report
    from recommender.report.thresholds import Thresholds
    from recommender.resources import Resource


STATE_A_LIMIT = (
    "no compute limit is stated to divide the demand by; state one in the pod template or its "
    "profile, or in the file of --workloads (tflops_limit)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeFacts:
    """What the verdict on one resource of one workload depends on, amounts in base units."""

    resource: Resource
    request: float | None
    limit: float | None
    recommended_request: float | None
    recommended_limit: float | None
    card: float | None
    """Capacity of one device."""
    held_share: float | None
    """Largest share of a device that the workload's requests hold, over all resources."""
    request_threshold: float
    """Relative change from which a request counts as changed; the policy's update threshold."""
    limit_threshold: float
    evidence: ItemEvidence
    unknown_code: str | None
    """Name of the decision's code where there is no recommendation."""
    unknown_reason: str = ""
    is_stale: bool = False


def size_findings(facts: SizeFacts, thresholds: Thresholds) -> tuple[Finding, ...]:
    """Return all findings of a sized resource, most urgent first; there is always one."""
    found = list(_incidents(facts, thresholds))
    is_known = facts.recommended_request is not None or facts.recommended_limit is not None
    if not is_known:
        code = facts.unknown_code or "NoRecommendation"
        reason = facts.unknown_reason or "no recommendation"
        found.append(Finding(severity=Severity.UNKNOWN, code=word_code(code), sentence=reason))
    elif facts.request is None and facts.limit is None:
        found.append(_unset(facts))
    else:
        found += _comparisons(facts, thresholds)
    if facts.evidence.is_opaque:
        found.insert(0, _opaque())
    elif all(finding.severity is Severity.OK for finding in found):
        found.insert(0, _fits(facts))
    if facts.is_stale and is_known:
        found.append(_stale(facts))
    return tuple(sorted(found, key=lambda finding: finding.severity.rank))


def replica_findings(
    current: int | None, recommended: int | None, unknown_code: str | None, unknown_reason: str
) -> tuple[Finding, ...]:
    """Return the finding on the number of replicas.

    The decision knows no count without a stated limit; a reader can change that, so that it is
    UNSET like everything else that only lacks a statement, and no failure to measure.
    """
    if recommended is None and unknown_code == Code.NoStatedLimit.name:
        code = word_code(unknown_code)
        return (Finding(severity=Severity.UNSET, code=code, sentence=STATE_A_LIMIT),)
    if recommended is None:
        code = word_code(unknown_code or "NoRecommendation")
        reason = unknown_reason or "no recommendation"
        return (Finding(severity=Severity.UNKNOWN, code=code, sentence=reason),)
    if current is None:
        text = f"no replicas are set; {recommended} would carry the demand"
        return (Finding(severity=Severity.UNSET, code="TF-NOTHING-SET", sentence=text),)
    change = transition(current, recommended, None)
    if recommended > current:
        text = f"the demand needs more replicas: {change}"
        return (Finding(severity=Severity.WARNING, code="TF-REPLICAS-TOO-FEW", sentence=text),)
    if recommended < current:
        text = f"fewer replicas carry the demand: {change}"
        return (Finding(severity=Severity.SAVING, code="TF-REPLICAS-TOO-MANY", sentence=text),)
    text = "1 replica fits the demand" if current == 1 else f"{current} replicas fit the demand"
    return (Finding(severity=Severity.OK, code="TF-WITHIN-THRESHOLD", sentence=text),)


def findings_at_least(report: Report, severity: Severity) -> tuple[Item, ...]:
    """Return the items that ``--fail-on`` counts: at least as urgent, never UNSET or OK."""
    counted = {Severity.CRITICAL, Severity.WARNING, Severity.SAVING, Severity.UNKNOWN}
    return tuple(
        item
        for item in report.items
        if item.severity in counted and item.severity.rank <= severity.rank
    )


def word_code(name: str) -> str:
    """Return ``TF-NOT-ENOUGH-HISTORY`` for ``NotEnoughHistory``."""
    return "TF-" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).upper()


def _incidents(facts: SizeFacts, thresholds: Thresholds) -> Iterator[Finding]:
    """Yield what already went wrong, whatever is recommended."""
    evidence, limit, highest = facts.evidence, facts.limit, facts.evidence.highest
    if facts.resource.is_compressible:
        share = evidence.at_limit_share
        if share is not None and share > thresholds.at_limit_share:
            text = (
                f"compute was held back in {percent(share)} of the minutes, by its limit or its "
                "share of the GPU"
            )
            yield Finding(severity=Severity.CRITICAL, code="TF-COMPUTE-AT-LIMIT", sentence=text)
        return
    if evidence.denials:
        times = "once" if evidence.denials == 1 else f"{evidence.denials} times"
        text = f"a VRAM allocation was refused {times} in the last 7 days"
        yield Finding(severity=Severity.CRITICAL, code="TF-VRAM-DENIED", sentence=text)
    if limit is None or highest is None or evidence.is_opaque:
        return
    if highest > thresholds.vram_peak_of_limit_ratio * limit:
        is_above = highest > limit
        text = (
            f"the VRAM peak {amount(highest, facts.resource)} is {percent(highest / limit, 3)} "
            f"of the limit {amount(limit, facts.resource)}"
        )
        code = "TF-VRAM-PEAK-ABOVE-LIMIT" if is_above else "TF-VRAM-PEAK-NEAR-LIMIT"
        yield Finding(severity=Severity.CRITICAL, code=code, sentence=text)


def _comparisons(facts: SizeFacts, thresholds: Thresholds) -> Iterator[Finding]:
    """Yield what follows from the difference between in force and recommended."""
    if _is_idle(facts, thresholds):
        highest = amount(facts.evidence.highest, facts.resource)
        text = (
            f"idle: use never exceeded {highest} in {duration(facts.evidence.span_s)}, "
            f"and {percent(facts.held_share)} of a GPU is held"
        )
        yield Finding(severity=Severity.WARNING, code="TF-IDLE-GPU", sentence=text)
    yield from _request_comparison(facts)
    yield from _limit_comparison(facts)


def _request_comparison(facts: SizeFacts) -> Iterator[Finding]:
    now, right = facts.request, facts.recommended_request
    if now is None or right is None:
        return
    change, p95 = transition(now, right, facts.resource), facts.evidence.p95
    if right > now * (1 + facts.request_threshold):
        if p95 is not None and p95 > now and not facts.evidence.is_opaque:
            text = (
                f"p95 of 5-min peaks, {amount(p95, facts.resource)}, is above the request: {change}"
            )
            code = "TF-REQUEST-BELOW-USE"
        else:
            text, code = f"the request leaves too little margin: {change}", "TF-REQUEST-TOO-LOW"
        yield Finding(severity=Severity.WARNING, code=code, sentence=text)
    elif right < now * (1 - facts.request_threshold):
        text = f"the request is higher than needed: {change}"
        yield Finding(severity=Severity.SAVING, code="TF-REQUEST-TOO-HIGH", sentence=text)


def _limit_comparison(facts: SizeFacts) -> Iterator[Finding]:
    now, right = facts.limit, facts.recommended_limit
    if now is None or right is None:
        return
    change = transition(now, right, facts.resource)
    if right > now * (1 + facts.limit_threshold):
        text = f"the limit leaves too little margin for bursts: {change}"
        yield Finding(severity=Severity.WARNING, code="TF-LIMIT-TOO-LOW", sentence=text)
    elif right < now * (1 - facts.limit_threshold):
        # A limit reserves nothing: lowering it frees a GPU only where it stands for the request.
        severity = Severity.SAVING if facts.request is None else Severity.OK
        text = f"the limit is higher than bursts need: {change}"
        yield Finding(severity=severity, code="TF-LIMIT-TOO-HIGH", sentence=text)


def _is_idle(facts: SizeFacts, thresholds: Thresholds) -> bool:
    evidence = facts.evidence
    if not facts.resource.is_compressible or facts.card is None or evidence.highest is None:
        return False
    return (
        evidence.highest < thresholds.idle_compute_ratio * facts.card
        and evidence.span_s >= thresholds.idle_after_s
        and (facts.held_share or 0.0) >= thresholds.idle_holds_ratio
    )


def _unset(facts: SizeFacts) -> Finding:
    parts = {"request": facts.recommended_request, "limit": facts.recommended_limit}
    text = ", ".join(
        f"{side} {amount(value, facts.resource)}"
        for side, value in parts.items()
        if value is not None
    )
    sentence = f"nothing is in force; recommended: {text}"
    return Finding(severity=Severity.UNSET, code="TF-NOTHING-SET", sentence=sentence)


def _opaque() -> Finding:
    text = (
        "VRAM use rests close below its limit, as with allocators that take all they may: "
        "it says nothing about need, and the amounts are kept"
    )
    return Finding(severity=Severity.OK, code="TF-VRAM-OPAQUE", sentence=text)


def _stale(facts: SizeFacts) -> Finding:
    age_s = facts.evidence.last_sample_age_s
    age = f"{duration(age_s)} old" if age_s is not None else "too old"
    text = f"the last sample is {age}"
    return Finding(severity=Severity.OK, code="TF-STALE-METRICS", sentence=text)


def _fits(facts: SizeFacts) -> Finding:
    side = "request" if facts.request is not None else "limit"
    now = facts.request if facts.request is not None else facts.limit
    threshold = facts.request_threshold if side == "request" else facts.limit_threshold
    text = f"the {side} {amount(now, facts.resource)} is within {percent(threshold)} of the need"
    return Finding(severity=Severity.OK, code="TF-WITHIN-THRESHOLD", sentence=text)
