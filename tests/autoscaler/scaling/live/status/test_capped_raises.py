"""Raises that there was no room for, and that are wanted no longer."""

import pytest

from autoscaler.scaling.cluster import amounts
from autoscaler.scaling.live.status.capped_raises import is_capped, withdrawal
from tests.autoscaler.scaling.builders import view
from tests.autoscaler.scaling.live.live_objects import A100, GIB
from tests.autoscaler.scaling.live.status.test_desired_amounts import terms

IN_FORCE = {"tflops": 20.0, "vram_bytes": 8 * GIB}
STATED = {"requests": {"tflops": "10"}, "limits": {"tflops": "60", "vram": "8Gi"}}


def taken_back(stated=STATED, *, limit=20.0, **more):
    seen = view(
        "chat",
        gpu_model=A100,
        request=amounts({"tflops": 10.0}),
        limit=amounts(IN_FORCE),
    )
    decided = amounts({"tflops": 10.0}), amounts({"tflops": limit, "vram_bytes": 8 * GIB})
    return withdrawal(seen, stated, terms(**more), decided)


def test_what_is_in_force_is_stated_in_the_place_of_a_raise_that_is_wanted_no_longer():
    found = taken_back()
    assert (dict(found.request), dict(found.limit)) == ({}, {"tflops": 20.0})


@pytest.mark.parametrize(
    ("stated", "limit"),
    [
        (STATED, 60.0),
        (STATED, 25.0),
        ({"limits": {"tflops": "20"}}, 20.0),
        ({"limits": {"tflops": "15"}}, 20.0),
        ({}, 20.0),
    ],
)
def test_a_raise_that_is_wanted_and_what_is_no_raise_stay(stated, limit):
    assert taken_back(stated, limit=limit) is None


def test_between_two_evaluations_nobody_knows_whether_a_raise_is_wanted():
    seen = view("chat", gpu_model=A100, request=amounts(), limit=amounts(IN_FORCE))
    decided = amounts(), amounts()
    assert withdrawal(seen, STATED, terms(), decided) is None


def test_the_raise_of_a_workload_in_percent_is_compared_in_percent():
    stated = {"limits": {"compute": "50"}}
    found = taken_back(stated, is_in_percent=True)
    assert dict(found.limit) == {"tflops": 20.0}
    assert taken_back(stated, is_in_percent=True, peak_tflops={}) is None


def test_only_what_the_controller_has_handled_is_known_to_be_capped():
    order = {"epoch": 1, "sequence": 2}
    capped = [{"worker": "chat-0", "reason": "GPUFull"}]
    status = {"desiredResources": {**order, **STATED}, "applied": {**order, "capped": capped}}

    assert is_capped(status)
    assert not is_capped({**status, "applied": {**order, "sequence": 1, "capped": capped}})
    assert not is_capped({**status, "applied": order})
    assert not is_capped({})
