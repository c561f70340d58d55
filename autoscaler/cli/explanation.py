"""One workload in words: what was measured, what is recommended, and step by step why.

Everything comes from the items of a report, so an old report explains itself too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from autoscaler.cli.plot import text_plot
from recommender.report.blocks import NextSize, RecommendedSize, WhatIfScore
from recommender.report.forecast_wording import forecast_head, forecast_lines, pattern_lines
from recommender.report.model import REPLICAS, Item, Meta
from recommender.report.window import window_text
from recommender.report.wording import (
    amount_of,
    amount_text,
    held_back_share,
    item_change,
    measured_word,
    price_change,
    utc,
)
from recommender.sentences import duration, percent

INDENT = "    "


def explanation(items: Sequence[Item], meta: Meta) -> str:
    """Return the explanation of one workload's items as text."""
    identity = items[0].identity
    head = [
        identity.owner,
        None if identity.pool is None else f"pool {identity.pool}",
        identity.gpu_model,
        f"qos {identity.qos}",
        None if identity.gpu_count == 1 else f"{identity.gpu_count} GPUs per worker",
    ]
    lines = [items[0].name, INDENT + ", ".join(part for part in head if part)]
    if meta.window is not None:
        lines.append(INDENT + window_text(meta.window))
    for item in items:
        lines += ["", *_item(item, meta)]
    return "\n".join(lines) + "\n"


def _item(item: Item, meta: Meta) -> Iterator[str]:
    yield f"{item.resource}: {item.severity} ({item.verdict.code})"
    yield f"{INDENT}{item.verdict.sentence}"
    for finding in item.further:
        yield f"{INDENT}also {finding.severity}: {finding.sentence} ({finding.code})"
    yield from _amounts(item)
    yield from _section("confidence", _confidence(item))
    yield from _section("measured", _evidence(item))
    yield from _plot(item, None if meta.window is None else meta.window.end_s)
    yield from _section("why", _reasons(item))
    yield from _section("had it been in force", _what_if(item))
    yield from _section("forecast", _forecast(item))
    yield from _section("pattern of the days", _pattern(item))
    yield from _section("money", _money(item, meta))
    yield from _section("policy", _policy(item))
    yield from _section("changes so far", _history(item))
    yield from _section("queries", item.promql or ())
    yield from _section("to adopt it", _patch(item))


