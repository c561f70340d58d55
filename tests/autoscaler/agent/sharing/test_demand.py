import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.agent.pages.progress import Progress
from autoscaler.agent.sharing.demand import DemandMeter

PERIOD_S = 0.1


def _seen(used=0.0, held=0.0, waited=0.0):
    return Progress(
        span_s=PERIOD_S,
        charged_s=used * PERIOD_S,
        blocked_s=held * PERIOD_S,
        launches=1,
        waited_s=waited * PERIOD_S,
    )


def _after(looks, seen, share):
    meter = DemandMeter()
    for _ in range(looks):
        meter.observe(seen, share)
    return meter


def test_who_uses_nothing_wants_nothing():
    assert DemandMeter().observe(_seen(), 0.5) == 0.0


def test_who_uses_its_share_may_want_all():
    assert DemandMeter().observe(_seen(used=0.46), 0.5) == 1.0


def test_who_is_held_while_it_uses_its_share_wants_all():
    assert DemandMeter().observe(_seen(used=0.2, held=0.5), 0.5) == 1.0


def test_who_is_not_held_has_headroom_over_its_use():
    assert DemandMeter().observe(_seen(used=0.3), 0.8) == pytest.approx(0.46)


def test_who_waits_for_its_work_as_long_as_that_takes_wants_what_it_uses():
    waiting = DemandMeter().observe(_seen(used=0.3, waited=0.3), 0.8)

    assert waiting == DemandMeter().observe(_seen(used=0.3), 0.8)


def test_who_waits_longer_than_its_work_takes_wants_what_it_would_use_alone():
    # Of its time, 0.1 is work and 0.1 is what it does between waits; 0.8 others had the card.
    demand = DemandMeter().observe(_seen(used=0.1, waited=0.9), 0.8)

    assert demand == pytest.approx(0.5 * 1.2 + 0.1)


def test_who_waits_for_something_else_than_the_card_is_not_believed_for_long():
    meter = _after(60, _seen(used=0.02, waited=0.95), 0.8)

    assert meter.demand == pytest.approx(0.02 * 1.2 + 0.1, abs=0.05)


@given(used=st.floats(0, 1), waited=st.floats(0, 1), share=st.floats(0.01, 1))
def test_waiting_never_makes_a_worker_want_less(used, waited, share):
    plain = DemandMeter().observe(_seen(used=used), share)
    assert DemandMeter().observe(_seen(used=used, waited=waited), share) >= plain


def test_costs_are_trimmed():
    assert DemandMeter().observe(_seen(used=0.3), 0.9, trim_k=2.0) == pytest.approx(0.82)


def test_demand_stays_between_bursts_and_is_forgotten_in_a_few_seconds():
    meter = _after(1, _seen(used=0.5), 0.5)

    after_a_pause = meter.observe(_seen(), 0.5)
    for _ in range(50):
        meter.observe(_seen(), 0.5)

    assert after_a_pause > 0.8
    assert meter.demand == 0.0


def test_a_kernel_that_runs_for_seconds_is_paid_off_without_losing_the_demand():
    meter = _after(1, _seen(used=20.0, held=1.0), 0.25)

    demands = [meter.observe(_seen(held=1.0), 0.25) for _ in range(75)]

    assert demands == [1.0] * 75


def test_waiting_that_is_claimed_and_never_used_is_not_believed_for_long():
    meter = _after(60, _seen(used=0.001, held=1.0), 0.5)

    assert meter.demand < 0.05


def test_a_charge_that_no_launch_can_have_is_not_believed_for_hours():
    meter = _after(1, _seen(used=1e12), 0.5)
    for _ in range(600):
        meter.observe(_seen(held=1.0), 0.5)

    assert meter.demand < 0.05


@given(
    used=st.floats(0.0, 100.0),
    held=st.floats(0.0, 100.0),
    share=st.floats(0.01, 1.0),
    looks=st.integers(1, 5),
)
def test_a_demand_is_a_part_of_the_card_and_covers_the_use(used, held, share, looks):
    demand = _after(looks, _seen(used=used, held=held), share).demand

    assert 0.0 <= demand <= 1.0
    assert demand >= min(used, share) - 0.001
