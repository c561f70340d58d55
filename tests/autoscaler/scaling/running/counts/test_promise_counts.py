"""What forecasts of a fleet promised and kept."""

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.scaling.running.counts.promise_counts import promise_snapshot
from recommender.forecast.gate import Gate
from recommender.resources import TFLOPS, VRAM
from tests.autoscaler.telemetry.parts import evidence

RESOURCES = (TFLOPS, VRAM)


def limits(**changes):
    whole = evidence(3)
    return replace(whole, limits=replace(whole.limits, **changes))


def test_workloads_are_counted_by_gate_and_those_that_ask_for_nothing_are_not():
    gate = np.array([[Gate.OPEN, -1], [Gate.YOUNG, -1], [Gate.NOT_ASKED, -1]])

    found = promise_snapshot(limits(gate=gate), RESOURCES).gates

    of_limits = {gate: number for (layer, _, gate), number in found.items() if layer == "limits"}
    assert {gate: number for gate, number in of_limits.items() if number} == {
        Gate.OPEN: 1,
        Gate.YOUNG: 1,
    }
    assert set(of_limits) == {gate for gate in Gate if gate >= 0}
    assert {resource for layer, resource, _ in found if layer == "limits"} == {"tflops"}
    assert {resource for layer, resource, _ in found if layer == "replicas"} == {"tflops"}


def test_promises_are_means_over_the_judged_minutes_of_workloads_with_a_risk():
    nan = np.nan
    found = promise_snapshot(
        limits(
            promised=np.array([[0.01, nan], [0.03, nan], [nan, nan]]),
            realised=np.array([[0.02, nan], [0.06, nan], [0.9, nan]]),
            minutes=np.array([[300.0, 0.0], [100.0, 0.0], [500.0, 0.0]]),
        ),
        RESOURCES,
    ).promises

    assert set(found) == {("limits", "tflops")}
    assert found["limits", "tflops"].promised == pytest.approx(0.015)
    assert found["limits", "tflops"].realised == pytest.approx(0.03)


def test_a_risk_that_was_not_judged_yet_promises_nothing():
    assert promise_snapshot(limits(minutes=np.zeros((3, 2))), RESOURCES).promises == {}
