"""Hypothesis strategies of reports that obey the model, not the rules of verdicts."""

from dataclasses import replace

from hypothesis import strategies as st

from recommender.report.blocks import (
    Confidence,
    CurrentReplicas,
    CurrentSize,
    Finding,
    HistoryEntry,
    Identity,
    ItemError,
    ItemEvidence,
    ItemWhatIf,
    Money,
    NextReplicas,
    NextSize,
    ReasonStep,
    RecommendedReplicas,
    RecommendedSize,
    Setting,
    Severity,
    UsageSeries,
    WhatIfScore,
)
from recommender.report.forecast_blocks import (
    FittedModel,
    ItemForecast,
    ItemPattern,
    PatternStep,
)
from recommender.report.model import Item, Meta, Report, Window
from recommender.report.totals import totals_of

names = st.text("abc-/=+@<&|_*", min_size=1, max_size=8)
texts = st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs")), max_size=20)
amounts = st.none() | st.floats(0.001, 1e12)
shares = st.none() | st.floats(0, 1)
seconds = st.integers(0, 2**40)
counts = st.integers(0, 1000)
known_counts = st.none() | st.integers(1, 50)
labels = st.dictionaries(names, texts, max_size=2)

identities = st.builds(
    Identity,
    namespace=st.sampled_from(["a", "b", "team-a"]),
    workload=names,
    owner=st.none() | names,
    pool=st.none() | names,
    gpu_model=st.none() | st.sampled_from(["H100", "L4"]),
    qos=st.none() | st.just("high"),
    gpu_count=st.integers(1, 8),
    replicas=known_counts,
    labels=labels,
)
series = st.integers(1, 5).flatmap(
    lambda n: st.builds(
        UsageSeries,
        start_s=seconds,
        step_s=st.integers(1, 9999),
        highest=st.tuples(*[amounts] * n),
        mean=st.tuples(*[amounts] * n),
    )
)
evidence = st.builds(
    ItemEvidence,
    points=counts,
    span_s=seconds,
    coverage_ratio=shares,
    workers_seen=counts,
    last_sample_age_s=shares,
    p50=amounts,
    p95=amounts,
    highest=amounts,
    mean=amounts,
    at_limit_share=shares,
    denials=st.none() | counts,
    is_opaque=st.booleans(),
    hourly_profile=st.just(()) | st.tuples(*[amounts] * 24),
    series=st.none() | series,
)
findings = st.builds(
    Finding, severity=st.sampled_from(Severity), code=st.just("TF-A-CODE"), sentence=texts
)
scores = st.none() | st.builds(WhatIfScore, slack_ratio=shares, violated_share=shares)
weights = st.dictionaries(names, st.floats(0.01, 1), max_size=2)
fitted = st.builds(
    FittedModel,
    model=st.just("ets"),
    period_s=st.integers(60, 10**6),
    level=st.floats(0.5, 0.999),
    mean=amounts,
    highest=amounts,
    reason=st.none() | names,
    sentence=texts,
)
forecasts = st.builds(
    ItemForecast,
    layer=st.sampled_from(["requests", "limits", "replicas"]),
    is_asked=st.booleans(),
    model=st.sampled_from(["auto", "ets"]),
    period_s=st.integers(60, 10**6),
    gate=st.none() | st.sampled_from(["OPEN", "YOUNG"]),
    sentence=texts,
    promised_share=shares,
    realised_share=shares,
    judged_minutes=st.none() | st.floats(0.1, 1e6),
    gain_ratio=st.none() | st.floats(-5, 1),
    weights=weights,
    fitted=st.none() | fitted,
)
patterns = st.builds(
    ItemPattern,
    span_s=seconds,
    regime=st.none() | st.sampled_from(["daily", "weekly", "steady"]),
    figure=shares,
    rests_on=texts,
    day_strength_ratio=shares,
    week_strength_ratio=shares,
    trend_per_day=st.none() | st.floats(-1e6, 1e6),
    steps=st.lists(
        st.builds(PatternStep, at_s=seconds, before=amounts, after=amounts), max_size=4
    ).map(tuple),
    reason=st.none() | names,
    sentence=texts,
)
common = {
    "identity": identities,
    "change_ratio": st.none() | st.floats(-1, 10),
    "limit_change_ratio": st.none() | st.floats(-1, 10),
    "verdict": findings,
    "further": st.lists(findings, max_size=2).map(tuple),
    "evidence": evidence,
    "reasoning": st.lists(
        st.builds(
            ReasonStep,
            layer=st.sampled_from(["requests", "limits"]),
            code=names,
            before=amounts,
            after=amounts,
            sentence=texts,
        ),
        max_size=2,
    ).map(tuple),
    "confidence": st.builds(
        Confidence,
        grade=st.sampled_from("ABCD"),
        value=st.floats(0, 1),
        missing=st.lists(texts, max_size=2).map(tuple),
    ),
    "what_if": st.none()
    | st.builds(ItemWhatIf, start_s=seconds, end_s=seconds, request=scores, limit=scores),
    "forecasts": st.lists(forecasts, max_size=2).map(tuple),
    "pattern": st.none() | patterns,
    "history": st.lists(
        st.builds(
            HistoryEntry, time_s=st.integers(0, 2**32), resource=names, layer=names, after=amounts
        ),
        max_size=2,
    ).map(tuple),
    "promql": st.none() | st.lists(texts, max_size=2).map(tuple),
    "patch": st.none() | st.just({"spec": {"replicas": 2}}),
    "enrolment": st.dictionaries(names, st.sampled_from(["off", "apply"]), max_size=2),
    "settings": st.dictionaries(
        names, st.builds(Setting, value=st.floats(0, 1) | texts, source=texts), max_size=2
    ),
}
sized_items = st.builds(
    Item,
    resource=st.sampled_from(["tflops", "tflops_pct", "vram_bytes", "tokens"]),
    current=st.builds(CurrentSize, request=amounts, limit=amounts, sources=labels),
    recommended=st.builds(RecommendedSize, request=amounts, limit=amounts, raw=amounts),
    next=st.none() | st.builds(NextSize, request=amounts, limit=amounts),
    **common,
)
replica_items = st.builds(
    Item,
    resource=st.just("replicas"),
    current=st.builds(CurrentReplicas, replicas=known_counts, sources=labels),
    recommended=st.builds(RecommendedReplicas, replicas=known_counts, raw=amounts),
    next=st.none() | st.builds(NextReplicas, replicas=known_counts),
    **common,
)
moneys = st.none() | st.builds(
    Money,
    current_per_hour=amounts,
    recommended_per_hour=amounts,
    saving_per_month=st.none() | st.floats(-1e4, 1e4),
    freed_gpus=st.none() | st.floats(-8, 8),
)


