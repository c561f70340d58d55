import pytest

from autoscaler.agent.accounting.debt_check import (
    LATE_LAUNCHES,
    LONGEST_DEBT_S,
    WINDOW_S,
    DebtCheck,
)
from tests.autoscaler.agent.accounting.looks import reading

STEP_S = 0.2
BURST_S = 0.02


def _use(charged_s, tat_s, launches=0):
    counters = {"charged_ns": int(charged_s * 1e9), "tat_ns": int(tat_s * 1e9)}
    return reading(**counters, launches=int(launches)).gpus[0]


def _watched(used, ahead_s, share=0.1, trim_k=1.0, looks=30, launches=0):
    """Let a worker use a part of the card; its page says that it is ``ahead_s`` of now.

    ``launches`` are counted at each look.
    """
    check = DebtCheck()
    return [
        check.observe(
            _use(used * i * STEP_S, 100.0 + i * STEP_S + ahead_s, launches * i),
            int((100.0 + i * STEP_S) * 1e9),
            share,
            trim_k,
        )
        for i in range(looks)
    ]


@pytest.mark.parametrize("used", [0.0, 0.05, 0.1])
def test_who_keeps_to_its_share_has_paid(used):
    assert set(_watched(used, BURST_S)) == {0.0}


def test_who_resets_its_time_to_be_free_has_not_paid():
    unpaid_s = _watched(0.9, 0.0)

    assert min(unpaid_s[round(WINDOW_S / STEP_S) :]) > 1.0


def test_trimmed_costs_are_what_is_to_be_paid():
    assert set(_watched(0.05, BURST_S, trim_k=2.0)) == {0.0}
    assert max(_watched(0.1, BURST_S, trim_k=2.0)) > 0.0


def test_one_long_kernel_is_paid_off_later():
    check = DebtCheck()
    steps = [(0.0, 100.0)] + [(0.5, 105.0)] * 40

    unpaid_s = [
        check.observe(_use(charged_s, tat_s), int((100.0 + i * STEP_S) * 1e9), 0.1, 1.0)
        for i, (charged_s, tat_s) in enumerate(steps)
    ]

    assert set(unpaid_s) == {0.0}


def test_a_debt_that_the_law_cuts_is_not_unpaid():
    assert set(_watched(5.0, LONGEST_DEBT_S)) == {0.0}


def test_who_launches_on_under_the_longest_debt_has_not_paid():
    assert max(_watched(5.0, LONGEST_DEBT_S, launches=LATE_LAUNCHES)) > 1.0


def test_launches_that_are_counted_late_accuse_nobody():
    launches = LATE_LAUNCHES * STEP_S / WINDOW_S

    assert set(_watched(5.0, LONGEST_DEBT_S, launches=launches)) == {0.0}


def test_a_whole_card_is_not_held_and_owes_nothing():
    assert set(_watched(1.0, -50.0, share=1.0)) == {0.0}


def test_a_window_in_which_the_share_changes_is_not_judged():
    check = DebtCheck()

    unpaid_s = [
        check.observe(
            _use(0.9 * i * STEP_S, 0.0), int((100.0 + i * STEP_S) * 1e9), 0.1 + 0.01 * i, 1.0
        )
        for i in range(30)
    ]

    assert set(unpaid_s) == {0.0}
