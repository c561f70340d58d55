"""What a fleet costs in memory, counted from the arrays themselves."""

from __future__ import annotations

import numpy as np

from recommender.resources import TFLOPS, VRAM
from recommender.usage.checkpoint import _arrays
from recommender.usage.model import UsageModel

WORKLOADS, WORKERS_EACH = 2000, 2

WEEK_BLOCKS = 7 * 288
SATURATED = (288 + 4) + (7 * 24 + 1)
"""Blocks of a day and hours of a week, with a byte for their saturated minutes."""
PER_WORKLOAD_AND_RESOURCE = (
    WEEK_BLOCKS * (4 + 4)  # maximum and mean
    + SATURATED
    + 64  # saturated minutes of the last hour
    + 2 * (176 * 8 + 4 * 8)  # two histograms and their columns
    + 6 * 8  # first and last sample, points, step, loaded floor
)
COUNTS = (WEEK_BLOCKS * 2, 4 * 2)
"""Minutes of workers in each block: of compute of the week, of VRAM of the newest blocks."""
PER_WORKER_AND_RESOURCE = (
    64 * (4 + 1)  # recent samples and which were saturated
    + 2 * 64 * 4  # minute maxima and means
    + 3 * 8
    + 2 * 8
    + 1  # the last three samples
    + 2 * 8  # the open peak
    + 5 * 8
    + 1  # the plateau
)
PER_WORKLOAD, PER_WORKER = 16 * 8 + 8, 4 * 8


def test_a_fleet_takes_the_expected_bytes_per_row_and_no_more():
    model = UsageModel((TFLOPS, VRAM))
    rows = model.workload_rows([("team", f"w{i}", "") for i in range(WORKLOADS)])
    workers = model.worker_rows(np.repeat(rows, WORKERS_EACH), [f"{i}" for i in range(4000)])
    now_s = 1_700_006_400
    for resource in (0, 1):
        model.ingest(
            resource,
            np.repeat(workers, 4),
            np.tile(now_s + np.arange(0, 60, 15), len(workers)),
            np.ones(4 * len(workers)),
            now_s=now_s + 60,
            step_s=15,
        )
    model.advance(now_s + 300)
    held = sum(array.nbytes for _, array, _, _ in _arrays(model))
    per_workload = PER_WORKLOAD + 2 * PER_WORKLOAD_AND_RESOURCE + sum(COUNTS)
    per_worker = PER_WORKER + 2 * PER_WORKER_AND_RESOURCE
    labels_of_slots = 8 * (5 * WEEK_BLOCKS + 4 + 2 * SATURATED + 2 * 5 * 64)
    expected = WORKLOADS * per_workload + len(workers) * per_worker
    assert held == expected + labels_of_slots


def test_ten_thousand_workloads_of_four_workers_fit_into_600_megabytes():
    workloads = 10_000 * (PER_WORKLOAD + 2 * PER_WORKLOAD_AND_RESOURCE + sum(COUNTS))
    workers = 40_000 * (PER_WORKER + 2 * PER_WORKER_AND_RESOURCE)
    assert workloads + workers < 600e6
