"""The manifest of a bare pod that is applied a second time, whatever spelling its user chose."""

from __future__ import annotations

import pytest

from tests.cluster.spaces import Space
from tests.cluster.webhook_process import enabled_pod

AMOUNTS = {"tflops_limit": "10", "vram_limit": "1Gi", "is_local_gpu": "true"}
SPELLINGS = (
    {"qos": "High", "isolation": "Soft", "gpupool": " default-pool", "vendor": "NVIDIA "},
    {"gpu_count": "02", "gpu_model": "nvidia l4 "},
    {"gpu_indices": "0, 2"},
)


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: next(iter(spelling)))
def test_a_bare_pod_may_be_applied_again_as_it_was_written(
    space: Space, spelling: dict[str, str]
) -> None:
    pod = enabled_pod("it", **AMOUNTS, **spelling)
    space.apply(pod).well()

    assert space.apply(pod).well().out == "pod/it unchanged\n"
