"""The demonstration fleet: five teams, two pools, the ways to enrol, and things that go wrong.

Declarations are such as people write: requests are guesses, mostly too high, sometimes too low.
Most workloads are recommend-only.  ``chat`` shows the three annotations alone and together,
``search`` first-generation profiles, ``vision`` current ones and a cron rule, ``research`` jobs and
notebooks, ``platform`` what is hard: growing VRAM, an opaque allocator, cold starts, gaps, and a
workload whose load jumps just after its limit was lowered, so that the change is rolled back.
"""

from __future__ import annotations

from autoscaler.simulate.demo_declaring import A100, L40S
from autoscaler.simulate.demo_hard_cases import ROLL_BACK, platform, research
from autoscaler.simulate.demo_services import BURST_HOUR, chat, search, vision
from autoscaler.simulate.fleet import CardGroup, Fleet

__all__ = ["BURST_HOUR", "ROLL_BACK", "demo_fleet"]


def demo_fleet() -> Fleet:
    """Return the fleet of ``tfa simulate --demo``."""
    return Fleet(
        cards=(
            CardGroup(pool=A100[0], gpu_model=A100[1], count=48, price_per_gpu_hour=2.2),
            CardGroup(pool=L40S[0], gpu_model=L40S[1], count=32, price_per_gpu_hour=0.95),
        ),
        workloads=(*chat(), *search(), *vision(), *research(), *platform()),
    )
