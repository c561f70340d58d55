"""Small frames of usage for tests: made by formulas, nothing recorded."""

from __future__ import annotations

import numpy as np

from recommender.backtest.frame import UsageFrame
from recommender.resources import TFLOPS, Resource

MIDNIGHT_S = 20_000 * 86_400
MINUTE_S = 60
HOUR_S = 3600


def frame_of(
    values, *, resources: tuple[Resource, ...] = (TFLOPS,), step_s: int = MINUTE_S, series=None
) -> UsageFrame:
    """Return a frame of ``[R, S, T]`` (or, for one resource, ``[S, T]``) values."""
    grid = np.asarray(values, np.float32)
    grid = grid if grid.ndim == 3 else grid[None]
    names = series or [("team", f"w{i}", "0") for i in range(grid.shape[1])]
    return UsageFrame(
        series=tuple(names),
        resources=resources,
        values=grid,
        means=grid,
        t0_s=MIDNIGHT_S,
        step_s=step_s,
    )


def daily(series: int, hours: int, *, base: float = 20.0, step_s: int = MINUTE_S) -> np.ndarray:
    """Return a daily wave with a fixed ripple, ``[series, T]``; each series twice the last."""
    t = np.arange(hours * HOUR_S // step_s) * step_s
    wave = base * (1 + 0.5 * np.sin(2 * np.pi * t / 86_400) + 0.1 * np.sin(t / 97.0))
    return wave[None] * 2.0 ** np.arange(series)[:, None]
