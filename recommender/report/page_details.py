"""What the page shows below the row of a workload: evidence, what-if, money, changes, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recommender.report.confidence import is_stale
from recommender.report.forecast_wording import forecast_head, forecast_lines, pattern_lines
from recommender.report.model import REPLICAS
from recommender.report.svg import plot
from recommender.report.wording import (
    amount_of,
    amount_text,
    change_with_arrow,
    held_back_share,
    measured_word,
    resource_of,
    utc,
)
from recommender.resources import COMPUTE_PERCENT, TFLOPS, VRAM
from recommender.sentences import amount, duration, number, percent

if TYPE_CHECKING:
    from recommender.report.blocks import ItemWhatIf, WhatIfScore
    from recommender.report.grouping import WorkloadGroup
    from recommender.report.model import Item

_SHOWN_SHARE = 0.0005
"""Shares below are left out of the evidence."""
_TITLES = {
    TFLOPS.name: "TFLOPS",
    COMPUTE_PERCENT.name: "Compute, % of a GPU",
    VRAM.name: "VRAM",
    REPLICAS: "Replicas",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView:
    """One resource in the details of a workload."""

    title: str
    item: Item
    plot: Any
    facts: Sequence[tuple[str, str]]
    what_if: Sequence[str]
    forecasts: Sequence[tuple[str, Sequence[str]]]
    """Head and sentences of each layer."""
    pattern: Sequence[str]
    settings: str
    layers: str
    next: str


def item_view(item: Item) -> ItemView:
    """Return everything that the template shows of one item."""
    from markupsafe import Markup

    return ItemView(
        title=_TITLES.get(item.resource, item.resource),
        item=item,
        plot=Markup(plot(item)),  # noqa: S704  numbers and escaped text only
        facts=_facts(item),
        what_if=_what_if(item, item.what_if) if item.what_if is not None else (),
        forecasts=[(forecast_head(each), [*forecast_lines(item, each)]) for each in item.forecasts],
        pattern=[*pattern_lines(item, item.pattern)] if item.pattern is not None else (),
        settings=_settings(item),
        layers=_layers(item),
        next=_next(item),
    )


def _settings(item: Item) -> str:
    """Return the values that somebody set, with their sources; empty where all are defaults."""
    return "; ".join(
        f"{path} {number(setting.value) if isinstance(setting.value, float) else setting.value}"
        f" ({setting.source})"
        for path, setting in item.settings.items()
        if setting.source != "default"
    )


def _layers(item: Item) -> str:
    """Return how far each enrolled layer may go; empty where none is enrolled."""
    enrolled = [f"{layer} {reach}" for layer, reach in item.enrolment.items() if reach != "off"]
    return ", ".join(enrolled)


def _next(item: Item) -> str:
    """Return what may be written now, where a layer is enrolled and it differs from the target."""
    if item.next is None:
        return ""
    sides = ("replicas",) if item.resource == REPLICAS else ("request", "limit")
    parts = [
        f"{side} {amount_text(item.resource, amount_of(item.next, side))}"
        for side in sides
        if amount_of(item.next, side) not in {None, amount_of(item.recommended, side)}
    ]
    return ", ".join(parts)


def _facts(item: Item) -> list[tuple[str, str]]:
    evidence, resource = item.evidence, item.resource
    if resource == REPLICAS:
        return [("workers seen", str(evidence.workers_seen))] if evidence.workers_seen else []
    facts = _amount_facts(item)
    coverage = evidence.coverage_ratio
    covered = f", {percent(coverage)} of expected" if coverage is not None else ""
    facts.append(("samples", f"{evidence.points} in {duration(evidence.span_s)}{covered}"))
    if evidence.workers_seen:
        facts.append(("workers seen", str(evidence.workers_seen)))
    if is_stale(evidence):
        facts.append(("last sample", f"{duration(evidence.last_sample_age_s or 0)} old"))
    for name, share in (
        ("minutes held back", held_back_share(item)),
        ("5-min peaks above request", evidence.above_request_share),
    ):
        if share is not None and share > _SHOWN_SHARE:
            facts.append((name, percent(share)))
    if evidence.denials:
        facts.append(("refused allocations", str(evidence.denials)))
    return facts


def _amount_facts(item: Item) -> list[tuple[str, str]]:
    evidence, kind, word = item.evidence, resource_of(item.resource), measured_word(item)
    names = {"mean": f"mean {word}"}
    names |= {level: f"{level} of 5-min peaks" for level in ("p50", "p95", "p99")}
    names |= {"highest": f"highest {word}"}
    values = [(text, getattr(evidence, name)) for name, text in names.items()]
    facts = [(name, amount(value, kind)) for name, value in values if value is not None]
    hours = [(v, hour) for hour, v in enumerate(evidence.hourly_profile) if v is not None]
    if hours and min(hours)[0] < max(hours)[0]:
        most, least = max(hours)[1], min(hours)[1]
        facts.append(("hours, UTC", f"most {most:02}:00, least {least:02}:00"))
    return facts


def _what_if(item: Item, what_if: ItemWhatIf) -> list[str]:
    sides = (
        ("request", what_if.request, what_if.current_request),
        ("limit", what_if.limit, what_if.current_limit),
    )
    word = measured_word(item)
    lines = [
        f"{side} {_score(score, now, word)}" for side, score, now in sides if score is not None
    ]
    share = what_if.hindsight_above_limit_share
    side = "limit"
    if share is None:
        share, side = what_if.hindsight_above_request_share, "request"
    if share is not None:
        failed = " (allocations would have failed)" if item.resource == VRAM.name and share else ""
        lines.append(
            f"hindsight: {percent(share)} of the 5-minute peaks above "
            f"the recommended {side}{failed}"
        )
    return lines


def _score(score: WhatIfScore, now: WhatIfScore | None, word: str) -> str:
    parts = []
    if score.violated_share is not None:
        today = _today(now.violated_share if now is not None else None)
        parts.append(f"exceeded {percent(score.violated_share)} of the time{today}")
    if score.slack_ratio is not None:
        today = _today(now.slack_ratio if now is not None else None)
        parts.append(f"{percent(score.slack_ratio)} above {word}{today}")
    if score.changes_per_day is not None:
        changes = number(score.changes_per_day, 2)
        parts.append(f"{changes} {'change' if changes == '1' else 'changes'} a day")
    return ", ".join(parts)


def _today(share: float | None) -> str:
    return "" if share is None else f" (now {percent(share)})"


def money_line(group: WorkloadGroup) -> str:
    """Return cost and freed capacity of a workload in words; empty where nothing is known."""
    money = group.money
    if money is None:
        return ""
    parts = []
    if money.current_per_hour is not None and money.recommended_per_hour is not None:
        kind = "estimated, " if money.is_estimated else ""
        source = f"price: {money.price_source}" if money.price_source else "price given"
        parts.append(
            f"{money.current_per_hour:.2f} → {money.recommended_per_hour:.2f} per hour "
            f"for all workers ({kind}{source})"
        )
    else:
        parts.append("no price is known")
    if money.freed_gpus:
        verb = "frees" if money.freed_gpus > 0 else "takes"
        parts.append(f"{verb} {abs(money.freed_gpus):.2f} GPUs of capacity")
    return "; ".join(parts)


def history_lines(group: WorkloadGroup) -> list[tuple[str, str, str, str]]:
    """Return time, change, reason and outcome of each change, newest first."""
    entries = [entry for item in group.items for entry in item.history]
    entries.sort(key=lambda entry: -entry.time_s)
    return [
        (
            utc(entry.time_s),
            f"{entry.layer}: {change_with_arrow(entry.resource, entry.before, entry.after)}",
            entry.reason.replace("->", "→"),
            entry.outcome,
        )
        for entry in entries
    ]
