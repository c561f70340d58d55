"""Kernels longer than a time slice beside neighbours, which cut them, in virtual time."""

import pytest

from autoscaler.agent.sharing.slices import CROWDED_SHARE, SLICE_S, SWITCH_S
from tests.autoscaler.agent.simulator.comparison import (
    KERNELS,
    KIND,
    LONG_CONTESTS,
    MEASURED,
    OURS,
    Contest,
    saturated,
    shares_of,
)
from tests.autoscaler.agent.simulator.scripts import (
    KERNEL_5_US,
    KERNEL_11_MS,
    KERNEL_20_US,
    KERNEL_1400_US,
    MEASURED_CARD,
    MILLISECOND_NS,
    SECOND_NS,
    Kernel,
    Script,
    Tenant,
)
from tests.autoscaler.agent.simulator.simulation import Gate
from tests.autoscaler.agent.simulator.tenants import settled_shares, under_our_law

POINT = 0.01
KERNEL_100_US = Kernel(length_ns=100_000, blocks=132, threads_per_block=256)
KERNEL_3_MS = Kernel(length_ns=3_000_000, blocks=132, threads_per_block=256)
KERNEL_40_MS = Kernel(length_ns=40_000_000, blocks=132, threads_per_block=256)
SIDE_BY_SIDE = [saturated(KERNEL_5_US, 0.4), saturated(KERNEL_11_MS, 0.4)]
BOTH_LONG = [
    Contest(name=f"{name}, all 11 ms", kernels=[KERNEL_11_MS] * len(limits), limits=limits)
    for name, limits in (
        ("20/60", (0.2, 0.6)),
        ("60/20", (0.6, 0.2)),
        ("10/70", (0.1, 0.7)),
        ("30/50", (0.3, 0.5)),
        ("20/25/35", (0.2, 0.25, 0.35)),
    )
]
CUT_SHARE = 0.225
"""What the second gets where its price is its shortest cut pair."""


def saturated_mix(limit: float) -> Tenant:
    return Tenant(script=Script(kernels=[KERNEL_1400_US, KERNEL_11_MS]), limit=limit)


def beside_four(kernel: Kernel, limit: float, of_four: float) -> list[Tenant]:
    four = Tenant(script=Script(kernels=[kernel]), limit=of_four, processes=4)
    return [saturated(KERNEL_11_MS, limit), four]


def starting_late(kernel: Kernel, limit: float) -> Tenant:
    return Tenant(script=Script(kernels=[kernel], duty_ratio=0), limit=limit)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda each: f"{each.length_ns} ns")
def test_a_long_kernel_that_ran_alone_for_a_while_gets_its_limit_beside_neighbours(kernel: Kernel):
    tenants = [saturated(KERNEL_11_MS, 0.4), starting_late(kernel, 0.4)]
    with under_our_law(MEASURED_CARD, tenants) as trial:
        trial.timeline.run_until(5 * SECOND_NS)
        trial.simulation.set_duty(trial.processes[1][0], 1.0)
        of_11_ms, _ = trial.shares_between(6 * SECOND_NS, 20 * SECOND_NS)
    assert of_11_ms == pytest.approx(0.4, abs=POINT)


@pytest.mark.parametrize(
    "contest",
    [
        *LONG_CONTESTS,
        Contest(
            name="20/30/40, 100 µs, 1.4 ms and 11 ms",
            kernels=[KERNEL_100_US, KERNEL_1400_US, KERNEL_11_MS],
            limits=[0.2, 0.3, 0.4],
        ),
        Contest(
            name="60/20, 20 µs beside 11 ms",
            kernels=[KERNEL_20_US, KERNEL_11_MS],
            limits=[0.6, 0.2],
        ),
        Contest(
            name="40/40, 5 µs beside 3 ms", kernels=[KERNEL_5_US, KERNEL_3_MS], limits=[0.4, 0.4]
        ),
        Contest(
            name="40/40, 20 µs beside 40 ms",
            kernels=[KERNEL_20_US, KERNEL_40_MS],
            limits=[0.4, 0.4],
        ),
        *BOTH_LONG,
    ],
    ids=lambda each: each.name,
)
def test_a_long_kernel_that_never_runs_alone_gets_its_limit(contest: Contest):
    assert shares_of(OURS, MEASURED, contest.tenants) == pytest.approx(contest.limits, abs=POINT)


@pytest.mark.parametrize("limits", [(0.4, 0.4), (0.2, 0.6)])
def test_beside_four_processes_of_one_worker_it_gets_its_limit(limits: tuple[float, float]):
    shares = shares_of(OURS, MEASURED, beside_four(KERNEL_20_US, *limits))
    assert shares == pytest.approx(limits, abs=POINT)


@pytest.mark.parametrize("limits", [(0.4, 0.4), (0.2, 0.6)])
def test_beside_four_that_do_not_always_come_to_their_turn_it_gets_it_to_two_points(
    limits: tuple[float, float],
):
    of_long, of_four = shares_of(OURS, MEASURED, beside_four(KERNEL_1400_US, *limits))
    assert of_four == pytest.approx(limits[1], abs=POINT)
    assert of_long == pytest.approx(limits[0], abs=2 * POINT)


