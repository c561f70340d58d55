"""What an expert answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.observation import Floats

LEAST_SPREAD = 0.02
"""Of the usual level: errors of a series that never moves are measured in something, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an expert expects, ``[S]``; NaN where it knows nothing."""

    value: Floats
    spread: Floats
    """What its errors are measured in: they are alike in units of it, or it would say little."""


def expected(value: Floats, spread: Floats, scale: Floats) -> Expected:
    """Return both, with a spread that is never 0."""
    return Expected(value=value, spread=np.maximum(spread, LEAST_SPREAD * scale))
