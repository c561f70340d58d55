"""What tenants get under the limiter and the agent, in virtual time."""

from dataclasses import replace

import pytest

from tests.autoscaler.agent.simulator.comparison import (
    CONTESTS,
    FULL_CONTEST,
    KERNELS,
    KIND,
    LIMITS,
    MEASURED,
    OURS,
    Contest,
    Setting,
    alone,
    saturated,
    shares_of,
)
from tests.autoscaler.agent.simulator.scripts import (
    KERNEL_5_US,
    KERNEL_11_MS,
    KERNEL_20_US,
    KERNEL_1400_US,
    MEASURED_CARD,
    SECOND_NS,
    Kernel,
    Script,
    Tenant,
)
from tests.autoscaler.agent.simulator.tenants import settled_shares, under_our_law

POINT = 0.01
SETTINGS = pytest.mark.parametrize("setting", [KIND, MEASURED], ids=lambda each: each.name)


@SETTINGS
@pytest.mark.parametrize("limit", LIMITS)
def test_a_worker_alone_gets_its_limit_whatever_the_length_of_its_kernels(
    setting: Setting, limit: float
):
    expected = [limit] * len(KERNELS)
    assert alone(OURS, setting, limit) == pytest.approx(expected, abs=POINT)


@SETTINGS
@pytest.mark.parametrize("contest", CONTESTS, ids=lambda each: each.name)
def test_neighbours_get_their_limits(setting: Setting, contest: Contest):
    assert shares_of(OURS, setting, contest.tenants) == pytest.approx(contest.limits, abs=POINT)


def test_limits_that_fill_the_card_are_met_where_its_switches_cost_nothing():
    shares = shares_of(OURS, KIND, FULL_CONTEST.tenants)
    assert shares == pytest.approx(FULL_CONTEST.limits, abs=POINT)


@pytest.mark.parametrize(
    "script",
    [
        Script(kernels=KERNELS),
        Script(kernels=[KERNEL_5_US, KERNEL_5_US, KERNEL_20_US, KERNEL_1400_US], streams=3),
        Script(kernels=[KERNEL_20_US], launches_per_sync=1),
        Script(kernels=[KERNEL_5_US, KERNEL_1400_US], launches_per_sync=20),
    ],
    ids=["all lengths", "three streams", "waits for each kernel", "waits for twenty"],
)
def test_mixed_programs_get_their_limit(script: Script):
    tenants = [Tenant(script=script, limit=0.4)]
    assert shares_of(OURS, MEASURED, tenants) == pytest.approx([0.4], abs=POINT)


def test_processes_of_one_pod_share_one_limit():
    tenant = Tenant(script=Script(kernels=[KERNEL_20_US, KERNEL_1400_US]), limit=0.4, processes=4)
    assert shares_of(OURS, MEASURED, [tenant]) == pytest.approx([0.4], abs=POINT)


def test_a_worker_that_asks_for_less_than_its_limit_gets_all_it_asks_for():
    tenants = [
        Tenant(script=Script(kernels=[KERNEL_1400_US], duty_ratio=0.25), limit=0.3),
        saturated(KERNEL_1400_US, 0.5),
    ]
    assert shares_of(OURS, MEASURED, tenants) == pytest.approx([0.25, 0.5], abs=POINT)


@pytest.mark.parametrize("bias", [0.9, 0.95, 1.05, 1.1])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda each: f"{each.length_ns} ns")
def test_what_nvml_reads_wrong_by_a_tenth_moves_no_share(bias: float, kernel: Kernel):
    card = replace(MEASURED_CARD, nvml_bias=bias)
    with under_our_law(card, [saturated(kernel, 0.5)]) as trial:
        assert settled_shares(trial) == pytest.approx([0.5], abs=POINT)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda each: f"{each.length_ns} ns")
