"""The law: what a pod may get under it, whatever is charged when and by whom."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.agent.pages.abi import ONE_Q32, UseGPU
from tests.autoscaler.agent.native.metering import MS, Terms, Turn, library, terms

START_NS = 1_000_000_000_000
LONGEST_DEBT_NS = 60_000_000_000
shares = st.floats(0.01, 0.99)
costs_ns = st.integers(1_000, 200 * MS)


def charge(gpu: UseGPU, law: Terms, cost_ns: int, now_ns: int = START_NS) -> Turn:
    turn: Turn = library().tf_law_charge(gpu, law, cost_ns, now_ns)
    return turn


def free_at(gpu: UseGPU, law: Terms, turn: Turn, now_ns: int = START_NS) -> int:
    at_ns: int = library().tf_law_free_at(gpu, law, turn, now_ns)
    return at_ns


def settle(gpu: UseGPU, law: Terms, extra_ns: int, now_ns: int = START_NS) -> None:
    library().tf_law_settle(gpu, law, extra_ns, now_ns)


def debt_ns(gpu: UseGPU, now_ns: int = START_NS) -> int:
    return max(0, gpu.tat_ns - now_ns)


@given(shares, st.integers(0, 50 * MS), st.lists(costs_ns, min_size=1, max_size=60))
def test_launches_without_end_get_their_share_and_one_burst(share, burst_ns, costs):
    gpu, law = UseGPU(), terms(share, burst_ns=burst_ns)
    now_ns = START_NS
    for cost_ns in costs:
        turn = charge(gpu, law, cost_ns, now_ns)
        now_ns = max(now_ns, free_at(gpu, law, turn, now_ns))
    before_the_last_ns = sum(costs[:-1])
    passed_ns = now_ns - START_NS
    # What was let through before now is what the clock refilled, and the burst.
    assert before_the_last_ns <= share * (passed_ns + burst_ns) + len(costs)
    assert before_the_last_ns >= share * passed_ns - len(costs)


@given(shares, costs_ns, st.integers(0, 10_000 * MS))
def test_time_without_launches_is_not_saved(share, cost_ns, idle_ns):
    gpu, law = UseGPU(), terms(share, burst_ns=0)
    charge(gpu, law, cost_ns)
    later_ns = START_NS + LONGEST_DEBT_NS + idle_ns
    first, second = (charge(gpu, law, cost_ns, later_ns) for _ in range(2))
    assert free_at(gpu, law, first, later_ns) == later_ns
    held_ns = free_at(gpu, law, second, later_ns) - later_ns
    assert held_ns == pytest.approx(cost_ns / share, rel=1e-6, abs=2)


@given(shares, st.floats(0.8, 3.0), costs_ns)
def test_a_trim_is_a_factor_on_costs(share, trim_k, cost_ns):
    gpu = UseGPU()
    charge(gpu, terms(share, trim_k=trim_k), cost_ns)
    # The trim and the share are fixed-point numbers on the page.
    assert debt_ns(gpu) == pytest.approx(cost_ns * trim_k / share, rel=1e-4, abs=2)


@given(shares, shares, costs_ns)
def test_another_share_rescales_what_is_owed_once(old, new, cost_ns):
    gpu = UseGPU()
    charge(gpu, terms(old), cost_ns)
    settle(gpu, terms(new), 1_000)
    settle(gpu, terms(new), 1_000)
    assert debt_ns(gpu) == pytest.approx((cost_ns + 2_000) / new, rel=1e-6, abs=3 + old / new)


@given(shares, shares, costs_ns)
def test_a_launch_that_waits_is_held_by_the_share_of_now(old, new, cost_ns):
    gpu, before, after = UseGPU(), terms(old, burst_ns=0), terms(new, burst_ns=0)
    charge(gpu, before, cost_ns)
    turn = charge(gpu, before, cost_ns)
    holds_ns = [free_at(gpu, law, turn) - START_NS for law in (before, after, after)]
    expected_ns = [cost_ns / share for share in (old, new, new)]
    assert holds_ns == pytest.approx(expected_ns, rel=1e-6, abs=3 + old / new)


def test_processes_that_see_new_terms_at_different_times_leave_the_debt_as_it_is():
    gpu = UseGPU()
    charge(gpu, terms(0.1), 10 * MS)
    for _ in range(100):
        settle(gpu, terms(0.5), 1)
        settle(gpu, terms(0.1), -1)
    assert debt_ns(gpu) == pytest.approx(100 * MS, rel=1e-3)


def test_a_whole_gpu_is_held_for_nothing_and_owes_nothing():
    gpu, law = UseGPU(), terms(1.0, burst_ns=0)
    for _ in range(3):
        turn = charge(gpu, law, 1_000 * MS)
        assert free_at(gpu, law, turn) <= START_NS
    assert gpu.tat_ns == 0


def test_a_launch_that_waits_goes_when_the_limit_is_lifted():
    gpu, law = UseGPU(), terms(0.01, burst_ns=0)
    charge(gpu, law, 100 * MS)
    turn = charge(gpu, law, 100 * MS)
    assert free_at(gpu, law, turn) > START_NS
    assert free_at(gpu, terms(1.0), turn) <= START_NS


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), shares)
def test_whatever_a_tenant_writes_holds_no_launch_for_longer_than_the_longest_debt(
    tat_ns, tat_share_q32, share
):
    gpu, law = UseGPU(tat_ns=tat_ns, tat_share_q32=tat_share_q32), terms(share)
    turn = charge(gpu, law, MS)
    assert free_at(gpu, law, turn) <= START_NS + LONGEST_DEBT_NS
    assert debt_ns(gpu) <= LONGEST_DEBT_NS


@given(st.integers(0, 2**64 - 1))
def test_no_share_at_all_holds_for_the_longest_debt_at_most(cost_ns):
    gpu, law = UseGPU(), Terms(0, 0, 0, 0)
    charge(gpu, law, cost_ns)
    assert debt_ns(gpu) <= LONGEST_DEBT_NS


@given(shares, costs_ns, st.integers(-300 * MS, 300 * MS))
def test_settling_leaves_what_the_launch_took(share, cost_ns, extra_ns):
    gpu, law = UseGPU(), terms(share)
    charge(gpu, law, cost_ns)
    settle(gpu, law, extra_ns)
    assert debt_ns(gpu) == pytest.approx(max(0, cost_ns + extra_ns) / share, rel=1e-6, abs=5)


def test_what_is_given_back_brings_those_forward_that_wait():
    gpu, law = UseGPU(), terms(0.5, burst_ns=0)
    charge(gpu, law, 100 * MS)
    turn = charge(gpu, law, MS)
    settle(gpu, law, -60 * MS)
    assert free_at(gpu, law, turn) == START_NS + 80 * MS


def test_what_a_change_of_share_owes_is_bounded_too():
    gpu = UseGPU()
    charge(gpu, terms(0.99), 50_000 * MS)
    settle(gpu, Terms(1, 0, 0, 0), 1)
    assert debt_ns(gpu) == LONGEST_DEBT_NS


def test_no_charge_of_many_threads_is_lost():
    gpu, law = UseGPU(), terms(0.5)

    def charge_often(_: int) -> None:
        for _ in range(2_000):
            charge(gpu, law, 1_000)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(charge_often, range(8)))
    assert debt_ns(gpu) == 8 * 2_000 * 2_000
    assert gpu.tat_share_q32 == ONE_Q32 // 2
