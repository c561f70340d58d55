"""Scores of two policies side by side: which rows belong together, and which side is better."""

from __future__ import annotations

from autoscaler.cli.backtest_rows import ALL, ScoreRow, score_rows
from recommender.backtest.comparison import Better, Comparison, better

Pair = tuple[ScoreRow, ScoreRow]
Pairs = dict[tuple[str, str, str], Pair]
"""By layer, resource and name."""


def paired(comparison: Comparison) -> Pairs:
    """Return all rows that both policies have."""
    first, second = (
        {row.key: row for row in score_rows(result, has_workloads=True)}
        for result in (comparison.first, comparison.second)
    )
    return {key: (row, second[key]) for key, row in first.items() if key in second}


def better_of(pair: Pair) -> Better | None:
    """Return which is better: by loss; as a whole by cost, where that is known, else by GPUs."""
    if pair[0].layer != ALL:
        values = [row.loss_hours for row in pair]
    elif pair[0].cost is not None and not pair[0].unpriced_workloads:
        values = [row.cost for row in pair]
    else:
        values = [row.allocated_hours for row in pair]
    first, second = values
    return None if first is None or second is None else better(first, second)


def not_compared(comparison: Comparison, pairs: Pairs) -> list[str]:
    """Return the workloads for which one of the policies never has an amount."""
    compared = {name for layer, _, name in pairs if layer != ALL}
    names = ["/".join(key) for key in comparison.first.workloads]
    return [name for name in names if name not in compared]
