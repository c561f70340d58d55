"""What profiles put around the loop, as far as it needs no server."""

from types import SimpleNamespace

import numpy as np
import pytest

from autoscaler.scaling.cluster import amounts
from autoscaler.scaling.running.profiles.asking_service import AskingService, first_samples_s
from autoscaler.scaling.running.profiles.measured_profile import sized_resources
from autoscaler.sources.prometheus.mappings import AGENT, DCGM
from recommender.resources import COMPUTE_PERCENT, TFLOPS, VRAM
from tests.autoscaler.scaling.builders import view

KNOWN = view("known", card=amounts({"tflops": 312.0, "vram_bytes": 8e10}))
UNKNOWN = view("unknown", card=amounts())


@pytest.mark.parametrize(
    ("mapping", "views", "resources"),
    [
        (AGENT, [KNOWN], (TFLOPS, VRAM)),
        (AGENT, [UNKNOWN], (TFLOPS, VRAM)),
        (AGENT, [], (TFLOPS, VRAM)),
        (DCGM, [KNOWN], (TFLOPS, VRAM)),
        (DCGM, [UNKNOWN], (COMPUTE_PERCENT, VRAM)),
        (DCGM, [KNOWN, UNKNOWN], (TFLOPS, COMPUTE_PERCENT, VRAM)),
        (DCGM, [], (TFLOPS, VRAM)),
    ],
    ids=repr,
)
def test_compute_is_sized_in_tflops_wherever_they_are_known(mapping, views, resources):
    found = sized_resources(mapping, views)

    assert set(found) == set(resources)


def test_a_workload_is_known_since_the_first_sample_of_any_resource():
    found = first_samples_s(np.array([[5, 3], [-1, 7], [-1, -1]]))

    assert found.tolist() == [3, 7, -1]


class Asked:
    def __init__(self):
        self.seen = []
        self.is_stopped = False

    def see(self, views, first_s):
        self.seen.append((views, first_s.tolist()))

    def ask_due(self):
        return 0

    def stop(self):
        self.is_stopped = True


def test_the_askers_learn_the_fleet_of_each_tick_and_end_with_the_lead():
    asked = Asked()
    service = AskingService(asked)
    usage = SimpleNamespace(first_sample_s=np.array([[4, -1]]))
    observed = SimpleNamespace(observation=SimpleNamespace(usage=usage))

    service.start()
    service.see(SimpleNamespace(observed=observed, views=["chat"]))
    service.see(SimpleNamespace(observed=None, views=[]))
    service.stop()

    assert asked.seen == [(["chat"], [4])]
    assert asked.is_stopped
    assert service.job.run() == 0
