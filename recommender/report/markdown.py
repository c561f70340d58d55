"""Markdown for a comment on a change: short, most urgent first as the items come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recommender.report.forecast_wording import forecast_head, outcome_text
from recommender.report.grouping import grouped
from recommender.report.options import RenderOptions
from recommender.report.select import visible
from recommender.report.wording import UNSET_TEXT, headline, item_change, saving_text, utc
from recommender.sentences import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recommender.report.model import Item, Report

MOST_ROWS = 50


def render_markdown(report: Report, options: RenderOptions | None = None) -> str:
    """Return a heading, the counts, a table of at most 50 rows, and what is not shown."""
    options = options or RenderOptions()
    limit = MOST_ROWS if options.limit is None else min(options.limit, MOST_ROWS)
    shown = visible(report.items, include_ok=options.include_ok, limit=limit)
    totals, meta = report.meta.totals, report.meta
    counts = ", ".join(f"**{n} {name}**" for name, n in totals.severities.items() if n)
    lines = [
        "### GPU recommendations",
        "",
        f"{counted(totals.workloads, 'workload')}: {counts or 'no items'}.",
    ]
    whole = headline(totals, meta.currency)
    lines += ["", f"{whole[0].upper()}{whole[1:]}."] if whole else []
    for title, items in grouped(shown.items, options.group_by):
        lines += ["", f"#### {_escaped(title)}"] if title else []
        lines += ["", *_table(items, meta.currency)]
    lines += _forecasts(shown.items)
    lines += [""]
    if shown.beyond_limit:
        are = "item is" if shown.beyond_limit == 1 else "items are"
        lines.append(f"{shown.beyond_limit} further {are} not shown.  ")
    if shown.hidden_ok:
        are = "item is" if shown.hidden_ok == 1 else "items are"
        lines.append(f"{shown.hidden_ok} {are} OK and not shown.  ")
    points = [f"Note: {_escaped(note)}" for note in meta.notes]
    points += [f"Failed: {_escaped(error.message)}" for error in report.errors]
    lines += ["", *(f"- {point}" for point in points), ""] if points else []
    lines.append(f"_{utc(meta.generated_s)}, {_escaped(meta.source)}_")
    return "\n".join(lines) + "\n"


def _table(items: tuple[Item, ...], currency: str) -> list[str]:
    has_money = any(saving_text(item.money) != "-" for item in items)
    heads = ["Severity", "Workload", "Request", "Limit", "Confidence", "Why"]
    if has_money:
        heads.insert(5, f"Saving, {currency}/month")
    lines = [_line(heads), _line(["---"] * len(heads))]
    for item in items:
        cells = [
            str(item.severity),
            _escaped(item.name),
            _escaped(item_change(item, "request")),
            _escaped(item_change(item, "limit")),
            item.confidence.grade,
            _escaped(item.verdict.sentence),
        ]
        if has_money:
            cells.insert(5, saving_text(item.money))
        lines.append(_line(cells))
    return lines


def _forecasts(items: Sequence[Item]) -> list[str]:
    """Return how the forecasts of the shown items stand; nothing where none is asked for."""
    rows = [
        _line(
            [
                _escaped(f"{item.name} {item.resource}"),
                _escaped(forecast_head(forecast)),
                _escaped(forecast.sentence),
                _escaped(outcome_text(forecast)) or UNSET_TEXT,
            ]
        )
        for item in items
        for forecast in item.forecasts
    ]
    if not rows:
        return []
    heads = ["Workload", "Forecast", "Does it count", "Promised and realised"]
    return ["", "#### Forecasts", "", _line(heads), _line(["---"] * len(heads)), *rows]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Escape what would end a cell, start markup or notify somebody."""
    flat = " ".join(text.split())
    for mark in ("\\", "|", "`", "*", "_", "<", "[", "]"):
        flat = flat.replace(mark, f"\\{mark}")
    return flat.replace("@", "@\N{ZERO WIDTH SPACE}")
