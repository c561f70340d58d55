"""What workers are told to use follows the demand of their workloads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.api.names import GPU_PEAK_TFLOPS, WORKLOAD_LABEL
from tests.cluster.live_demand import Demand, amount_at
from tests.cluster.live_orders import orders_of
from tests.cluster.worker_program import Order

CHAT = ("team", "chat")


def pod(uid="1", *, workload="chat", is_ready=True, peak="312", **metadata):
    return {
        "metadata": {
            "uid": uid,
            "namespace": "team",
            "labels": {WORKLOAD_LABEL: workload},
            "annotations": {GPU_PEAK_TFLOPS: peak} if peak else {},
            **metadata,
        },
        "status": {"conditions": [{"type": "Ready", "status": str(is_ready)}]},
    }


def ordered(pods, **demand):
    return orders_of(pods, {CHAT: Demand(**demand)}, 0.0)


def test_a_worker_uses_the_share_of_its_card_that_its_demand_is():
    assert ordered([pod()], tflops=78.0, vram_bytes=100.0) == {
        "1": Order(duty=0.25, vram_bytes=100)
    }


def test_nobody_can_use_more_than_a_card():
    assert ordered([pod()], tflops=1000.0)["1"].duty == 1.0


def test_a_worker_of_another_workload_is_told_to_use_nothing():
    assert ordered([pod(workload="other")], tflops=78.0) == {"1": Order(duty=0.0, vram_bytes=0)}


def test_a_worker_without_a_card_computes_nothing():
    assert ordered([pod(peak="")], tflops=78.0)["1"].duty == 0.0


def test_a_shared_demand_is_spread_over_the_workers_that_are_ready():
    leaving = pod("4", deletionTimestamp="2026-01-01T00:00:00Z")
    pods = [pod("1"), pod("2"), pod("3", is_ready=False), leaving]

    orders = ordered(pods, tflops=156.0, is_shared=True)

    assert [orders[uid].duty for uid in "1234"] == [0.25, 0.25, 0.0, 0.0]


@given(st.integers(1, 9), st.floats(0.0, 312.0))
def test_a_shared_demand_is_neither_lost_nor_doubled(count, tflops):
    pods = [pod(str(number)) for number in range(count)]

    orders = ordered(pods, tflops=tflops, is_shared=True)

    assert sum(order.duty for order in orders.values()) * 312.0 == pytest.approx(tflops)


@pytest.mark.parametrize(
    ("now_s", "expected"), [(0.0, 5.0), (10.0, 5.0), (15.0, 10.0), (20.0, 15.0), (99.0, 15.0)]
)
def test_a_course_moves_in_straight_lines_and_stands_still_outside(now_s, expected):
    assert amount_at([(10.0, 5.0), (20.0, 15.0)], now_s) == expected
