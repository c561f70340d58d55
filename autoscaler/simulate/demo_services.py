"""Services of the demonstration fleet: the ways to enrol, beside many that only get a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.simulate.demo_declaring import A100, L40S, serving, workload_of
from autoscaler.simulate.families import HOUR_S, Bursty, Planned
from recommender.resources import GIB

if TYPE_CHECKING:
    from autoscaler.simulate.fleet import SimulatedWorkload

BURST_HOUR = 34
"""Hour from the start in which two workloads burst at stated times."""
BURSTS_S = (BURST_HOUR * HOUR_S + 600, BURST_HOUR * HOUR_S + 2400)
_AUTO = {"auto-requests": "true", "auto-limits": "true", "auto-replicas": "true"}


def chat() -> list[SimulatedWorkload]:
    """LLM services: each annotation alone, all together, and ten that only get a report."""
    enrolled = [
        ("assistant", _AUTO, 3, 55.0, 22.0),
        ("summaries", {"auto-requests": "true"}, 4, 30.0, 17.0),
        ("translate", {"auto-limits": "true"}, 3, 40.0, 15.0),
        ("support", {"auto-replicas": "true"}, 4, 45.0, 18.0),
    ]
    workloads = [
        workload_of(
            f"chat/{name}",
            serving(tflops, replicas, vram_gib),
            A100,
            (80, 120, 28, 40),
            replicas,
            auto=auto,
            qos="high",
        )
        for name, auto, replicas, tflops, vram_gib in enrolled
    ]
    reported = [
        # name, replicas, TFLOPS per worker by day, VRAM, stated amounts, hour of the peak
        ("moderation", 4, 14.0, 6.0, (40, 80, 16, 20), 13.0),
        ("drafting", 3, 35.0, 19.0, (90, 120, 32, 40), 14.0),
        ("rewrite", 2, 52.0, 24.0, (48, 60, 24, 28), 15.0),
        ("voice", 3, 22.0, 9.0, (60, 90, 16, 24), 11.0),
        ("captions", 2, 12.0, 8.0, (40, 60, 20, 24), 20.0),
        ("agents", 4, 66.0, 29.0, (60, 70, 28, 32), 16.0),
        ("memory", 2, 6.0, 5.0, (30, 60, 12, 16), 14.0),
        ("tutor", 3, 25.0, 15.0, (50, 100, 20, 30), 18.0),
        ("onboarding", 2, 4.0, 14.0, (40, 80, 20, 30), 10.0),
        ("coding", 4, 70.0, 34.0, (100, 150, 38, 44), 15.0),
    ]
    workloads += [
        workload_of(f"chat/{name}", serving(tflops, replicas, vram, hour), A100, amounts, replicas)
        for name, replicas, tflops, vram, amounts, hour in reported
    ]
    return workloads


def search() -> list[SimulatedWorkload]:
    """Bursty services: first-generation profiles, and two bursts at stated times."""
    workloads = [
        workload_of(
            "search/embedding",
            Bursty(base_tflops=24.0, burst_tflops=130.0, vram_bytes=6 * GIB,
                   stated_bursts_s=BURSTS_S),
            L40S,
            replicas=3,
            profile="search/embedding",
        ),
        workload_of(
            "search/rerank",
            Bursty(base_tflops=45.0, burst_tflops=190.0, vram_bytes=8 * GIB, bursts_per_day=10.0,
                   burst_s=1500, stated_bursts_s=BURSTS_S),
            L40S,
            profile="search/rerank",
        ),
    ]  # fmt: skip
    reported = [
        ("suggest", 2, 5.0, 30.0, 4.0, (20, 40, 6, 8)),
        ("spelling", 2, 3.0, 12.0, 3.0, (20, 40, 6, 8)),
        ("images", 3, 15.0, 110.0, 9.0, (50, 80, 14, 18)),
        ("products", 3, 20.0, 90.0, 7.0, (40, 60, 10, 14)),
        ("trends", 1, 4.0, 60.0, 5.0, (25, 50, 8, 12)),
        ("similar", 2, 30.0, 75.0, 10.0, (60, 80, 14, 20)),
        ("queries", 3, 9.0, 40.0, 4.0, (30, 50, 8, 12)),
        ("answers", 2, 12.0, 85.0, 11.0, (40, 45, 12, 13)),
        ("ads", 4, 28.0, 120.0, 8.0, (50, 90, 12, 16)),
        ("news", 2, 6.0, 36.0, 5.0, (25, 40, 8, 10)),
    ]
    workloads += [
        workload_of(
            f"search/{name}",
            Bursty(base_tflops=base, burst_tflops=burst, vram_bytes=vram * GIB),
            L40S,
            amounts,
            replicas,
        )
        for name, replicas, base, burst, vram, amounts in reported
    ]
    return workloads


def vision() -> list[SimulatedWorkload]:
    """Streams: current-generation profiles, and a cron rule that lifts limits at night."""
    workloads = [
        workload_of("vision/detector", serving(42.0, 3, 11.0, 12.0), A100, replicas=3,
                  profile="vision/detector"),
        workload_of("vision/segmenter", serving(20.0, 2, 8.0, 12.0), A100, replicas=2,
                  profile="vision/segmenter"),
        workload_of("vision/nightly-index",
                  Planned(points=_nightly(), noise_ratio=0.05), A100, replicas=1,
                  auto={"auto-limits": "true"}, profile="vision/nightly"),
    ]  # fmt: skip
    reported = [
        ("faces", 3, 18.0, 7.0, (50, 80, 12, 16)),
        ("plates", 2, 9.0, 5.0, (40, 60, 10, 14)),
        ("shelves", 2, 26.0, 9.0, (60, 90, 16, 20)),
        ("quality", 2, 33.0, 12.0, (40, 60, 14, 18)),
        ("thumbnails", 3, 5.0, 3.0, (25, 40, 6, 8)),
        ("archive", 2, 2.0, 4.0, (20, 30, 8, 10)),
    ]
    workloads += [
        workload_of(
            f"vision/{name}", serving(tflops, replicas, vram, 12.0), A100, amounts, replicas
        )
        for name, replicas, tflops, vram, amounts in reported
    ]
    return workloads


def _nightly() -> tuple[tuple[int, float, float], ...]:
    """Return a quiet day and an index run from 01:00 to 02:40 UTC, for a week."""
    points = []
    for day in range(7):
        start_s = day * 24 * HOUR_S
        points += [
            (start_s, 6.0, 6.0),
            (start_s + HOUR_S, 130.0, 9.0),
            (start_s + 9600, 6.0, 6.0),
        ]
    return tuple(points)
