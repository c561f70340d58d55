"""How the demonstration fleet declares a workload, and its two pools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.simulate.declaring import declared
from autoscaler.simulate.demo_profiles import PROFILES
from autoscaler.simulate.families import DiurnalServing, Load
from recommender.resources import GIB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscaler.simulate.fleet import SimulatedWorkload

A100 = ("serving", "A100")
L40S = ("shared", "L40S")
"""(pool, GPU model)."""


def workload_of(
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


def serving(
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
