"""The benchmarks of the controller run, with little to do; no time is judged."""

import math

import pytest

from autoscaler.workloads.resync import all_keys
from tests.benchmarks.controller import ControllerSizes, on_controllers
from tests.benchmarks.settled_controller import copies, settled_node
from tests.components.fixtures import needed_program
from tests.components.programs import CLUSTER_PROGRAMS

TINY = ControllerSizes(nodes=(2,), rates_per_s=(20.0,), span_s=0.5, raised=5)


def test_every_number_is_measured():
    for name in CLUSTER_PROGRAMS:
        needed_program(name)
    rows = list(on_controllers(TINY))

    may_be_zero = ("  writes", "  its CPU for that")
    assert [
        row.what
        for row in rows
        if not math.isfinite(row.value) or (row.value <= 0 and row.what not in may_be_zero)
    ] == []
    assert [row.what for row in rows if not row.what.startswith(" ")] == [
        "controller alone, 80 workloads, 16 GPUs: caches and books",
        "tfa controller, 80 workloads, 16 GPUs: until ready",
        "10 pods of as many workloads at 20/s: without gate, p50",
        "10 pods of as many workloads at 20/s: without gate, p99",
        "5 workers raised at once: all have it",
    ]


def test_copies_of_a_settled_node_are_settled_but_for_the_sums_of_their_pool():
    controller = copies(settled_node(), 2)()
    for key in dict.fromkeys(all_keys(controller.parts.tools.cluster)):
        if key.kind == "pool":
            with pytest.raises(AssertionError, match=r"PATCH .*/gpupools/"):
                controller.look(key)
        else:
            controller.look(key)
