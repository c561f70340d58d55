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
    amounts: tuple[int, int, int, int],
    replicas: int = 1,
    *,
    auto: dict[str, str] | None = None,
    profile: str = "",
    kind: str = "Deployment",
    **more: object,
) -> SimulatedWorkload:
    """Declare a workload; ``amounts`` are TFLOPS request, limit, VRAM request, limit in GiB."""
    tflops_request, tflops_limit, vram_request, vram_limit = amounts
    annotations = {
        "tflops-request": str(tflops_request),
        "tflops-limit": str(tflops_limit),
        "vram-request": f"{vram_request}Gi",
        "vram-limit": f"{vram_limit}Gi",
        "replicas": str(replicas),
        "gpu-model": on[1],
        **(auto or {}),
    }
    annotations |= {key: str(value) for key, value in more.items() if key in {"qos"}}
    if "gpu_count" in more:
        annotations["gpu-count"] = str(more["gpu_count"])
    if profile:
        annotations["workload-profile"] = profile.rpartition("/")[2]
    startup_s = more.get("startup_s", 90)
    opaque_share = more.get("opaque_share")
    assert isinstance(startup_s, int)
    assert opaque_share is None or isinstance(opaque_share, float)
    return declared(
        name,
        load,
        pool=on[0],
        gpu_model=on[1],
        annotations=annotations,
        profile=PROFILES.get(profile) if profile else None,
        profile_name=profile,
        kind=kind,
        is_shared_load=kind == "Deployment",
        startup_s=startup_s,
        opaque_share=opaque_share,
    )
