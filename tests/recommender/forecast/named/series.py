"""Generated use of one workload, in blocks."""

import numpy as np

DAY = 96


def daily(days=6, *, seed=0, noise=0.5, level=20.0, swing=8.0, block_count=DAY, trend_per_day=0.0):
    """Return a day's wave with noise, ``[T]``, never below 0."""
    at = np.arange(days * block_count)
    wave = level + swing * np.sin(2 * np.pi * at / block_count) + trend_per_day * at / block_count
    return np.maximum(wave + np.random.default_rng(seed).normal(0, noise, len(at)), 0.0)


def with_gaps(series, share=0.2, *, seed=1):
    """Return the series with blocks missing at random."""
    lost = np.random.default_rng(seed).random(len(series)) < share
    return np.where(lost, np.nan, series)
