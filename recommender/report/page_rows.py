"""What the page shows of one workload, as plain text and numbers for the template."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from recommender.report.blocks import Severity
from recommender.report.confidence import FRESH_S
from recommender.report.model import REPLICAS
from recommender.report.patches import patch_command, workload_patch
from recommender.report.svg import plot
from recommender.report.wording import (
    amount_of,
    amount_text,
    change_text,
    money_text,
    resource_of,
    utc,
)
from recommender.resources import VRAM
from recommender.sentences import amount, duration, number, percent

if TYPE_CHECKING:
    from recommender.report.blocks import ItemEvidence, ItemWhatIf, WhatIfScore
    from recommender.report.grouping import WorkloadGroup
    from recommender.report.model import Item

COLUMNS = ("Compute", "VRAM", "Replicas")
_SHOWN_SHARE = 0.0005
"""Shares below are left out of the evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One resource in the row of a workload."""

    column: str
    main: str
    change: str = ""
    is_raise: bool = False
    limit: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView:
    """One resource in the details of a workload."""

    title: str
    item: Item
    plot: Any
    facts: Sequence[tuple[str, str]]
    what_if: Sequence[str]
    settings: str
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRow:
    """One workload."""

    anchor: str
    group: WorkloadGroup
    subtitle: str
    """Owner, pool, devices and QoS."""
    cells: Sequence[Cell | None]
    """By ``COLUMNS``."""
    severities: str
    largest_change: float
    saving: float | None
    items: Sequence[ItemView]
    money: str
    command: Any
    history: Sequence[tuple[str, str, str, str]]
    promql: Sequence[str]


def page_row(group: WorkloadGroup, number: int) -> PageRow:
    """Return everything that the template shows of one workload."""
    cells = dict.fromkeys(COLUMNS) | {
        column: _cell(items[0], column) for column, items in _by_column(group).items()
    }
    changes = (abs(item.change_ratio) for item in group.items if item.change_ratio is not None)
    patch = workload_patch(group)
    money = group.money
    return PageRow(
        anchor=_anchor(group, number),
        group=group,
        subtitle=_subtitle(group),
        cells=[cells[column] for column in COLUMNS],
        severities=" ".join(dict.fromkeys(str(item.severity) for item in group.items)),
        largest_change=round(max(changes, default=0.0), 4),
        saving=money.saving_per_month if money is not None else None,
        items=[_item_view(item) for item in group.items],
        money=_money(group),
        command=_text(patch_command(group, patch)) if patch else "",
        history=_history(group),
        promql=[query for item in group.items for query in item.promql or ()],
    )


def namespace_rows(groups: Sequence[WorkloadGroup]) -> Sequence[Mapping[str, object]]:
    """Return sums per namespace and pool, in alphabetical order."""
    parts: dict[tuple[str, str], list[WorkloadGroup]] = {}
    for group in groups:
        key = group.identity.namespace, group.identity.pool or ""
        parts.setdefault(key, []).append(group)
    return [_overview(*key, parts[key]) for key in sorted(parts)]


def _overview(namespace: str, pool: str, groups: Sequence[WorkloadGroup]) -> Mapping[str, object]:
    counts = Counter(item.severity for group in groups for item in group.items)
    money = [group.money for group in groups if group.money is not None]
    savings = [part.saving_per_month for part in money if part.saving_per_month is not None]
    freed = [part.freed_gpus for part in money if part.freed_gpus is not None]
    return {
        "namespace": namespace,
        "pool": pool,
        "workloads": len(groups),
        "critical": counts[Severity.CRITICAL],
        "warning": counts[Severity.WARNING],
        "saving": counts[Severity.SAVING],
        "freed": f"{sum(freed):.2f}" if freed else "",
        "money": money_text(sum(savings)) if savings else "",
    }


def _by_column(group: WorkloadGroup) -> dict[str, list[Item]]:
    columns: dict[str, list[Item]] = {}
    for item in sorted(group.items, key=lambda item: item.severity.rank):
        column = {VRAM.name: "VRAM", REPLICAS: "Replicas"}.get(item.resource, "Compute")
        columns.setdefault(column, []).append(item)
    return columns


def _subtitle(group: WorkloadGroup) -> str:
    identity = group.identity
    kind, _, owner = (identity.owner or "").partition("/")
    devices = identity.gpu_model or ""
    if identity.gpu_count > 1:
        devices = f"{identity.gpu_count} × {devices or 'GPU'}"
    named = kind if owner == identity.workload else identity.owner
    return " · ".join(part for part in (named, identity.pool, devices, identity.qos) if part)


def _cell(item: Item, column: str) -> Cell:
    now, right = amount_of(item.current, "request"), amount_of(item.recommended, "request")
    limits = amount_of(item.current, "limit"), amount_of(item.recommended, "limit")
    has_limit = any(value is not None for value in limits)
    limit = f"limit {_arrowed(item.resource, *limits)}" if has_limit else ""
    if right is None and limits[1] is None:
        return Cell(
            column=column, main=amount_text(item.resource, now), limit=limit, note="not known"
        )
    if now is None and limits[0] is None:
        return Cell(
            column=column,
            main=f"→ {amount_text(item.resource, right)}",
            limit=limit,
            note="not set",
        )
    main = _arrowed(item.resource, now, right)
    if item.resource == REPLICAS:
        main = main.removesuffix(" replicas").removesuffix(" replica")
        return Cell(column=column, main=main)
    if now is None or right is None or now == right:
        return Cell(column=column, main=main, limit=limit)
    change = percent(right / now - 1, signed=True).replace("-", "\N{MINUS SIGN}")
    return Cell(column=column, main=main, change=change, is_raise=right > now, limit=limit)


def _arrowed(resource: str, now: float | None, right: float | None) -> str:
    return change_text(resource, now, right).replace("->", "→")


def _item_view(item: Item) -> ItemView:
    from markupsafe import Markup

    titles = {"tflops": "TFLOPS", "tflops_pct": "Compute, % of a GPU", "vram_bytes": "VRAM"}
    return ItemView(
        title=titles.get(item.resource, item.resource.capitalize()),
        item=item,
        plot=Markup(plot(item)),  # noqa: S704  numbers and escaped text only
        facts=_facts(item),
        what_if=_what_if(item.what_if, item.resource) if item.what_if is not None else (),
        settings=_settings(item),
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
    facts = _use_facts(evidence, resource)
    coverage = evidence.coverage_ratio
    covered = f", {percent(coverage)} of expected" if coverage is not None else ""
    facts.append(("samples", f"{evidence.points} min in {duration(evidence.span_s)}{covered}"))
    if evidence.workers_seen:
        facts.append(("workers seen", str(evidence.workers_seen)))
    if (evidence.last_sample_age_s or 0) > FRESH_S:
        facts.append(("last sample", f"{duration(evidence.last_sample_age_s or 0)} old"))
    for name, share in (
        ("minutes at the limit", evidence.at_limit_share),
        ("5-min peaks above request", evidence.above_request_share),
    ):
        if share is not None and share > _SHOWN_SHARE:
            facts.append((name, percent(share)))
    if evidence.denials:
        facts.append(("refused allocations", str(evidence.denials)))
    return facts


def _use_facts(evidence: ItemEvidence, resource: str) -> list[tuple[str, str]]:
    kind = resource_of(resource)
    names = ("mean", "p50", "p95", "p99", "highest")
    values = [(name, getattr(evidence, name)) for name in names]
    facts = [(name, amount(value, kind)) for name, value in values if value is not None]
    hours = [(v, hour) for hour, v in enumerate(evidence.hourly_profile) if v is not None]
    if hours and min(hours)[0] < max(hours)[0]:
        (high, busiest), (low, quietest) = max(hours), min(hours)
        facts.append(("busiest hour", f"{busiest:02}:00 UTC, {amount(high, kind)}"))
        facts.append(("quietest hour", f"{quietest:02}:00 UTC, {amount(low, kind)}"))
    return facts


def _what_if(what_if: ItemWhatIf, resource: str) -> list[str]:
    sides = (
        ("request", what_if.request, what_if.current_request),
        ("limit", what_if.limit, what_if.current_limit),
    )
    lines = [f"{side} {_score(score, now)}" for side, score, now in sides if score is not None]
    share = what_if.hindsight_above_limit_share
    side = "limit"
    if share is None:
        share, side = what_if.hindsight_above_request_share, "request"
    if share is not None:
        failed = " (allocations would have failed)" if resource == VRAM.name and share else ""
        lines.append(
            f"hindsight: {percent(share)} of the 5-minute peaks above "
            f"the recommended {side}{failed}"
        )
    return lines


def _score(score: WhatIfScore, now: WhatIfScore | None) -> str:
    parts = []
    if score.violated_share is not None:
        today = _today(now.violated_share if now is not None else None)
        parts.append(f"exceeded {percent(score.violated_share)} of the time{today}")
    if score.slack_ratio is not None:
        today = _today(now.slack_ratio if now is not None else None)
        parts.append(f"{percent(score.slack_ratio)} above use{today}")
    if score.changes_per_day is not None:
        parts.append(f"{score.changes_per_day:.1f} changes a day")
    return ", ".join(parts)


def _today(share: float | None) -> str:
    return "" if share is None else f" (now {percent(share)})"


def _money(group: WorkloadGroup) -> str:
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


def _history(group: WorkloadGroup) -> list[tuple[str, str, str, str]]:
    entries = [entry for item in group.items for entry in item.history]
    entries.sort(key=lambda entry: -entry.time_s)
    return [
        (
            utc(entry.time_s),
            f"{entry.layer}: {_arrowed(entry.resource, entry.before, entry.after)}",
            entry.reason.replace("->", "→"),
            entry.outcome,
        )
        for entry in entries
    ]


def _anchor(group: WorkloadGroup, number: int) -> str:
    """Return a readable id; the number makes it unique where names differ in punctuation only."""
    stem = re.sub(r"[^a-z0-9]+", "-", group.name.lower()).strip("-")
    model = re.sub(r"[^a-z0-9]+", "-", (group.identity.gpu_model or "").lower()).strip("-")
    return f"w{number}-{stem}" + (f"-{model}" if model else "")


def _text(text: str) -> Any:
    """Escape text for the inside of an element, where quotes may stay as they are."""
    from markupsafe import Markup

    return Markup(escape(text, quote=False))  # noqa: S704  escaped here
