"""Which items of a report are wanted, and in which order.

A selection makes a new report whose totals describe what is left.  Hiding and cutting for short
texts is something else: ``visible`` does it for the table and Markdown, and counts what it hides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from recommender.report.blocks import Severity
from recommender.report.totals import totals_of
from recommender.report.window import measured_window
from recommender.resources import VRAM

if TYPE_CHECKING:
    from recommender.report.blocks import Money
    from recommender.report.model import Item, Report

RISKS = frozenset({Severity.CRITICAL, Severity.WARNING})


class Only(StrEnum):
    """Kinds of items to keep."""

    SAVINGS = "savings"
    RISKS = "risks"
    UNKNOWN = "unknown"


class SortKey(StrEnum):
    """Orders of items.  Risks stand before savings in all but the alphabetical one."""

    RISK = "risk"
    MONEY = "money"
    CHANGE = "change"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to keep; an empty field keeps everything, several fields must all hold."""

    namespaces: tuple[str, ...] = ()
    """Globs; one of them must match."""
    workloads: tuple[str, ...] = ()
    """Globs of ``workload`` or ``namespace/workload``; one of them must match."""
    pools: tuple[str, ...] = ()
    min_severity: Severity | None = None
    min_change_ratio: float | None = None
    """Least relative change of request or limit; items without a change are left out."""
    min_confidence: str | None = None
    """``A``, ``B``, ``C`` or ``D``."""
    only: Only | None = None

    def words(self) -> tuple[str, ...]:
        """Return the selection in words, for the report's meta."""
        named = {
            "namespace": ", ".join(self.namespaces),
            "workload": ", ".join(self.workloads),
            "pool": ", ".join(self.pools),
            "severity at least": self.min_severity or "",
            "change at least": ""
            if self.min_change_ratio is None
            else f"{100 * self.min_change_ratio:g} %",
            "confidence at least": self.min_confidence or "",
            "only": self.only or "",
        }
        return tuple(f"{name} {value}" for name, value in named.items() if value)


def selected(report: Report, selection: Selection) -> Report:
    """Return the report with the selected items only, totals and measured time over these.

    Whole GPUs that could be released are known for a complete fleet only, so they are dropped
    once an item is missing.  A workload's money moves to its first item that is left.
    """
    kept = tuple(item for item in report.items if _matches(item, selection))
    if len(kept) == len(report.items):
        return report
    items = _with_money(kept, report.items)
    filters = (*report.meta.filters, *selection.words())
    return replace(
        report,
        meta=replace(
            report.meta,
            filters=filters,
            totals=totals_of(items),
            window=measured_window(report.meta.window, items),
        ),
        items=items,
    )


def ordered(report: Report, key: SortKey) -> Report:
    """Return the report with its items sorted; equal items keep their order."""
    return replace(report, items=tuple(sorted(report.items, key=_order(report.items, key))))


@dataclass(frozen=True, slots=True)
class Visible:
    """Items to show in a short text, and how many are not shown."""

    items: tuple[Item, ...]
    hidden_ok: int
    beyond_limit: int


def visible(items: Sequence[Item], *, include_ok: bool, limit: int | None) -> Visible:
    """Hide items that are OK and cut the rest, counting both."""
    shown = tuple(item for item in items if include_ok or item.severity is not Severity.OK)
    cut = shown if limit is None else shown[:limit]
    return Visible(cut, len(items) - len(shown), len(shown) - len(cut))


def _matches(item: Item, selection: Selection) -> bool:
    identity = item.identity
    names = (identity.workload, item.name)
    return (
        _any_glob(selection.namespaces, (identity.namespace,))
        and _any_glob(selection.workloads, names)
        and _any_glob(selection.pools, (identity.pool or "",))
        and (selection.min_severity is None or item.severity.rank <= selection.min_severity.rank)
        and _changes_enough(item, selection.min_change_ratio)
        and (selection.min_confidence is None or item.confidence.grade <= selection.min_confidence)
        and _is_kind(item, selection.only)
    )


def _any_glob(globs: tuple[str, ...], names: Iterable[str]) -> bool:
    return not globs or any(fnmatchcase(name, glob) for name in names for glob in globs)


def _changes_enough(item: Item, least: float | None) -> bool:
    return least is None or _largest_change(item) >= least


def _is_kind(item: Item, only: Only | None) -> bool:
    if only is None:
        return True
    wanted = {
        Only.SAVINGS: {Severity.SAVING},
        Only.RISKS: RISKS,
        Only.UNKNOWN: {Severity.UNKNOWN},
    }
    return item.severity in wanted[only]


def _largest_change(item: Item) -> float:
    changes = (item.change_ratio, item.limit_change_ratio)
    return max((abs(change) for change in changes if change is not None), default=-1.0)


def _with_money(kept: tuple[Item, ...], before: Sequence[Item]) -> tuple[Item, ...]:
    money = _money_by_workload(before)
    items = []
    for item in kept:
        own = money.pop(item.identity.key, None)
        items.append(replace(item, money=own))
    return tuple(items)


def _money_by_workload(items: Sequence[Item]) -> dict[tuple[str, str, str], Money]:
    return {item.identity.key: item.money for item in items if item.money is not None}


def _order(items: Sequence[Item], key: SortKey) -> Callable[[Item], tuple[object, ...]]:
    savings = {
        name: money.saving_per_month if money.saving_per_month is not None else float("-inf")
        for name, money in _money_by_workload(items).items()
    }

    def saving(item: Item) -> float:
        return -savings.get(item.identity.key, float("-inf"))

    def urgency(item: Item) -> tuple[bool, float]:
        """Order risks by harm, the rest by what it frees: short VRAM fails, short compute waits."""
        if item.severity not in RISKS:
            return False, saving(item)
        return item.resource != VRAM.name, -_largest_change(item)

    orders: dict[SortKey, Callable[[Item], tuple[object, ...]]] = {
        SortKey.RISK: lambda item: (item.severity.rank, urgency(item), item.identity.key),
        SortKey.MONEY: lambda item: (_risk_first(item), saving(item), item.identity.key),
        SortKey.CHANGE: lambda item: (_risk_first(item), -_largest_change(item)),
        SortKey.NAME: lambda item: (item.identity.key, item.severity.rank),
    }
    return orders[key]


def _risk_first(item: Item) -> int:
    return item.severity.rank if item.severity in RISKS else len(RISKS)