def test_where_limits_are_more_than_switches_leave_the_smaller_ones_are_met():
    tenants = [saturated(KERNEL_11_MS, limit) for limit in (0.2, 0.3, 0.5)]
    *smaller, largest = shares_of(OURS, MEASURED, tenants)
    assert smaller == pytest.approx([0.2, 0.3], abs=POINT)
    assert largest == pytest.approx(CROWDED_SHARE - 0.5, abs=POINT)


@pytest.mark.parametrize(
    ("mixed", "other"),
    [
        (saturated_mix(0.3), saturated(KERNEL_20_US, 0.4)),
        (saturated_mix(0.3), saturated(KERNEL_11_MS, 0.4)),
        (saturated_mix(0.3), saturated_mix(0.5)),
    ],
    ids=["20 us", "11 ms", "another mix"],
)
def test_a_mix_of_short_and_long_kernels_gets_its_limit(mixed: Tenant, other: Tenant):
    shares = shares_of(OURS, MEASURED, [mixed, other])
    assert shares == pytest.approx([mixed.limit, other.limit], abs=POINT)


@pytest.mark.parametrize("other", [saturated(KERNEL_11_MS, 0.6), saturated_mix(0.6)])
def test_beside_long_kernels_at_60_percent_a_mix_gets_its_limit_to_two_and_a_half_points(
    other: Tenant,
):
    of_mix, of_other = shares_of(OURS, MEASURED, [saturated_mix(0.2), other])
    assert of_other == pytest.approx(0.6, abs=POINT)
    assert 0.2 - 2.5 * POINT <= of_mix <= 0.2 + POINT


@pytest.mark.parametrize("contest", [*LONG_CONTESTS, *BOTH_LONG], ids=lambda each: each.name)
def test_where_changes_between_processes_cost_nothing_it_gets_at_most_what_they_are_taken_for(
    contest: Contest,
):
    shares = shares_of(OURS, KIND, contest.tenants)
    taken_for_changes = len(shares) * SWITCH_S / SLICE_S
    for share, limit, kernel in zip(shares, contest.limits, contest.kernels, strict=True):
        is_long = kernel.length_ns > MEASURED_CARD.slice_ns
        assert limit - POINT <= share <= limit * (1 + taken_for_changes * is_long) + POINT


def test_halves_of_a_card_are_equal_whatever_the_length_of_the_kernels():
    tenants = [saturated(KERNEL_5_US, 0.5), saturated(KERNEL_11_MS, 0.5)]
    of_5_us, of_11_ms = shares_of(OURS, MEASURED, tenants)
    assert of_11_ms == pytest.approx(of_5_us, abs=POINT)
    assert of_11_ms > 0.45


@pytest.mark.parametrize("start_ms", [1, 6, 11, 20, 350, 3_000])
def test_two_long_kernels_settle_at_their_limits_from_every_start(start_ms: int):
    tenants = [saturated(KERNEL_11_MS, 0.4), starting_late(KERNEL_11_MS, 0.4)]
    with under_our_law(MEASURED_CARD, tenants) as trial:
        trial.timeline.run_until(start_ms * MILLISECOND_NS)
        trial.simulation.set_duty(trial.processes[1][0], 1.0)
        assert settled_shares(trial) == pytest.approx([0.4, 0.4], abs=POINT)


def test_a_process_of_no_worker_leaves_the_price_at_the_shortest_cut_pair():
    with under_our_law(MEASURED_CARD, [saturated(KERNEL_11_MS, 0.4)]) as trial:
        stranger = Script(kernels=[KERNEL_20_US], duty_ratio=0.4)
        unlimited = trial.simulation.add_pod(Gate.OPEN)
        trial.agent.meet(trial.simulation.add_process(unlimited, stranger))
        (share,) = settled_shares(trial)
    assert CUT_SHARE - 5 * POINT < share < 0.4


def test_without_an_agent_the_price_rises_to_the_shortest_cut_pair_and_falls_with_the_next_one():
    with under_our_law(MEASURED_CARD, SIDE_BY_SIDE) as trial:
        before = trial.shares_between(5 * SECOND_NS, 10 * SECOND_NS)
        trial.agent.end()
        at_once = trial.shares_between(10 * SECOND_NS, 11 * SECOND_NS)
        without = trial.shares_between(13 * SECOND_NS, 30 * SECOND_NS)
        trial.agent.start_again()
        after = trial.shares_between(33 * SECOND_NS, 40 * SECOND_NS)
    assert before == pytest.approx([0.4, 0.4], abs=2.5 * POINT)
    assert at_once == pytest.approx(before, abs=2.5 * POINT)
    assert without == pytest.approx([0.4, CUT_SHARE], abs=POINT)
    assert after == pytest.approx(before, abs=POINT)