slim_items = st.builds(
    Item,
    identity=st.builds(
        Identity,
        namespace=st.sampled_from(["a", "b", "team-a"]),
        workload=st.sampled_from(["a", "ab", "b"]),
        pool=st.sampled_from([None, "p"]),
        labels=st.sampled_from([{}, {"a": "x"}]),
    ),
    resource=st.sampled_from(["tflops", "vram_bytes"]),
    current=st.just(CurrentSize()),
    recommended=st.builds(RecommendedSize, request=amounts),
    change_ratio=st.none() | st.floats(-1, 3),
    limit_change_ratio=st.none() | st.floats(-1, 3),
    verdict=st.builds(
        Finding, severity=st.sampled_from(Severity), code=st.just("TF-X"), sentence=st.just("")
    ),
    confidence=st.builds(Confidence, grade=st.sampled_from("ABCD"), value=st.just(0.5)),
)


@st.composite
def item_lists(draw, max_size=8, kinds=slim_items):
    """Make items of which each workload has money at most once, as a built report has."""
    items, paid = [], set()
    for item in draw(st.lists(kinds, max_size=max_size)):
        money = draw(moneys) if item.identity.key not in paid else None
        paid |= {item.identity.key} if money is not None else set()
        items.append(replace(item, money=money))
    return tuple(items)


@st.composite
def slim_reports(draw):
    """Make reports with what selecting, sorting and comparing look at."""
    items = draw(item_lists())
    meta = Meta(generated_s=0, tool_version="0", source="", totals=totals_of(items))
    return Report(meta=meta, items=items)


@st.composite
def reports(draw, max_size=3):
    """Make reports with everything that the model allows."""
    items = draw(item_lists(max_size, sized_items | replica_items))
    meta = Meta(
        generated_s=draw(st.integers(0, 2**32)),
        tool_version="0.1.0",
        source=draw(texts),
        window=draw(st.none() | st.builds(Window, start_s=seconds, end_s=seconds)),
        notes=draw(st.lists(texts, max_size=2).map(tuple)),
        skipped=draw(st.dictionaries(texts, counts, max_size=2)),
        totals=totals_of(items),
    )
    errors = draw(st.lists(st.builds(ItemError, message=texts), max_size=2))
    return Report(meta=meta, items=items, errors=tuple(errors))
