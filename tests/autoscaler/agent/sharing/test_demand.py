import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.agent.pages.progress import Progress
from autoscaler.agent.sharing.demand import DemandMeter

PERIOD_S = 0.1


def _seen(used=0.0, held=0.0):
    return Progress(
        span_s=PERIOD_S, charged_s=used * PERIOD_S, blocked_s=held * PERIOD_S, launches=1
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
    assert DemandMeter().observe(_seen(used=0.3), 0.8) == pytest.approx(0.38)


def test_costs_are_trimmed():
    assert DemandMeter().observe(_seen(used=0.3), 0.9, trim_k=2.0) == pytest.approx(0.74)


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
