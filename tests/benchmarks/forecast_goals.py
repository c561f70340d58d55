"""The goals of the forecasts that can be measured in minutes: slack at an equal share violated.

All tables are printed by ``forecast_tables``; limits take the better part of an hour.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.forecast_plugin import Forecasting
from tests.benchmarks.forecast_scores import KNOBS, geometric_mean, panels
from tests.benchmarks.replay_sweep import Benchmark
from tests.benchmarks.targets import Measured
from tests.traces import recorded_traces

GOALS = {"requests": (0.78, 0.60), "vram": (0.78, 0.74)}
"""Slack over that of ``TF*`` and of ``VPA*``, geometric mean over the panels."""
MOST_CHANGES = 40.0


def forecast_goals() -> Iterator[Measured]:
    """Replay recorded demand; nothing where there is none on this machine."""
    traces = recorded_traces()
    if traces is None:
        return
    bench = Benchmark(traces)
    for kind, goals in GOALS.items():
        found = [
            panel.scored(panel.replayed(KNOBS[kind], Forecasting)) for panel in panels(bench, kind)
        ]
        for reference, goal in zip(found[0].references, goals, strict=True):
            yield Measured(
                what=f"forecasts of {kind}: slack to that of {reference}",
                value=geometric_mean([score.ratio(reference) for score in found]),
                unit="x",
                target=goal,
            )
        yield Measured(
            what=f"forecasts of {kind}: changes of the liveliest panel",
            value=max(score.changes for score in found),
            unit="a day",
            target=MOST_CHANGES,
        )
