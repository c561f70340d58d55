"""The report as a table for a terminal, most urgent first as the items come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recommender.report.blocks import Severity
from recommender.report.forecast_wording import forecasts_summary
from recommender.report.grouping import grouped, lacks_statement
from recommender.report.model import Item, Report
from recommender.report.options import RenderOptions
from recommender.report.select import Visible, visible
from recommender.report.textgrid import GAP, line, shortened
from recommender.report.wording import headline, item_change, saving_text
from recommender.sentences import counted

LEAST_NAME_WIDTH = 24
_COLORS = {
    Severity.CRITICAL: "\x1b[1;31m",
    Severity.WARNING: "\x1b[33m",
    Severity.SAVING: "\x1b[32m",
    Severity.UNKNOWN: "\x1b[35m",
}
_RESET = "\x1b[0m"


@dataclass(frozen=True, slots=True)
class _Column:
    head: str
    cell: Callable[[Item], str]
    priority: int
    """Columns with the highest number are left out first; 0 is never left out."""


def _main_change(item: Item) -> str:
    request = item_change(item, "request")
    if item.limit_change_ratio and not item.change_ratio:
        return f"limit {item_change(item, 'limit')}"
    return request


_COLUMNS = (
    _Column("SEVERITY", lambda item: str(item.severity), 0),
    _Column("WORKLOAD", lambda item: item.name, 0),
    _Column("REQUEST", lambda item: item_change(item, "request"), 0),
    _Column("LIMIT", lambda item: item_change(item, "limit"), 3),
    _Column("CONF", lambda item: item.confidence.grade, 1),
    _Column("SAVING", lambda item: saving_text(item.money), 2),
    _Column("POOL", lambda item: item.identity.pool or "-", 5),
    _Column("REASON", lambda item: item.verdict.sentence, 4),
)
_NAME = 1
_CHANGE = _Column("CHANGE", _main_change, 0)
"""Takes the place of the request where there is no room for the limit."""


def render_table(report: Report, options: RenderOptions | None = None) -> str:
    """Return the table and what it leaves out, followed by the totals.

    At ``options.width`` characters columns are left out from the least important, and a long name
    is shortened in its middle; a number is never cut.
    """
    options = options or RenderOptions()
    shown = visible(report.items, include_ok=options.include_ok, limit=options.limit)
    columns = _columns(shown.items, options)
    widths = [
        max(len(column.head), *(len(column.cell(item)) for item in shown.items), 0)
        for column in columns
    ]
    if not options.is_wide:
        rest = options.width - sum(widths) + widths[_NAME] - len(GAP) * (len(widths) - 1)
        widths[_NAME] = min(widths[_NAME], max(LEAST_NAME_WIDTH, rest))
    lines = []
    if shown.items:
        lines.append(line([column.head for column in columns], widths))
    for title, items in grouped(shown.items, options.group_by):
        lines += ["", title] if title else []
        lines += [_row(item, columns, widths, has_color=options.has_color) for item in items]
    lines += ["", *_summary(report, shown, columns)]
    return "\n".join(lines).lstrip("\n") + "\n"


def _columns(items: Sequence[Item], options: RenderOptions) -> list[_Column]:
    columns = list(_COLUMNS)
    if all(saving_text(item.money) == "-" for item in items):
        columns = [column for column in columns if column.head != "SAVING"]
    if all(item.identity.pool is None for item in items):
        columns = [column for column in columns if column.head != "POOL"]
    while not options.is_wide and _least_width(columns, items) > options.width:
        dropped = max(columns, key=lambda column: column.priority)
        if dropped.priority == 0:
            break
        columns.remove(dropped)
        if dropped.head == "LIMIT":
            columns = [_CHANGE if column.head == "REQUEST" else column for column in columns]
    return columns


def _least_width(columns: Sequence[_Column], items: Sequence[Item]) -> int:
    total = len(GAP) * (len(columns) - 1)
    for i, column in enumerate(columns):
        width = max(len(column.head), *(len(column.cell(item)) for item in items), 0)
        total += min(width, LEAST_NAME_WIDTH) if i == _NAME else width
    return total


def _row(item: Item, columns: Sequence[_Column], widths: Sequence[int], *, has_color: bool) -> str:
    cells = [column.cell(item) for column in columns]
    cells[_NAME] = shortened(cells[_NAME], widths[_NAME])
    text = line(cells, widths)
    color = _COLORS.get(item.severity) if has_color else None
    if color is None:
        return text
    word = str(item.severity)
    return f"{color}{word}{_RESET}{text[len(word) :]}"


def _summary(report: Report, shown: Visible, columns: Sequence[_Column]) -> list[str]:
    totals = report.meta.totals
    counts = [f"{n} {name}" for name, n in totals.severities.items() if n]
    lines = [f"{counted(totals.workloads, 'workload')}: {', '.join(counts) or 'no items'}"]
    if shown.hidden_ok:
        are = "item is" if shown.hidden_ok == 1 else "items are"
        lines.append(f"{shown.hidden_ok} OK {are} hidden (--include-ok shows them)")
    if shown.beyond_limit:
        are = "item is" if shown.beyond_limit == 1 else "items are"
        lines.append(f"{shown.beyond_limit} further {are} not shown (--limit)")
    unknown = Counter(
        (item.severity, item.verdict.sentence)
        for item in shown.items
        if item.severity is Severity.UNKNOWN or lacks_statement(item)
    )
    lines += [f"{n} {severity}: {reason}" for (severity, reason), n in unknown.most_common()]
    left_out = [column.head for column in _COLUMNS if column.head not in _heads(columns)]
    wide_only = [head for head in left_out if head in {"LIMIT", "CONF", "REASON"}]
    if shown.items and wide_only:
        lines.append(f"columns left out for the width: {', '.join(wide_only)} (--wide shows them)")
    whole = headline(totals, report.meta.currency)
    lines += [text for text in (whole, forecasts_summary(report.items)) if text]
    lines += [f"note: {note}" for note in report.meta.notes]
    return lines + [f"failed: {_error_text(report, i)}" for i in range(len(report.errors))]


def _heads(columns: Sequence[_Column]) -> set[str]:
    return {column.head for column in columns}


def _error_text(report: Report, i: int) -> str:
    error = report.errors[i]
    where = "/".join(part for part in (error.namespace, error.workload) if part)
    return f"{where}: {error.message}" if where else error.message
