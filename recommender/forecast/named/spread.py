"""Forecasts of blocks from forecasts of steps: the mean, and how far blocks lie from it.

Quantiles have the shape of the errors that the model made on the blocks of its own past, in units
of the forecast's deviation, which grows with the horizon.  They are those of the fit: whoever
promises a share calibrates them.
"""

from __future__ import annotations

import numpy as np

from recommender.forecast.named.fits import Fitted, NotConvergedError
from recommender.forecast.named.steps import Steps
from recommender.observation import Floats

LEAST_ERRORS = 12


def of_blocks(
    steps: Steps, fitted: Fitted, horizon_blocks: int, levels: tuple[float, ...]
) -> tuple[Floats, Floats]:
    """Return mean ``[H]`` and quantiles ``[L, H]`` of the next blocks, never below 0.

    Raises ``NotConvergedError`` where the model knew too little of the past to tell its errors.
    """
    group = steps.blocks_a_step
    errors = _errors(steps, fitted)
    if len(errors) < LEAST_ERRORS:
        raise NotConvergedError
    mean = _between(fitted.mean, group)[:horizon_blocks]
    variance = np.repeat(fitted.variance, group)[:horizon_blocks]
    within = max(0.0, float(np.var(errors)) - float(fitted.variance[0]))
    deviation = np.sqrt(variance + within)
    typical = float(np.std(errors))
    shape = np.quantile(errors, levels) / typical if typical > 0 else np.zeros(len(levels))
    quantiles = mean + shape[:, None] * deviation
    return (
        np.maximum(mean, 0.0) * steps.scale,
        np.maximum(quantiles, 0.0) * steps.scale,
    )


def _errors(steps: Steps, fitted: Fitted) -> Floats:
    """Return how far the known blocks lay above what was expected of them."""
    group = steps.blocks_a_step
    expected = _between(fitted.past, group)
    errors = steps.blocks[len(steps.blocks) - len(expected) :] - expected
    return errors[~np.isnan(errors)]


def _between(values: Floats, group: int) -> Floats:
    """Return values of steps as values of blocks, on lines between the middles of the steps."""
    middle = np.arange(len(values)) * group + (group - 1) / 2
    return np.asarray(np.interp(np.arange(len(values) * group), middle, values), np.float64)
