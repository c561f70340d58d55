"""Two policies on the same usage as a table, Markdown, JSON or CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from autoscaler.cli.backtest_comparison_records import (
    COLUMNS,
    MOST_MOVERS,
    document,
    flat,
    notes_of,
)
from autoscaler.cli.backtest_pairs import Pair, Pairs, better_of, not_compared, paired
from autoscaler.cli.backtest_policies import STATED, ComparedPolicy
from autoscaler.cli.backtest_rows import ALL, GPU
from autoscaler.cli.score_table import (
    csv_text,
    headline,
    json_text,
    laid_out,
    lines_of,
    money,
    nothing_to_judge,
    plain,
    share,
    unpriced,
)
from recommender.backtest.comparison import Better, Comparison, Mover
from recommender.sentences import counted, percent

if TYPE_CHECKING:
    from autoscaler.cli.backtest import ScoreFormat

HEADS = (
    "LAYER",
    "RESOURCE",
    "WORKLOAD",
    "ALLOCATED",
    "SLACK",
    "VIOLATED",
    "MINUTES",
    "CHANGES",
    "COST",
    "BETTER",
)
MOVER_HEADS = ("WORKLOAD", "LOSS", "MOST IN", "ALLOCATED", "MINUTES", "COST")
MOST_NAMED = 5
EXPLANATION = (
    "Each cell: A -> B, over the time in which both have an amount. BETTER has the smaller loss: "
    "too\nlittle and too much, weighed for 95 % of time covered by requests, 99 % by limits and "
    "replicas,\n99.9 % by VRAM (pinball loss); of gpu, the smaller cost, or fewer hours where "
    "prices are not\nknown. LOSS: its change as a share of the fleet's use, layers and resources "
    "added up\n"
)


def render_comparison(
    comparison: Comparison,
    policies: Sequence[ComparedPolicy],
    output: ScoreFormat,
    *,
    currency: str,
    has_workloads: bool,
) -> str:
    """Return a comparison in one format."""
    every = paired(comparison)
    pairs = [pair for pair in every.values() if has_workloads or pair[0].workload is None]
    names = comparison.first.name, comparison.second.name
    if output == "json":
        return json_text(document(comparison, policies, every, pairs, currency))
    if output == "csv":
        return csv_text(COLUMNS, [flat(pair, names) for pair in pairs])
    legend = "".join(
        f"{letter}  {policy.name}: {policy.meaning}\n"
        for letter, policy in zip("AB", policies, strict=True)
    )
    head = f"{headline(comparison.first)}\n\n{legend}\n"
    if not pairs:
        return f"{head}{_nothing(comparison)}\n"
    table = laid_out(HEADS, [_cells(pair, currency) for pair in pairs], output)
    parts = [f"{head}{table}", *_movers(comparison, every, output, currency)]
    notes = EXPLANATION + _left_out(comparison, every) + unpriced(pair[0] for pair in pairs)
    notes += lines_of(notes_of(comparison))
    return "\n".join([*parts, f"{_verdict(comparison, names)}\n", notes])


def _cells(pair: Pair, currency: str) -> tuple[str, ...]:
    first = pair[0]
    return (
        first.layer,
        first.resource,
        first.name,
        f"{_both(*(plain(row.allocated_hours) for row in pair))} {first.unit}",
        _both(*(share(row.slack_ratio) for row in pair)),
        _both(*(share(row.violated_share) for row in pair)),
        _both(*(plain(row.violated_minutes) for row in pair)),
        _both(*(plain(row.changes_per_day) for row in pair)),
        _both(*(money(row.cost, currency) for row in pair)),
        _better_text(better_of(pair), ("A", "B")),
    )


def _both(before: str, after: str) -> str:
    """Return both sides, or one where they are the same."""
    return before if before == after else f"{before} -> {after}"


def _better_text(found: Better | None, names: tuple[str, str]) -> str:
    if found is None:
        return "-"
    if found.which is None:
        return "same"
    return f"{names[found.which]} by {share(found.by_ratio)}"


def _movers(
    comparison: Comparison,
    pairs: Pairs,
    output: ScoreFormat,
    currency: str,
) -> Iterator[str]:
    gaining, losing = comparison.movers(MOST_MOVERS)
    for title, movers in (("Would gain most with B", gaining), ("Would lose most with B", losing)):
        if movers:
            cells = [_mover_cells(mover, comparison, pairs, currency) for mover in movers]
            gap = "\n" if output == "md" else ""
            yield f"{title}\n{gap}{laid_out(MOVER_HEADS, cells, output)}"


def _mover_cells(
    mover: Mover,
    comparison: Comparison,
    pairs: Pairs,
    currency: str,
) -> tuple[str, ...]:
    name = "/".join(comparison.first.workloads[mover.row])
    layer = mover.layer.name.lower()
    resource = comparison.resource_name(mover.layer, mover.resource)
    first, second = pairs[layer, resource, name]
    costs = pairs.get((ALL, GPU, name))
    return (
        name,
        percent(mover.share, signed=True),
        f"{layer} {resource}",
        f"{_both(plain(first.allocated_hours), plain(second.allocated_hours))} {first.unit}",
        _both(plain(first.violated_minutes), plain(second.violated_minutes)),
        "-" if costs is None else _both(*(money(row.cost, currency) for row in costs)),
    )


def _left_out(comparison: Comparison, pairs: Pairs) -> str:
    names = not_compared(comparison, pairs)
    if not names:
        return ""
    some = ", ".join(names[:MOST_NAMED]) + (" and more" if len(names) > MOST_NAMED else "")
    left_out = counted(len(names), "workload")
    return f"Not compared: {left_out} of which one policy knows no amount ({some})\n"


def _nothing(comparison: Comparison) -> str:
    names = comparison.first.name, comparison.second.name
    needs = ["amounts in the workloads file (--compare stated)"] if STATED in names else []
    return nothing_to_judge(comparison.first, needs)


def _verdict(comparison: Comparison, names: tuple[str, str]) -> str:
    found = comparison.overall()
    if found is None:
        return "No layer was compared."
    if found.which is None:
        return "Overall the policies do not differ."
    return (
        f"Overall {names[found.which]} is better: its loss is {share(found.by_ratio)} smaller, "
        "each layer and resource weighing the same."
    )
