"""What is hard to size in the demonstration fleet: jobs, idle notebooks, leaks, gaps, a trap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.simulate.demo_declaring import A100, L40S, serving, workload_of
from autoscaler.simulate.families import (
    HOUR_S,
    BatchTraining,
    ColdStarts,
    GrowingVram,
    Idle,
    Planned,
    WithGaps,
)
from recommender.resources import GIB

if TYPE_CHECKING:
    from autoscaler.simulate.fleet import SimulatedWorkload

ROLL_BACK = ("platform", "ranker")
"""The workload whose load jumps just after its limit was lowered."""


def research() -> list[SimulatedWorkload]:
    """Training jobs, which keep a card busy, and notebooks, which hold VRAM and do nothing."""
    jobs = [
        ("finetune-a", 230.0, 58.0, (200, 300, 64, 76), 2),
        ("finetune-b", 150.0, 40.0, (250, 312, 70, 78), 1),
        ("distill", 95.0, 28.0, (120, 160, 36, 48), 1),
        ("evaluate", 40.0, 20.0, (100, 200, 40, 60), 1),
    ]
    workloads = [
        workload_of(
            f"research/{name}",
            BatchTraining(tflops=tflops, vram_bytes=vram * GIB),
            A100,
            amounts,
            kind="Job",
            qos="low",
            gpu_count=gpu_count,
        )
        for name, tflops, vram, amounts, gpu_count in jobs
    ]
    notebooks = [("ana", 9.0), ("bo", 4.0), ("chen", 14.0), ("dara", 2.0), ("eli", 6.0)]
    workloads += [
        workload_of(
            f"research/notebook-{name}",
            Idle(vram_bytes=vram * GIB),
            L40S,
            (40, 120, 16, 24),
            kind="StatefulSet",
            qos="low",
        )
        for name, vram in notebooks
    ]
    return workloads


def platform() -> list[SimulatedWorkload]:
    """Workloads that are hard to size."""
    return [
        workload_of("platform/ranker", Planned(points=_RANKER, noise_ratio=0.02), A100,
                  profile="platform/ranker"),
        workload_of("platform/vector-index",
                  GrowingVram(tflops=18.0, first_vram_bytes=9 * GIB, vram_bytes_per_day=3 * GIB),
                  L40S, (30, 60, 10, 12), auto={"auto-limits": "true", "auto-requests": "true"}),
        workload_of("platform/feature-cache",
                  GrowingVram(tflops=7.0, first_vram_bytes=5 * GIB, vram_bytes_per_day=GIB),
                  L40S, (20, 40, 10, 14)),
        workload_of("platform/gateway", serving(60.0, 2, 30.0), A100, (80, 120, 54, 60), 2,
                  opaque_share=0.88, startup_s=180, auto={"auto-limits": "true"}),
        workload_of("platform/playground", serving(15.0, 1, 30.0), A100, (60, 120, 36, 40),
                  opaque_share=0.88, startup_s=180),
        workload_of("platform/preview",
                  ColdStarts(load=serving(24.0, 2, 14.0), every_s=5 * HOUR_S), A100,
                  (50, 80, 18, 24), 2, startup_s=240),
        workload_of("platform/canary", ColdStarts(load=serving(12.0, 1, 10.0)), A100,
                  (30, 60, 14, 20), startup_s=300, auto={"auto-requests": "true"}),
        workload_of("platform/edge", WithGaps(load=serving(28.0, 2, 9.0)), A100,
                  (50, 90, 14, 18), 2, auto={"auto-limits": "true"}),
        workload_of("platform/telemetry", WithGaps(load=serving(8.0, 1, 5.0), gaps_per_day=14.0),
                  L40S, (20, 40, 8, 12)),
        workload_of("platform/guard", serving(20.0, 2, 7.0), L40S, (30, 50, 10, 14), 2,
                  qos="high", auto={"auto-requests": "true", "auto-limits": "true"}),
    ]  # fmt: skip


_JUMP_S = 27 * HOUR_S + 600
_RANKER = (
    (0, 8.0, 9.0),
    (2 * HOUR_S, 115.0, 10.0),
    (3 * HOUR_S, 8.0, 9.0),
    (_JUMP_S, 62.0, 10.0),
    *((_JUMP_S + 60 * minute, 62.0 + 3.0 * (minute - 2), 10.0) for minute in range(3, 10)),
    (30 * HOUR_S, 8.0, 9.0),
)
"""A busy hour holds the limit up for a day.  When it is forgotten the limit falls; minutes later
the load jumps and goes on rising: minutes at the limit follow a decrease, which is rolled back."""
