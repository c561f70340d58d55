"""What the page shows of one workload, as plain text and numbers for the template."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from recommender.report.blocks import Severity
from recommender.report.model import REPLICAS
from recommender.report.page_details import ItemView, history_lines, item_view, money_line
from recommender.report.patches import adoption
from recommender.report.wording import (
    amount_of,
    amount_text,
    change_with_arrow,
    is_same,
    money_text,
)
from recommender.resources import VRAM
from recommender.sentences import percent

if TYPE_CHECKING:
    from recommender.report.grouping import WorkloadGroup
    from recommender.report.model import Item

COLUMNS = ("Compute", "VRAM", "Replicas")


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
    money = group.money
    return PageRow(
        anchor=_anchor(group, number),
        group=group,
        subtitle=_subtitle(group),
        cells=[cells[column] for column in COLUMNS],
        severities=" ".join(dict.fromkeys(str(item.severity) for item in group.items)),
        largest_change=round(max(changes, default=0.0), 4),
        saving=money.saving_per_month if money is not None else None,
        items=[item_view(item) for item in group.items],
        money=money_line(group),
        command=_text(adoption(group)),
        history=history_lines(group),
        promql=list(dict.fromkeys(query for item in group.items for query in item.promql or ())),
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
        devices = f"{identity.gpu_count} \N{MULTIPLICATION SIGN} {devices or 'GPU'}"
    named = kind if owner == identity.workload else identity.owner
    return " · ".join(part for part in (named, identity.pool, devices, identity.qos) if part)


def _cell(item: Item, column: str) -> Cell:
    now, right = amount_of(item.current, "request"), amount_of(item.recommended, "request")
    limits = amount_of(item.current, "limit"), amount_of(item.recommended, "limit")
    has_limit = any(value is not None for value in limits)
    limit = f"limit {change_with_arrow(item.resource, *limits)}" if has_limit else ""
    if right is None and limits[1] is None:
        return Cell(
            column=column,
            main=amount_text(item.resource, now),
            limit=limit,
            note="no recommendation",
        )
    if now is None and limits[0] is None:
        return Cell(
            column=column,
            main=f"→ {amount_text(item.resource, right)}",
            limit=limit,
            note="not set",
        )
    main = change_with_arrow(item.resource, now, right)
    if item.resource == REPLICAS:
        main = main.removesuffix(" replicas").removesuffix(" replica")
        return Cell(column=column, main=main)
    if now is None or right is None or is_same(now, right):
        return Cell(column=column, main=main, limit=limit)
    change = percent(right / now - 1, signed=True).replace("-", "\N{MINUS SIGN}")
    return Cell(column=column, main=main, change=change, is_raise=right > now, limit=limit)


def _anchor(group: WorkloadGroup, number: int) -> str:
    """Return a readable id; the number makes it unique where names differ in punctuation only."""
    stem = re.sub(r"[^a-z0-9]+", "-", group.name.lower()).strip("-")
    model = re.sub(r"[^a-z0-9]+", "-", (group.identity.gpu_model or "").lower()).strip("-")
    return f"w{number}-{stem}" + (f"-{model}" if model else "")


def _text(text: str) -> Any:
    """Escape text for the inside of an element, where quotes may stay as they are."""
    from markupsafe import Markup

    return Markup(escape(text, quote=False))  # noqa: S704  escaped here
