"""WorkloadProfiles of the demonstration fleet: ``spec`` by ``namespace/name``, both generations."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def _resources(tflops: tuple[int, int], vram_gib: tuple[int, int]) -> dict[str, object]:
    return {
        "requests": {"tflops": str(tflops[0]), "vram": f"{vram_gib[0]}Gi"},
        "limits": {"tflops": str(tflops[1]), "vram": f"{vram_gib[1]}Gi"},
    }


PROFILES: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        # First generation: one block per layer.
        "search/embedding": {
            "resources": _resources((40, 80), (8, 12)),
            "autoScalingConfig": {
                "autoSetLimits": {
                    "enable": True,
                    "targetResource": "tflops",
                    "maxRatioToRequests": "4.0",
                },
                "autoSetRequests": {
                    "enable": True,
                    "percentileForAutoRequests": "0.95",
                    "extraBufferRatio": "0.15",
                },
            },
        },
        "search/rerank": {
            "resources": _resources((30, 60), (10, 16)),
            "replicas": 2,
            "autoScalingConfig": {
                "autoSetReplicas": {
                    "enable": True,
                    "targetTFlopsOfLimits": "0.7",
                    "scaleDownCoolDownTime": "10m",
                    "maxReplicas": 6,
                },
            },
        },
        "platform/ranker": {
            "resources": _resources((10, 150), (12, 16)),
            "autoScalingConfig": {
                "autoSetLimits": {"enable": True, "targetResource": "tflops"},
                "autoSetRequests": {"enable": False, "percentileForAutoRequests": "0.9"},
            },
        },
        # Current generation.
        "vision/detector": {
            "resources": _resources((60, 120), (16, 24)),
            "autoScalingConfig": {
                "autoSetResources": {
                    "enable": True,
                    "targetResource": "all",
                    "historyDataPeriod": "1d",
                },
            },
        },
        "vision/segmenter": {
            "resources": _resources((50, 90), (12, 18)),
            "autoScalingConfig": {
                "mode": "recommend",
                "autoSetResources": {"enable": True, "targetResource": "compute"},
            },
        },
        "vision/nightly": {
            "resources": _resources((20, 40), (8, 14)),
            "autoScalingConfig": {
                "cronScalingRules": [
                    {
                        "enable": True,
                        "name": "nightly-index",
                        "start": "30 1 * * *",
                        "end": "0 4 * * *",
                        "timeZone": "Europe/Berlin",
                        "desiredResources": {"limits": {"tflops": "160"}},
                    },
                ],
            },
        },
    }
)
