"""The histories that real servers are filled with.

The small one has every trouble and is what answers are compared with; the large one is plain and
for benchmarks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.components.worker_metrics import (
    COMPUTE_PERCENT,
    EFFECTIVE_SHARE,
    MEMORY_BYTES,
    TFLOPS,
    TFLOPS_LIMIT,
    TFLOPS_REQUEST,
    THROTTLED_SECONDS,
    VRAM_DENIED,
    VRAM_LIMIT,
    VRAM_REQUEST,
    WorkerMetric,
)
from tests.components.worker_series import (
    Formula,
    History,
    Worker,
    at,
    constant,
    daily,
    worker_labels,
)

START_S = 1_772_323_200
"""2026-03-01T00:00:00Z."""
DAY_S, HOUR_S = 86_400, 3_600
STEP_S, STEP_MS = 30, 30_000
END_S = START_S + 54 * HOUR_S
GIB = 2.0**30
CARD_TFLOPS = 989.4

RESTART_S = START_S + 36 * HOUR_S
"""When the agent of the throttled worker starts again, so that its counters do."""
REPLACED_S = START_S + 30 * HOUR_S + 300
"""When one notebook ends and the next begins."""
GAP_S = (START_S + 20 * HOUR_S, START_S + 23 * HOUR_S)
"""When the worker of ``embed`` is not scraped."""
SPIKE_S = START_S + 40 * HOUR_S + 17 * 60 + STEP_S
"""The only sample that shows the VRAM peak of ``embed``."""
ODD_POOL = 'a "quoted" \\ pool'
"""A label value with all that has to be escaped in a query."""

MEASURED = (
    TFLOPS,
    COMPUTE_PERCENT,
    MEMORY_BYTES,
    EFFECTIVE_SHARE,
    TFLOPS_REQUEST,
    TFLOPS_LIMIT,
    VRAM_REQUEST,
    VRAM_LIMIT,
    THROTTLED_SECONDS,
    VRAM_DENIED,
)


def small_history() -> History:
    """Return seven workers over two days and a quarter, scraped every 30 s.

    Among them: a scrape exactly on the minute and one two milliseconds before it, counters that
    start again, a worker that follows another, a gap, NaN, an infinity, a peak of one sample, and
    a label value that needs escaping.
    """
    return History(
        workers=(
            _worker(
                worker_labels("serving", "chat", "chat-0", qos="high"), daily(300.0, 200.0), 4_321
            ),
            _worker(
                worker_labels("serving", "chat", "chat-1", node="node-2"), daily(280.0, 180.0), 0
            ),
            _worker(
                worker_labels("serving", "translate", "translate-0"), daily(90.0, 60.0), STEP_MS - 2
            ),
            _embed(),
            _train(),
            _worker(
                worker_labels("lab", "notebook", "notebook-a", pool=ODD_POOL),
                constant(12.5),
                1_500,
                lives_s=(START_S, REPLACED_S),
            ),
            _worker(
                worker_labels("lab", "notebook", "notebook-b", pool=ODD_POOL),
                constant(15.0),
                1_750,
                lives_s=(REPLACED_S, END_S),
            ),
        ),
        metrics=MEASURED,
        start_s=START_S,
        end_s=END_S,
        step_s=STEP_S,
    )


def large_history(
    metrics: tuple[WorkerMetric, ...] = (TFLOPS, MEMORY_BYTES),
    *,
    workloads: int = 50,
    workers_each: int = 10,
    days: int = 14,
    step_s: int = 60,
) -> History:
    """Return a plain fleet: every workload with a wave and noise of its own."""
    rng = np.random.default_rng(7)
    workers = tuple(
        Worker(
            labels=worker_labels(
                f"team-{w % 10}", f"workload-{w:03d}", f"workload-{w:03d}-{k}", node=f"node-{w}"
            ),
            formulas={
                TFLOPS.name: _noisy(daily(mean, 0.6 * mean), rng, 0.05 * mean),
                COMPUTE_PERCENT.name: _noisy(daily(40.0, 20.0), rng, 2.0),
                MEMORY_BYTES.name: _bytes(daily(24.0 * GIB, 6.0 * GIB)),
                EFFECTIVE_SHARE.name: constant(60.0),
                THROTTLED_SECONDS.name: constant(0.01),
                VRAM_DENIED.name: constant(0.0),
            },
        )
        for w in range(workloads)
        for mean in (rng.uniform(20.0, 400.0),)
        for k in range(workers_each)
    )
    return History(
        workers=workers,
        metrics=metrics,
        start_s=START_S,
        end_s=START_S + days * DAY_S,
        step_s=step_s,
    )


def _worker(
    labels: dict[str, str],
    tflops: Formula,
    phase_ms: int,
    *,
    others: dict[str, Formula] | None = None,
    lives_s: tuple[int, int] | None = None,
    gaps_s: tuple[tuple[int, int], ...] = (),
    restarts_s: tuple[int, ...] = (),
) -> Worker:
    return Worker(
        labels=labels,
        formulas={
            TFLOPS.name: tflops,
            COMPUTE_PERCENT.name: lambda t_s: np.round(100.0 * tflops(t_s) / CARD_TFLOPS, 3),
            MEMORY_BYTES.name: _bytes(daily(20.0 * GIB, 2.0 * GIB)),
            EFFECTIVE_SHARE.name: constant(60.0),
            TFLOPS_REQUEST.name: constant(200.0),
            TFLOPS_LIMIT.name: constant(600.0),
            VRAM_REQUEST.name: constant(24.0 * GIB),
            VRAM_LIMIT.name: constant(32.0 * GIB),
            THROTTLED_SECONDS.name: constant(0.0),
            VRAM_DENIED.name: constant(0.0),
            **(others or {}),
        },
        phase_ms=phase_ms,
        lives_s=lives_s,
        gaps_s=gaps_s,
        restarts_s=restarts_s,
    )


def _embed() -> Worker:
    """Return the worker whose measurement is bad now and then."""
    nan_s, infinite_s = START_S + 6 * HOUR_S, START_S + 7 * HOUR_S
    return _worker(
        worker_labels("serving", "embed", "embed-0", gpu_model="NVIDIA A10"),
        at(daily(40.0, 10.0), {nan_s: np.nan}, within_s=600),
        11_250,
        others={
            COMPUTE_PERCENT.name: at(constant(25.0), {infinite_s: np.inf}, within_s=60),
            MEMORY_BYTES.name: at(
                _bytes(constant(8.0 * GIB)), {SPIKE_S: 14.0 * GIB}, within_s=STEP_S
            ),
        },
        gaps_s=(GAP_S,),
    )


def _train() -> Worker:
    """Return the worker that waits for half of each night and is refused memory twice an hour."""
    return _worker(
        worker_labels("batch", "train", "train-0", qos="low"),
        constant(600.0),
        29_000,
        others={
            THROTTLED_SECONDS.name: lambda t_s: np.where(t_s % DAY_S < 6 * HOUR_S, 0.5, 0.002),
            VRAM_DENIED.name: lambda t_s: np.where(t_s % HOUR_S < STEP_S, 2.0 / STEP_S, 0.0),
        },
        restarts_s=(RESTART_S,),
    )


def _bytes(formula: Formula) -> Formula:
    """Return a formula whose values are whole bytes."""
    return lambda t_s: np.round(formula(t_s))


def _noisy(formula: Formula, rng: np.random.Generator, deviation: float) -> Formula:
    """Return a formula with noise on top, the same at every call, never below zero."""
    seed = int(rng.integers(2**32))

    def noisy(t_s: NDArray[np.float64]) -> NDArray[np.float64]:
        noise = np.random.default_rng(seed).normal(0.0, deviation, len(t_s))
        values: NDArray[np.float64] = np.maximum(formula(t_s) + noise, 0.1)
        return values.round(3)

    return noisy