def test_another_limit_is_met_within_half_a_second(kernel: Kernel):
    with under_our_law(MEASURED_CARD, [saturated(kernel, 0.5)]) as trial:
        trial.timeline.run_until(5 * SECOND_NS)
        for limit in (0.2, 0.75, 0.1, 0.5):
            trial.agent.set_limit(0, limit)
            begin_ns = trial.simulation.now_ns
            shares = trial.shares_between(begin_ns + SECOND_NS // 2, begin_ns + 3 * SECOND_NS)
            assert shares == pytest.approx([limit], abs=2 * POINT)


def test_the_debt_of_a_small_share_does_not_outlast_it():
    with under_our_law(MEASURED_CARD, [saturated(KERNEL_11_MS, 0.01)]) as trial:
        trial.timeline.run_until(8 * SECOND_NS)
        trial.agent.set_limit(0, 0.5)
        begin_ns = trial.simulation.now_ns
        shares = trial.shares_between(begin_ns + SECOND_NS // 5, begin_ns + 2 * SECOND_NS)
        assert shares == pytest.approx([0.5], abs=2 * POINT)


def test_the_end_and_return_of_an_agent_change_nothing():
    with under_our_law(MEASURED_CARD, CONTESTS[0].tenants) as trial:
        before = trial.shares_between(5 * SECOND_NS, 15 * SECOND_NS)
        trial.agent.end()
        without = trial.shares_between(15 * SECOND_NS, 45 * SECOND_NS)
        trial.agent.start_again()
        after = trial.shares_between(45 * SECOND_NS, 55 * SECOND_NS)
    assert without == pytest.approx(before, abs=POINT)
    assert after == pytest.approx(before, abs=POINT)


def test_a_critical_worker_has_its_request_within_a_second_and_the_low_one_keeps_its_own():
    low = Tenant(script=Script(kernels=[KERNEL_1400_US]), limit=1.0, request=0.2, qos_rank=0)
    critical = Tenant(
        script=Script(kernels=[KERNEL_1400_US], duty_ratio=0),
        limit=0.8,
        request=0.6,
        qos_rank=3,
    )
    with under_our_law(MEASURED_CARD, [low, critical]) as trial:
        (low_alone, _) = trial.shares_between(2 * SECOND_NS, 5 * SECOND_NS)
        trial.simulation.set_duty(trial.processes[1][0], 1.0)
        low_after, critical_after = trial.shares_between(6 * SECOND_NS, 12 * SECOND_NS)
    assert low_alone > 0.98
    assert critical_after >= 0.6 - POINT
    assert low_after >= 0.2 - POINT


def test_a_critical_worker_that_waits_for_its_kernels_has_its_request_beside_a_full_low_one():
    kernel = Kernel(length_ns=230_000, blocks=1024, threads_per_block=256)
    low = Tenant(script=Script(kernels=[kernel]), request=0.2, limit=1.0, qos_rank=0)
    critical = Tenant(
        script=Script(kernels=[kernel], launches_per_sync=2), request=0.6, limit=0.8, qos_rank=3
    )
    with under_our_law(MEASURED_CARD, [low, critical]) as trial:
        _, waiting = trial.shares_between(2 * SECOND_NS, 6 * SECOND_NS)
    assert waiting >= 0.6 - POINT


def test_what_was_not_used_is_not_saved_for_later():
    idle = Tenant(script=Script(kernels=[KERNEL_1400_US], duty_ratio=0), limit=0.3)
    with under_our_law(MEASURED_CARD, [idle]) as trial:
        trial.timeline.run_until(10 * SECOND_NS)
        trial.simulation.set_duty(trial.processes[0][0], 1.0)
        (share,) = trial.shares_between(10 * SECOND_NS, 11 * SECOND_NS)
    assert share <= 0.3 + 3 * POINT


def test_measuring_takes_at_most_a_hundredth_and_a_half_of_a_loop_that_is_bound_by_launches():
    with under_our_law(MEASURED_CARD, [saturated(KERNEL_5_US, 1.0)]) as trial:
        trial.timeline.run_until(20 * SECOND_NS)
        counts = trial.simulation.counts(0)
    assert 0 < counts.records * 1_300 <= 0.015 * 20 * SECOND_NS
