"""Launches that differ in their length alone, and are one to the limiter, in virtual time."""

import pytest

from tests.autoscaler.agent.simulator.comparison import MEASURED, OURS, saturated, shares_of
from tests.autoscaler.agent.simulator.scripts import (
    KERNEL_11_MS,
    KERNEL_20_US,
    KERNEL_1400_US,
    MEASURED_CARD,
    MICROSECOND_NS,
    SECOND_NS,
    Kernel,
    Script,
    Tenant,
)
from tests.autoscaler.agent.simulator.tenants import under_our_law

POINT = 0.01
MIXES_US = [
    (350, 1_400),
    (100, 1_400),
    (700, 1_400),
    (1_000, 1_400),
    (100, 50, 1_400),
    (100, 100, 100, 100, 1_400),
    (20, 200),
    (350, 1_900),
    (300, 5_000),
]
MIXES = pytest.mark.parametrize("lengths_us", MIXES_US, ids=str)
NEIGHBOURS = pytest.mark.parametrize(
    "neighbour",
    [saturated(KERNEL_20_US, 0.5), saturated(KERNEL_1400_US, 0.6), saturated(KERNEL_11_MS, 0.4)],
    ids=["20 us", "1.4 ms", "11 ms"],
)


def of_one_shape(lengths_us: tuple[int, ...], limit: float, duty_ratio: float = 1.0) -> Tenant:
    kernels = [
        Kernel(length_ns=length_us * MICROSECOND_NS, blocks=132, threads_per_block=256)
        for length_us in lengths_us
    ]
    script = Script(kernels=kernels, has_one_shape=True, duty_ratio=duty_ratio)
    return Tenant(script=script, limit=limit)


def idle(tenant: Tenant) -> Tenant:
    script = Script(kernels=tenant.script.kernels, duty_ratio=0.0)
    return Tenant(script=script, limit=tenant.limit)


@MIXES
@pytest.mark.parametrize("limit", [0.1, 0.4, 0.75])
def test_alone_they_get_their_limit(lengths_us: tuple[int, ...], limit: float):
    shares = shares_of(OURS, MEASURED, [of_one_shape(lengths_us, limit)])
    assert shares == pytest.approx([limit], abs=POINT)


@NEIGHBOURS
def test_half_of_them_four_times_as_long_they_get_their_limit_beside_a_neighbour_from_the_start(
    neighbour: Tenant,
):
    mixed, _ = shares_of(OURS, MEASURED, [of_one_shape((350, 1_400), 0.3), neighbour])
    assert mixed == pytest.approx(0.3, abs=POINT)


def test_two_of_them_beside_each_other_get_their_limits():
    tenants = [of_one_shape((350, 1_400), 0.4), of_one_shape((350, 1_400), 0.4)]
    assert shares_of(OURS, MEASURED, tenants) == pytest.approx([0.4, 0.4], abs=3 * POINT)


@MIXES
@NEIGHBOURS
def test_what_they_have_shown_alone_holds_beside_a_neighbour(
    lengths_us: tuple[int, ...], neighbour: Tenant
):
    with under_our_law(MEASURED_CARD, [of_one_shape(lengths_us, 0.3), idle(neighbour)]) as trial:
        trial.timeline.run_until(4 * SECOND_NS)
        trial.simulation.set_duty(trial.processes[1][0], 1.0)
        mixed, other = trial.shares_between(8 * SECOND_NS, 20 * SECOND_NS)
    assert mixed == pytest.approx(0.3, abs=3 * POINT)
    assert other == pytest.approx(neighbour.limit, abs=3 * POINT)


@MIXES
@NEIGHBOURS
def test_those_that_never_ran_alone_get_too_little_rather_than_too_much(
    lengths_us: tuple[int, ...], neighbour: Tenant
):
    mixed, other = shares_of(OURS, MEASURED, [of_one_shape(lengths_us, 0.3), neighbour])
    # Far pairs that are hardly more than cuts may be are taken for cuts at times.
    above = 7 * POINT if lengths_us == (1_000, 1_400) else 2 * POINT
    assert 0.15 <= mixed <= 0.3 + above
    assert other >= neighbour.limit - 5 * POINT
