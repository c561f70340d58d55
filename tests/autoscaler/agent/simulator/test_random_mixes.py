"""The laws of the limiter over random programs, in virtual time."""

from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.autoscaler.agent.simulator.scripts import (
    MEASURED_CARD,
    MICROSECOND_NS,
    SECOND_NS,
    Kernel,
    Script,
    Tenant,
)
from tests.autoscaler.agent.simulator.simulation import BURST_NS, Gate, Simulation
from tests.autoscaler.agent.simulator.tenants import Trial, under_our_law

POINT = 0.01
MOST_ABOVE = 2 * POINT
"""Kernels of some microseconds are priced to a few percent only, where they never ran alone."""
SHORTER_THAN_A_SLICE = (3, 5, 8, 20, 50, 100, 300, 700, 1_400)
ALL_LENGTHS = (*SHORTER_THAN_A_SLICE, 2_500, 5_000, 11_000)
"""In µs."""
SLICE_NS = 2_400_000
MOST_ABOVE_OF_LONG = 12 * POINT
"""Kernels longer than a slice are judged by what neighbours are charged, where they never run
alone; neighbours whose short and long launches alternate are off the card for a while."""
MOST_OF_THE_CARD = 0.8
"""Switches between tenants take some of it."""
WARM_NS, UNTIL_NS = 4 * SECOND_NS, 10 * SECOND_NS

ONE_STREAM, SOME_STREAMS = st.just(1), st.integers(1, 3)
NEVER, AT_TIMES = st.just(0), st.sampled_from([0, 1, 10, 200])


def kernel(length_us: int) -> Kernel:
    return Kernel(length_ns=length_us * MICROSECOND_NS, blocks=132, threads_per_block=256)


def scripts(
    lengths_us: tuple[int, ...],
    *,
    streams: st.SearchStrategy[int] = ONE_STREAM,
    launches_per_sync: st.SearchStrategy[int] = NEVER,
) -> st.SearchStrategy[Script]:
    """Return programs of up to four kernels that ask without end."""
    return st.builds(
        Script,
        kernels=st.lists(st.sampled_from(lengths_us).map(kernel), min_size=1, max_size=4),
        streams=streams,
        launches_per_sync=launches_per_sync,
    )


@st.composite
def neighbours(draw: st.DrawFn, programs: st.SearchStrategy[Script]) -> list[Tenant]:
    """Return up to four tenants whose limits fit the card."""
    weights = draw(st.lists(st.integers(1, 8), min_size=1, max_size=4))
    filled = draw(st.floats(0.2, MOST_OF_THE_CARD))
    return [
        Tenant(
            script=draw(programs),
            limit=filled * weight / sum(weights),
            processes=draw(st.integers(1, 2)),
        )
        for weight in weights
    ]


def share_without_limit(script: Script) -> float:
    with Simulation(MEASURED_CARD) as simulation:
        process = simulation.add_process(simulation.add_pod(Gate.OPEN), script)
        simulation.run_until(SECOND_NS)
        return simulation.counts(process).busy_ns / SECOND_NS


def settled(trial: Trial) -> list[float]:
    return trial.shares_between(WARM_NS, UNTIL_NS)


def random_tenants(draw: Random) -> list[Tenant]:
    """Return what ``neighbours`` returns, from a generator whose draws are always the same."""
    weights = draw.choices(range(1, 9), k=draw.randint(1, 4))
    filled = draw.uniform(0.2, MOST_OF_THE_CARD)
    return [
        Tenant(
            script=Script(
                kernels=[
                    kernel(draw.choice(SHORTER_THAN_A_SLICE)) for _ in range(draw.randint(1, 4))
                ]
            ),
            limit=filled * weight / sum(weights),
            processes=draw.randint(1, 2),
        )
        for weight in weights
    ]


def test_the_mean_error_of_sixty_random_mixes_is_a_quarter_of_a_point_at_most():
    draw = Random(0)
    errors = []
    for _ in range(60):
        mix = random_tenants(draw)
        with under_our_law(MEASURED_CARD, mix) as trial:
            shares = settled(trial)
        errors += [abs(share - tenant.limit) for share, tenant in zip(shares, mix, strict=True)]
    assert sum(errors) / len(errors) <= POINT / 4
    assert sum(error <= POINT for error in errors) >= 0.95 * len(errors)


@settings(max_examples=40)
@given(neighbours(scripts(SHORTER_THAN_A_SLICE)))
def test_neighbours_with_short_kernels_get_their_limits_unless_switches_fill_the_card(
    mix: list[Tenant],
):
    with under_our_law(MEASURED_CARD, mix) as trial:
        trial.timeline.run_until(WARM_NS)
        idle_before_ns = trial.simulation.idle_ns
        shares = settled(trial)
        idle_ns = trial.simulation.idle_ns - idle_before_ns
    assume(idle_ns > 0.02 * (UNTIL_NS - WARM_NS))
    for share, tenant in zip(shares, mix, strict=True):
        assert -3 * POINT <= share - tenant.limit <= MOST_ABOVE


@settings(max_examples=60)
@given(scripts(ALL_LENGTHS, launches_per_sync=AT_TIMES), st.floats(0.02, 0.9))
def test_a_program_alone_gets_its_limit_to_a_point_and_a_half_where_it_can_use_it(
    script: Script, limit: float
):
    assume(limit <= 0.85 * share_without_limit(script))
    with under_our_law(MEASURED_CARD, [Tenant(script=script, limit=limit)]) as trial:
        (share,) = settled(trial)
    assert abs(share - limit) <= 1.5 * POINT


@settings(max_examples=40)
@given(neighbours(scripts(ALL_LENGTHS, streams=SOME_STREAMS)))
def test_no_tenant_gets_more_than_its_limit_by_more_than_it_may_be_wrong(mix: list[Tenant]):
    with under_our_law(MEASURED_CARD, mix) as trial:
        shares = settled(trial)
    for share, tenant in zip(shares, mix, strict=True):
        is_long = tenant.script.longest_kernel_ns > SLICE_NS
        assert share - tenant.limit <= (MOST_ABOVE_OF_LONG if is_long else MOST_ABOVE)


@settings(max_examples=40)
@given(neighbours(scripts(SHORTER_THAN_A_SLICE)))
def test_no_launch_is_held_for_longer_than_three_bursts_and_what_its_kernel_costs(
    mix: list[Tenant],
):
    with under_our_law(MEASURED_CARD, mix) as trial:
        settled(trial)
        held_ns = [trial.longest_hold_ns(number) for number in range(len(mix))]
    for held, tenant in zip(held_ns, mix, strict=True):
        paid_off_ns = tenant.script.longest_kernel_ns / tenant.limit
        assert held <= 3 * BURST_NS + tenant.processes * paid_off_ns