def _section(title: str, lines: Sequence[str] | Iterator[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield f"  {title}"
        yield from (f"{INDENT}{line}" for line in found)


def _amounts(item: Item) -> Iterator[str]:
    sides = ("request", "limit") if isinstance(item.recommended, RecommendedSize) else ("request",)
    is_known = any(amount_of(item.recommended, side) is not None for side in sides)
    found = []
    for side in sides:
        if not is_known and amount_of(item.current, side) is None:
            continue
        source = item.current.sources.get(side) or item.current.sources.get("replicas")
        origin = "" if source is None else f" ({'in force: ' if is_known else ''}{source})"
        name = side if len(sides) == 2 else REPLICAS
        found.append(f"{name:8} {item_change(item, side)}{origin}")
    if isinstance(item.recommended, RecommendedSize) and item.recommended.lower is not None:
        low, high = item.recommended.lower, item.recommended.upper
        found.append(
            f"bounds   {amount_text(item.resource, low)} to {amount_text(item.resource, high)}"
        )
    if isinstance(item.next, NextSize):
        found += [
            f"next     {side} {amount_text(item.resource, value)}"
            for side, value in (("request", item.next.request), ("limit", item.next.limit))
            if value is not None
        ]
    yield from _section("recommended" if is_known else "in force", found)


def _confidence(item: Item) -> list[str]:
    missing = "; ".join(item.confidence.missing)
    return [
        f"{item.confidence.grade} ({item.confidence.value:.2f}){': ' if missing else ''}{missing}"
    ]


def _evidence(item: Item) -> Iterator[str]:
    evidence = item.evidence
    if evidence.points == 0:
        yield "nothing usable"
        return
    step = "" if evidence.step_s is None else f"; the newest are {duration(evidence.step_s)} apart"
    coverage = (
        ""
        if evidence.coverage_ratio is None
        else f", {percent(evidence.coverage_ratio)} of the expected ones"
    )
    yield f"{evidence.points} points over {duration(evidence.span_s)}{coverage}{step}"
    age = evidence.last_sample_age_s
    seen = f"{evidence.workers_seen} worker{'' if evidence.workers_seen == 1 else 's'} seen"
    yield seen if age is None else f"{seen}, last sample {duration(age)} ago"
    if item.resource != REPLICAS:
        yield from _levels(item)


def _levels(item: Item) -> Iterator[str]:
    """Yield amounts; those of a replica item are of another resource, and left to its item."""
    evidence, word, held_back = item.evidence, measured_word(item), held_back_share(item)
    if held_back:
        yield (
            f"held back by its limit or its share of the GPU in {percent(held_back)} of the "
            "minutes: what follows is demand, the use and an estimate of what was held back"
        )
    levels = {
        "mean": evidence.mean,
        "p50": evidence.p50,
        "p90": evidence.p90,
        "p95": evidence.p95,
        "p99": evidence.p99,
        "max": evidence.highest,
    }
    texts = [
        f"{name} {amount_text(item.resource, value)}"
        for name, value in levels.items()
        if value is not None
    ]
    if texts:
        yield f"{word}: {', '.join(texts)} (percentiles of the 5-minute peaks, 7 d at most)"
    if evidence.above_request_share is not None:
        share = percent(evidence.above_request_share)
        yield f"{word} above the request in {share} of the 5-minute blocks"
    if evidence.denials:
        yield f"refused allocations: {evidence.denials}"


def _plot(item: Item, end_s: int | None) -> Iterator[str]:
    series = item.evidence.series
    if series is None:
        return
    levels = {
        "request": amount_of(item.current, "request"),
        "limit": amount_of(item.current, "limit"),
        "recommended request": amount_of(item.recommended, "request"),
        "recommended limit": amount_of(item.recommended, "limit"),
    }
    yield from (
        f"{INDENT}{line}"
        for line in text_plot(series, item.resource, levels, end_s=end_s).splitlines()
    )


def _reasons(item: Item) -> Iterator[str]:
    for layer, steps in groupby(item.reasoning, key=lambda step: step.layer):
        yield layer
        yield from (f"  {i}. {step.sentence}" for i, step in enumerate(steps, start=1))


def _what_if(item: Item) -> Iterator[str]:
    what_if, word = item.what_if, measured_word(item)
    if what_if is None:
        return
    yield (
        f"replayed from {utc(what_if.start_s)} to {utc(what_if.end_s)}, "
        "each decision from earlier samples only"
    )
    for name, recommended, current in (
        ("request", what_if.request, what_if.current_request),
        ("limit", what_if.limit, what_if.current_limit),
    ):
        if recommended is not None:
            yield f"{name}: {_score(recommended, word)}"
        if current is not None:
            yield f"{name} in force, over the same time: {_score(current, word)}"
    for name, share in (
        ("request", what_if.hindsight_above_request_share),
        ("limit", what_if.hindsight_above_limit_share),
    ):
        if share is not None:
            blocks = f"{percent(share)} of the 5-minute blocks"
            yield f"in hindsight, {blocks} were above the recommended {name}"


def _forecast(item: Item) -> Iterator[str]:
    for forecast in item.forecasts:
        yield forecast_head(forecast)
        yield from (f"  {line}" for line in forecast_lines(item, forecast))


def _pattern(item: Item) -> Iterator[str]:
    if item.pattern is not None:
        yield from pattern_lines(item, item.pattern)


def _score(score: WhatIfScore, word: str) -> str:
    parts = []
    if score.slack_ratio is not None:
        parts.append(f"slack {percent(score.slack_ratio)}")
    if score.violated_share is not None:
        parts.append(f"{word} above it in {percent(score.violated_share)} of the 5-minute blocks")
    if score.throttled_ratio is not None:
        parts.append(f"{percent(score.throttled_ratio)} of {word} above it")
    if score.changes_per_day is not None:
        parts.append(f"{score.changes_per_day:.1f} changes a day")
    return ", ".join(parts) or "nothing to judge"


def _money(item: Item, meta: Meta) -> Iterator[str]:
    money = item.money
    if money is None:
        return
    if money.saving_per_month is not None:
        kind = (
            "estimated from the price of a whole GPU"
            if money.is_estimated
            else "by resource prices"
        )
        source = "" if money.price_source is None else f", price of {money.price_source}"
        change = price_change(money.saving_per_month, meta.currency)
        yield f"price of the shares: {change}, {kind}{source}"
    else:
        yield "no price is known"
    if money.freed_gpus:
        verb = "freed" if money.freed_gpus > 0 else "taken"
        yield (
            f"capacity {verb}: {abs(money.freed_gpus):.2f} GPUs; "
            "a provider bills less or more only once whole GPUs come or go"
        )


def _policy(item: Item) -> Iterator[str]:
    for layer, reach in item.enrolment.items():
        yield f"auto-{layer}: {reach}"
    for name, setting in item.settings.items():
        yield f"{name} = {setting.value} ({setting.source})"


def _history(item: Item) -> Iterator[str]:
    for entry in item.history:
        before, after = (
            amount_text(item.resource, entry.before),
            amount_text(item.resource, entry.after),
        )
        change = f"{entry.layer}: {before} -> {after}, {entry.outcome}"
        yield f"{utc(entry.time_s)} {change}; {entry.reason}"


def _patch(item: Item) -> Iterator[str]:
    if item.patch is None:
        return
    import json

    yield json.dumps(item.patch, ensure_ascii=False)
