"""The demonstration fleet: five teams, two pools, the ways to enrol, and things that go wrong.

Declarations are such as people write: requests are guesses, mostly too high, sometimes too low.
Most workloads are recommend-only.  ``chat`` shows the three annotations alone and together,
``search`` first-generation profiles, ``vision`` current ones and a cron rule, ``research`` jobs and
notebooks, ``platform`` what is hard: growing VRAM, an opaque allocator, cold starts, gaps, and a
workload whose load jumps just after its limit was lowered, so that the change is rolled back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.simulate.declaring import declared
from autoscaler.simulate.demo_profiles import PROFILES
from autoscaler.simulate.families import (
    HOUR_S,
    BatchTraining,
    Bursty,
    ColdStarts,
    DiurnalServing,
    GrowingVram,
    Idle,
    Load,
    Planned,
    WithGaps,
)
from autoscaler.simulate.fleet import CardGroup, Fleet
from recommender.resources import GIB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscaler.simulate.fleet import SimulatedWorkload

A100 = ("serving", "A100")
L40S = ("shared", "L40S")
BURST_HOUR = 34
"""Hour from the start in which two workloads burst at stated times: ticked every 15 s."""
ROLL_BACK = ("platform", "ranker")

_BURSTS_S = (BURST_HOUR * HOUR_S + 600, BURST_HOUR * HOUR_S + 2400)
_AUTO = {"auto-requests": "true", "auto-limits": "true", "auto-replicas": "true"}


def demo_fleet() -> Fleet:
    """Return the fleet of ``tfa simulate --demo``."""
    return Fleet(
        cards=(
            CardGroup(pool="serving", gpu_model="A100", count=48, price_per_gpu_hour=2.2),
            CardGroup(pool="shared", gpu_model="L40S", count=32, price_per_gpu_hour=0.95),
        ),
        workloads=(*_chat(), *_search(), *_vision(), *_research(), *_platform()),
    )


def _workload(
    name: str,
    load: Load,
    on: tuple[str, str],
    amounts: tuple[int, int, int, int] | None = None,
    replicas: int = 1,
    *,
    auto: Mapping[str, str] | None = None,
    profile: str = "",
    kind: str = "Deployment",
    qos: str = "medium",
    gpu_count: int = 1,
    startup_s: int = 90,
    opaque_share: float | None = None,
) -> SimulatedWorkload:
    """Declare a workload; ``amounts`` are TFLOPS request and limit, VRAM request and limit in GiB.

    Without amounts they come from the profile.
    """
    annotations = {"gpu-model": on[1], "qos": qos, "gpu-count": str(gpu_count), **(auto or {})}
    if amounts is not None:
        annotations |= {
            "tflops-request": str(amounts[0]),
            "tflops-limit": str(amounts[1]),
            "vram-request": f"{amounts[2]}Gi",
            "vram-limit": f"{amounts[3]}Gi",
        }
    if kind == "Deployment":
        annotations["replicas"] = str(replicas)
    if profile:
        annotations["workload-profile"] = profile.rpartition("/")[2]
    return declared(
        name,
        load,
        pool=on[0],
        gpu_model=on[1],
        annotations=annotations,
        profile=PROFILES[profile] if profile else None,
        profile_name=profile,
        kind=kind,
        is_shared_load=kind == "Deployment",
        startup_s=startup_s,
        opaque_share=opaque_share,
    )


def _serving(
    per_worker_tflops: float, replicas: int, vram_gib: float, peak_hour: float = 14.0
) -> DiurnalServing:
    """Return the load of an LLM service whose workers reach so much by day."""
    return DiurnalServing(
        night_tflops=0.15 * per_worker_tflops * replicas,
        day_tflops=per_worker_tflops * replicas,
        weights_bytes=0.8 * vram_gib * GIB,
        cache_bytes=0.2 * vram_gib * GIB,
        peak_hour=peak_hour,
    )


def _chat() -> list[SimulatedWorkload]:
    """LLM services: each annotation alone, all together, and ten that only get a report."""
    enrolled = [
        ("assistant", _AUTO, 3, 55.0, 22.0),
        ("summaries", {"auto-requests": "true"}, 4, 30.0, 17.0),
        ("translate", {"auto-limits": "true"}, 3, 40.0, 15.0),
        ("support", {"auto-replicas": "true"}, 4, 45.0, 18.0),
    ]
    workloads = [
        _workload(
            f"chat/{name}",
            _serving(tflops, replicas, vram_gib),
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
        _workload(f"chat/{name}", _serving(tflops, replicas, vram, hour), A100, amounts, replicas)
        for name, replicas, tflops, vram, amounts, hour in reported
    ]
    return workloads


def _search() -> list[SimulatedWorkload]:
    """Bursty services: first-generation profiles, and two bursts at stated times."""
    workloads = [
        _workload(
            "search/embedding",
            Bursty(base_tflops=24.0, burst_tflops=130.0, vram_bytes=6 * GIB,
                   stated_bursts_s=_BURSTS_S),
            L40S,
            replicas=3,
            profile="search/embedding",
        ),
        _workload(
            "search/rerank",
            Bursty(base_tflops=45.0, burst_tflops=190.0, vram_bytes=8 * GIB, bursts_per_day=10.0,
                   burst_s=1500, stated_bursts_s=_BURSTS_S),
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
        _workload(
            f"search/{name}",
            Bursty(base_tflops=base, burst_tflops=burst, vram_bytes=vram * GIB),
            L40S,
            amounts,
            replicas,
        )
        for name, replicas, base, burst, vram, amounts in reported
    ]
    return workloads


def _vision() -> list[SimulatedWorkload]:
    """Streams: current-generation profiles, and a cron rule that lifts limits at night."""
    workloads = [
        _workload("vision/detector", _serving(42.0, 3, 11.0, 12.0), A100, replicas=3,
                  profile="vision/detector"),
        _workload("vision/segmenter", _serving(20.0, 2, 8.0, 12.0), A100, replicas=2,
                  profile="vision/segmenter"),
        _workload("vision/nightly-index",
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
        _workload(f"vision/{name}", _serving(tflops, replicas, vram, 12.0), A100, amounts, replicas)
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


def _research() -> list[SimulatedWorkload]:
    """Training jobs, which keep a card busy, and notebooks, which hold VRAM and do nothing."""
    jobs = [
        ("finetune-a", 230.0, 58.0, (200, 300, 64, 76), 2),
        ("finetune-b", 150.0, 40.0, (250, 312, 70, 78), 1),
        ("distill", 95.0, 28.0, (120, 160, 36, 48), 1),
        ("evaluate", 40.0, 20.0, (100, 200, 40, 60), 1),
    ]
    workloads = [
        _workload(
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
        _workload(
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


def _platform() -> list[SimulatedWorkload]:
    """Workloads that are hard to size."""
    return [
        _workload("platform/ranker", Planned(points=_RANKER, noise_ratio=0.02), A100,
                  profile="platform/ranker"),
        _workload("platform/vector-index",
                  GrowingVram(tflops=18.0, first_vram_bytes=9 * GIB, vram_bytes_per_day=3 * GIB),
                  L40S, (30, 60, 10, 12), auto={"auto-limits": "true", "auto-requests": "true"}),
        _workload("platform/feature-cache",
                  GrowingVram(tflops=7.0, first_vram_bytes=5 * GIB, vram_bytes_per_day=GIB),
                  L40S, (20, 40, 10, 14)),
        _workload("platform/gateway", _serving(60.0, 2, 30.0), A100, (80, 120, 40, 60), 2,
                  opaque_share=0.9, startup_s=180, auto={"auto-limits": "true"}),
        _workload("platform/playground", _serving(15.0, 1, 30.0), A100, (60, 120, 30, 40),
                  opaque_share=0.9, startup_s=180),
        _workload("platform/preview",
                  ColdStarts(load=_serving(24.0, 2, 14.0), every_s=5 * HOUR_S), A100,
                  (50, 80, 18, 24), 2, startup_s=240),
        _workload("platform/canary", ColdStarts(load=_serving(12.0, 1, 10.0)), A100,
                  (30, 60, 14, 20), startup_s=300, auto={"auto-requests": "true"}),
        _workload("platform/edge", WithGaps(load=_serving(28.0, 2, 9.0)), A100,
                  (50, 90, 14, 18), 2, auto={"auto-limits": "true"}),
        _workload("platform/telemetry", WithGaps(load=_serving(8.0, 1, 5.0), gaps_per_day=14.0),
                  L40S, (20, 40, 8, 12)),
        _workload("platform/guard", _serving(20.0, 2, 7.0), L40S, (30, 50, 10, 14), 2,
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
"""A busy hour holds the limit up for a day.  When it is forgotten the limit falls, and minutes later
the load jumps and goes on rising: minutes at the limit follow a decrease, which is rolled back."""
