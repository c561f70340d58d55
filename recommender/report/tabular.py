"""CSV: one row an item, numbers in base units, for spreadsheets and scripts.

Text that a spreadsheet would take for a formula is guarded by an apostrophe; numbers never are.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from recommender.report.blocks import CurrentReplicas, RecommendedReplicas

if TYPE_CHECKING:
    from recommender.report.model import Item, Report
    from recommender.report.options import RenderOptions

_FORMULA_STARTS = ("=", "+", "-", "@", "\t")
_EXACT_BELOW = 2.0**53

COLUMNS = (
    "namespace", "workload", "owner", "pool", "gpu_model", "qos", "gpu_count", "resource",
    "severity", "code", "sentence",
    "current_request", "current_limit", "recommended_request", "recommended_limit",
    "recommended_lower", "recommended_upper", "current_replicas", "recommended_replicas",
    "change_ratio", "limit_change_ratio", "confidence", "confidence_grade",
    "points", "span_s", "coverage_ratio", "p50", "p90", "p95", "p99", "highest", "mean",
    "at_limit_share", "denials", "current_per_hour", "recommended_per_hour", "saving_per_month",
    "freed_gpus",
)  # fmt: skip


def render_csv(report: Report, options: RenderOptions | None = None) -> str:
    """Return one header line and one line an item; null is an empty cell."""
    del options
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for item in report.items:
        cells = _cells(item)
        writer.writerow([_guarded(cells[name]) for name in COLUMNS])
    return text.getvalue()


def _cells(item: Item) -> dict[str, object]:
    identity, evidence, money = item.identity, item.evidence, item.money
    return {
        "namespace": identity.namespace,
        "workload": identity.workload,
        "owner": identity.owner,
        "pool": identity.pool,
        "gpu_model": identity.gpu_model,
        "qos": identity.qos,
        "gpu_count": identity.gpu_count,
        "resource": item.resource,
        "severity": item.severity,
        "code": item.verdict.code,
        "sentence": item.verdict.sentence,
        **_amounts(item),
        "change_ratio": item.change_ratio,
        "limit_change_ratio": item.limit_change_ratio,
        "confidence": item.confidence.value,
        "confidence_grade": item.confidence.grade,
        **{name: getattr(evidence, name) for name in _EVIDENCE},
        **{name: getattr(money, name, None) for name in COLUMNS[-4:]},
    }


_EVIDENCE = COLUMNS[COLUMNS.index("points") : COLUMNS.index("denials") + 1]


def _amounts(item: Item) -> dict[str, object]:
    current, recommended = item.current, item.recommended
    if isinstance(current, CurrentReplicas) or isinstance(recommended, RecommendedReplicas):
        return {
            **dict.fromkeys(COLUMNS[COLUMNS.index("current_request") :][:6]),
            "current_replicas": getattr(current, "replicas", None),
            "recommended_replicas": getattr(recommended, "replicas", None),
        }
    return {
        "current_request": current.request,
        "current_limit": current.limit,
        "recommended_request": recommended.request,
        "recommended_limit": recommended.limit,
        "recommended_lower": recommended.lower,
        "recommended_upper": recommended.upper,
        "current_replicas": None,
        "recommended_replicas": None,
    }


def _guarded(value: object) -> object:
    """Keep text on one line and harmless, and write whole numbers without a point."""
    if isinstance(value, str):
        flat = value.replace("\r", " ").replace("\n", " ")
        return f"'{flat}" if flat.startswith(_FORMULA_STARTS) else flat
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_BELOW:
        return int(value)
    return value
