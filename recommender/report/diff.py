"""Two reports side by side: what is new, what is gone, which verdicts and amounts changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from recommender.report.blocks import CurrentSize, RecommendedSize
from recommender.report.select import RISKS
from recommender.report.textgrid import grid
from recommender.report.wording import amount_of, change_text

if TYPE_CHECKING:
    from recommender.report.blocks import Severity
    from recommender.report.model import Item, Report

SCHEMA = "tensorfusion-report-diff/v1"
LEAST_CHANGE_RATIO = 0.01
"""Amounts that differ by less are the same."""


class DiffKind(StrEnum):
    """What became of an item."""

    NEW = "new"
    GONE = "gone"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffEntry:
    """One item that differs; ``before`` None where it is new, ``after`` None where it is gone."""

    kind: DiffKind
    before: Item | None
    after: Item | None

    @property
    def item(self) -> Item:
        """The newer of the two."""
        item = self.after or self.before
        assert item is not None
        return item

    @property
    def is_worse(self) -> bool:
        """Whether a risk is new or graver than before."""
        if self.after is None or self.after.severity not in RISKS:
            return False
        return self.before is None or self.after.severity.rank < self.before.severity.rank


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDiff:
    """All differences, the most urgent first."""

    old_generated_s: int
    new_generated_s: int
    entries: tuple[DiffEntry, ...]
    unchanged: int


def compare(old: Report, new: Report) -> ReportDiff:
    """Return the differences from ``old`` to ``new``.

    Items are the same when namespace, workload, GPU model and resource are.  They differ when the
    verdict does (severity or code), or when an amount in force or recommended differs by 1 %.
    """
    before, after = _by_key(old), _by_key(new)
    entries = []
    for key in dict.fromkeys([*before, *after]):
        first, second = before.get(key), after.get(key)
        if first is None or second is None:
            kind = DiffKind.NEW if first is None else DiffKind.GONE
            entries.append(DiffEntry(kind=kind, before=first, after=second))
        elif _differ(first, second):
            entries.append(DiffEntry(kind=DiffKind.CHANGED, before=first, after=second))
    entries.sort(key=lambda entry: (entry.item.severity.rank, entry.item.identity.key))
    return ReportDiff(
        old_generated_s=old.meta.generated_s,
        new_generated_s=new.meta.generated_s,
        entries=tuple(entries),
        unchanged=len(before.keys() & after.keys())
        - sum(entry.kind is DiffKind.CHANGED for entry in entries),
    )


def render_diff_table(diff: ReportDiff) -> str:
    """Return the differences as text, one line an item."""
    if not diff.entries:
        return f"No differences in {diff.unchanged} items.\n"
    rows = [
        (
            str(entry.kind),
            entry.item.name,
            _severities(entry),
            _recommended(entry.before, entry.after, "request"),
            _recommended(entry.before, entry.after, "limit"),
        )
        for entry in diff.entries
    ]
    heads = ("DIFFERENCE", "WORKLOAD", "VERDICT", "RECOMMENDED REQUEST", "RECOMMENDED LIMIT")
    counts = {kind: sum(entry.kind is kind for entry in diff.entries) for kind in DiffKind}
    summary = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    return f"{grid(heads, rows)}\n{summary}, {diff.unchanged} unchanged\n"


def render_diff_json(diff: ReportDiff) -> str:
    """Return the differences as JSON, amounts in base units."""
    import orjson

    plain = {
        "schema": SCHEMA,
        "old_generated_s": diff.old_generated_s,
        "new_generated_s": diff.new_generated_s,
        "unchanged": diff.unchanged,
        "entries": [_plain(entry) for entry in diff.entries],
    }
    return orjson.dumps(plain, option=orjson.OPT_INDENT_2).decode() + "\n"


def _by_key(report: Report) -> dict[tuple[str, ...], Item]:
    return {(*item.identity.key, item.resource): item for item in report.items}


def _differ(first: Item, second: Item) -> bool:
    if (first.severity, first.verdict.code) != (second.severity, second.verdict.code):
        return True
    pairs = zip(_amounts(first).values(), _amounts(second).values(), strict=True)
    return any(_amount_differs(a, b) for a, b in pairs)


def _amount_differs(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is not second
    return abs(second - first) > LEAST_CHANGE_RATIO * abs(first)


def _amounts(item: Item) -> dict[str, float | None]:
    current, recommended = item.current, item.recommended
    if isinstance(current, CurrentSize) and isinstance(recommended, RecommendedSize):
        return {
            "current_request": current.request,
            "current_limit": current.limit,
            "recommended_request": recommended.request,
            "recommended_limit": recommended.limit,
        }
    return {
        "current_replicas": amount_of(current, "replicas"),
        "recommended_replicas": amount_of(recommended, "replicas"),
    }


def _plain(entry: DiffEntry) -> Mapping[str, object]:
    identity = entry.item.identity
    return {
        "kind": entry.kind,
        "namespace": identity.namespace,
        "workload": identity.workload,
        "gpu_model": identity.gpu_model,
        "resource": entry.item.resource,
        "is_worse": entry.is_worse,
        "before": _side(entry.before),
        "after": _side(entry.after),
    }


def _side(item: Item | None) -> Mapping[str, object] | None:
    if item is None:
        return None
    return {"severity": item.severity, "code": item.verdict.code, **_amounts(item)}


def _severities(entry: DiffEntry) -> str:
    sides: list[Severity] = [item.severity for item in (entry.before, entry.after) if item]
    return " -> ".join(dict.fromkeys(str(severity) for severity in sides))


def _recommended(before: Item | None, after: Item | None, side: str) -> str:
    item = after or before
    assert item is not None
    first = amount_of(before.recommended, side) if before is not None else None
    second = amount_of(after.recommended, side) if after is not None else None
    return change_text(item.resource, first, second)
