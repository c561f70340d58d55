"""What a worker gains by writing its own page of use, in virtual time."""

from collections.abc import Callable

import pytest

from autoscaler.agent.pages.abi import UseGPU
from autoscaler.agent.sharing.trim import LEAST_K
from tests.autoscaler.agent.simulator.comparison import saturated
from tests.autoscaler.agent.simulator.scripts import (
    KERNEL_5_US,
    KERNEL_11_MS,
    KERNEL_20_US,
    KERNEL_1400_US,
    MEASURED_CARD,
    MILLISECOND_NS,
    SECOND_NS,
    Script,
    Tenant,
)
from tests.autoscaler.agent.simulator.tenants import Trial, settled_shares, under_our_law

POINT = 0.01
FORGING_NS = 10 * MILLISECOND_NS
AN_HOUR_NS = 3600 * SECOND_NS
LONGEST_DEBT_NS = 60 * SECOND_NS
PRICED_AS_CUT = 0.2
"""What a kernel of 11 ms gets of 40 % where nothing is known of the one that cuts it."""


def forge(trial: Trial, tenant: int, write: Callable[[UseGPU], None]) -> None:
    """Let a tenant write its record every 10 ms."""
    record = trial.simulation.use(trial.pods[tenant])
    trial.timeline.every(FORGING_NS, lambda: write(record))


def test_a_charge_that_is_written_too_high_gains_at_most_what_the_least_trim_allows():
    def write(record: UseGPU) -> None:
        record.charged_ns += 5 * 3 * MILLISECOND_NS

    with under_our_law(MEASURED_CARD, [saturated(KERNEL_1400_US, 0.3)]) as trial:
        forge(trial, 0, write)
        (share,) = settled_shares(trial)
    assert share <= 0.3 / LEAST_K + POINT


@pytest.mark.parametrize(("limit", "left"), [(0.4, 0.4), (0.7, 0.46)])
def test_a_worker_that_resets_its_debt_has_no_limit_and_a_neighbour_keeps_its_turns(
    limit: float, left: float
):
    def write(record: UseGPU) -> None:
        record.tat_ns = 0

    tenants = [saturated(KERNEL_1400_US, 0.1), saturated(KERNEL_1400_US, limit)]
    with under_our_law(MEASURED_CARD, tenants) as trial:
        forge(trial, 0, write)
        forger, honest = settled_shares(trial)
    assert forger > 0.4
    assert honest == pytest.approx(left, abs=2 * POINT)


def test_blocked_time_that_is_claimed_takes_nothing_from_the_request_of_another():
    def write(record: UseGPU) -> None:
        record.blocked_ns += FORGING_NS

    lazy = Tenant(
        script=Script(kernels=[KERNEL_1400_US], duty_ratio=0.02),
        limit=1.0,
        request=0.3,
        qos_rank=3,
    )
    busy = Tenant(script=Script(kernels=[KERNEL_1400_US]), limit=1.0, request=0.5, qos_rank=0)
    with under_our_law(MEASURED_CARD, [lazy, busy]) as trial:
        forge(trial, 0, write)
        _, share = settled_shares(trial)
    assert share >= 0.5 - POINT


def test_a_debt_that_is_forged_holds_its_own_pod_for_a_minute_and_nobody_else():
    tenants = [saturated(KERNEL_1400_US, 0.3), saturated(KERNEL_1400_US, 0.4)]
    with under_our_law(MEASURED_CARD, tenants) as trial:
        trial.timeline.run_until(5 * SECOND_NS)
        trial.simulation.use(trial.pods[0]).tat_ns += AN_HOUR_NS
        forged_ns = trial.simulation.now_ns
        held, honest = trial.shares_between(forged_ns + SECOND_NS, forged_ns + 30 * SECOND_NS)
        freed_ns = forged_ns + LONGEST_DEBT_NS + SECOND_NS
        freed, _ = trial.shares_between(freed_ns, freed_ns + 10 * SECOND_NS)
    assert held < POINT
    assert honest == pytest.approx(0.4, abs=POINT)
    assert freed == pytest.approx(0.3, abs=2 * POINT)


@pytest.mark.parametrize("charge_ms", [1, 10, 1_000])
def test_a_neighbour_that_writes_charges_gives_away_no_more_than_its_own_share(charge_ms: int):
    def write(record: UseGPU) -> None:
        record.charged_ns += charge_ms * MILLISECOND_NS
        record.launches += 10_000

    silent = Tenant(script=Script(kernels=[KERNEL_5_US], duty_ratio=0), limit=0.3)
    tenants = [silent, saturated(KERNEL_20_US, 0.3), saturated(KERNEL_11_MS, 0.3)]
    with under_our_law(MEASURED_CARD, tenants) as trial:
        forge(trial, 0, write)
        _, of_20_us, of_11_ms = settled_shares(trial)
    assert of_20_us == pytest.approx(0.3, abs=POINT)
    assert of_11_ms <= 0.3 + 0.3 + POINT


@pytest.mark.parametrize("launches", [0, 1_000])
def test_a_neighbour_that_writes_other_lengths_of_launches_moves_the_price_by_its_pauses_alone(
    launches: int,
):
    def write(record: UseGPU) -> None:
        record.launches = record.launches + launches if launches else 1

    tenants = [saturated(KERNEL_11_MS, 0.6), saturated(KERNEL_11_MS, 0.2)]
    with under_our_law(MEASURED_CARD, tenants) as trial:
        forge(trial, 0, write)
        forger, honest = settled_shares(trial)
    assert forger == pytest.approx(0.6, abs=POINT)
    assert 0.13 <= honest <= 0.25


def test_a_worker_that_says_its_launches_are_longer_gains_at_most_the_pauses_of_its_neighbour():
    def write(record: UseGPU) -> None:
        record.charged_ns += FORGING_NS

    tenants = [saturated(KERNEL_11_MS, 0.2), saturated(KERNEL_11_MS, 0.6)]
    with under_our_law(MEASURED_CARD, tenants) as trial:
        forge(trial, 0, write)
        forger, honest = settled_shares(trial)
    assert honest == pytest.approx(0.6, abs=POINT)
    assert forger <= 0.25


def test_a_neighbour_that_hides_its_use_takes_no_more_than_without_an_agent():
    def write(record: UseGPU) -> None:
        record.charged_ns = 0

    tenants = [saturated(KERNEL_5_US, 0.4), saturated(KERNEL_11_MS, 0.4)]
    with under_our_law(MEASURED_CARD, tenants) as trial:
        forge(trial, 0, write)
        of_5_us, of_11_ms = settled_shares(trial)
    assert of_5_us == pytest.approx(0.4, abs=POINT)
    assert of_11_ms >= PRICED_AS_CUT
