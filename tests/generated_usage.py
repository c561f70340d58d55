"""Small frames of usage for tests: made by formulas, nothing recorded."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

START_S = 1_772_323_200
"""2026-03-01T00:00:00Z."""
MINUTE_S = 60
DAY_S = 86_400
GIB = float(2**30)


def minutes(count: int, step_s: int = MINUTE_S) -> np.ndarray:
    return START_S + step_s * np.arange(count, dtype=np.int64)


def series(series_id: str, resource: str, ts: np.ndarray, value: np.ndarray) -> pd.DataFrame:
    """Return rows of one series in the long form."""
    return pd.DataFrame({"series_id": series_id, "ts": ts, "resource": resource, "value": value})


def daily_tflops(
    count: int, *, base: float = 20.0, swing: float = 8.0, seed: int = 1
) -> np.ndarray:
    """Return a daily wave with noise, never negative."""
    noise = np.random.default_rng(seed).normal(0.0, 0.05 * base, count)
    phase = 2 * np.pi * np.arange(count) / 1440
    return np.maximum(base + swing * np.sin(phase) + noise, 0.1)


def workload(
    series_id: str,
    days: float = 3.0,
    *,
    base_tflops: float = 20.0,
    vram_bytes: float = 12 * GIB,
    seed: int = 1,
) -> pd.DataFrame:
    """Return TFLOPS and VRAM of one workload at one sample a minute."""
    count = int(days * 1440)
    ts = minutes(count)
    wobble = np.random.default_rng(seed + 100).uniform(0.95, 1.0, count)
    return pd.concat(
        [
            series(
                series_id,
                "tflops",
                ts,
                daily_tflops(count, base=base_tflops, swing=0.4 * base_tflops, seed=seed),
            ),
            series(series_id, "vram_bytes", ts, vram_bytes * wobble),
        ],
        ignore_index=True,
    )


def fleet(names: Sequence[str], days: float = 3.0) -> pd.DataFrame:
    """Return several workloads of different size."""
    frames = [
        workload(name, days, base_tflops=10.0 * (i + 1), vram_bytes=(4 + 4 * i) * GIB, seed=i)
        for i, name in enumerate(names)
    ]
    return pd.concat(frames, ignore_index=True)


def write_csv(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False)
    return path
