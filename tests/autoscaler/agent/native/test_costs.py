"""What the limiter believes that launches cost, after pairs of events as real cards give them."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.agent.pages.abi import ONE_Q32
from tests.autoscaler.agent.native.metering import (
    ENTRIES,
    MS,
    Costs,
    Scene,
    library,
    new_costs,
)

SLICE_NS = 2_430_000
FIRST_COST_NS = 10_000
US = 1_000
PLACE = 1 << 52
KEY = 5 * PLACE + 7


def learn(
    costs: Costs,
    pairs_ns: list[int],
    *,
    key: int = KEY,
    is_alone: bool = True,
    left: float = 0.0,
    is_side_by_side: bool = False,
    late_ns: int = 0,
) -> list[bool]:
    entry = library().tf_cost_search(costs, key)
    scene = Scene(round(left * ONE_Q32), late_ns, is_alone, is_side_by_side)
    return [library().tf_cost_learn(costs, entry, pair_ns, scene).is_cut for pair_ns in pairs_ns]


def cost_ns(costs: Costs, key: int = KEY) -> int:
    priced: int = library().tf_cost_ns(costs, library().tf_cost_search(costs, key))
    return priced


def pairs_beside(
    kernel_ns: int, neighbours: int, number: int, *, seed: float = 1, uncut_at_least: float = 0.0
) -> list[int]:
    """Return pairs of a kernel beside full neighbours: the slice ends somewhere in it, or not."""
    draw = random.Random(seed)
    pairs = []
    for _ in range(number):
        left_ns = draw.uniform(0, SLICE_NS)
        cuts = 0
        if kernel_ns > left_ns and draw.random() >= uncut_at_least:
            cuts = 1 + int((kernel_ns - left_ns) // SLICE_NS)
        pairs.append(kernel_ns + cuts * neighbours * SLICE_NS + draw.randrange(2_000))
    return pairs


def test_what_nobody_measured_costs_a_guess():
    assert cost_ns(new_costs()) == FIRST_COST_NS


def test_an_unknown_kernel_costs_the_median_of_the_known_ones():
    costs = new_costs()
    for number in range(30):
        learn(costs, [50 * US] * 4, key=(number + 10) * PLACE + 9)
        learn(costs, [3 * MS] * 2, key=(number + 50) * PLACE + 9)
    assert cost_ns(costs, 500 * PLACE + 9) == pytest.approx(50 * US, rel=0.15)


def test_a_short_kernel_costs_its_own_time_whatever_runs_beside_it():
    draw = random.Random(0)
    wrong = 0
    for number in range(1_000):
        costs, kernel_ns = new_costs(), draw.randint(2 * US, 1_500 * US)
        pairs_ns = pairs_beside(
            kernel_ns, draw.randint(0, 3), draw.randint(40, 200), seed=number, uncut_at_least=0.2
        )
        learn(costs, pairs_ns)
        wrong += cost_ns(costs) != pytest.approx(kernel_ns, rel=0.01, abs=2_000)
    # By chance, cuts are so many in a few pairs that some launches are taken to be longer.
    assert wrong <= 5


def test_a_pair_with_a_neighbours_slice_tells_of_it():
    costs = new_costs()
    assert learn(costs, [100 * US, 101 * US, 100 * US + SLICE_NS, 99 * US]) == [
        False,
        False,
        True,
        False,
    ]


def test_a_kernel_whose_length_varies_costs_its_mean():
    costs = new_costs()
    draw = random.Random(3)
    learn(costs, [round(draw.uniform(400, 1_200)) * US for _ in range(400)])
    # The mean of eight pairs, as far as that is one; their lowest would be 400 us.
    assert cost_ns(costs) == pytest.approx(800 * US, rel=0.35)


@pytest.mark.parametrize("kernel_us", [20, 50, 700, 1_400, 11_000])
def test_a_kernel_that_other_streams_of_its_process_often_delay_costs_its_own_time(kernel_us):
    costs, draw = new_costs(), random.Random(7)
    own_ns = kernel_us * US
    pairs_ns = [own_ns + draw.choice([0, 0, 335, 400, 700, 1_100]) * US for _ in range(300)]
    learn(costs, pairs_ns, is_side_by_side=True)
    assert cost_ns(costs) == pytest.approx(own_ns, rel=0.01)


@given(st.integers(3 * MS, 40 * MS), st.integers(1, 3))
def test_a_long_kernel_that_was_once_alone_keeps_its_price_beside_neighbours(kernel_ns, neighbours):
    costs = new_costs()
    learn(costs, [kernel_ns] * 4)
    learn(costs, pairs_beside(kernel_ns, neighbours, 300), is_alone=False)
    assert cost_ns(costs) == pytest.approx(kernel_ns, rel=0.01)


@given(st.integers(3 * MS, 40 * MS), st.integers(1, 3))
def test_a_long_kernel_that_was_never_alone_costs_too_much_rather_than_too_little(
    kernel_ns, neighbours
):
    costs = new_costs()
    learn(costs, pairs_beside(kernel_ns, neighbours, 50), is_alone=False)
    assert cost_ns(costs) >= kernel_ns


def test_a_long_kernel_is_priced_anew_at_its_first_pair_alone():
    costs = new_costs()
    learn(costs, [23 * MS] * 50, is_alone=False)
    learn(costs, [11 * MS])
    assert cost_ns(costs) == pytest.approx(11 * MS, rel=0.01)


def of_lengths(lengths_ns: list[int], number: int, seed: int = 1) -> list[int]:
    """Return pairs of launches of one shape whose lengths follow no order."""
    draw = random.Random(seed)
    return [draw.choice(lengths_ns) + draw.randrange(2_000) for _ in range(number)]


@given(st.integers(20 * US, 8 * MS), st.floats(1.5, 20), st.integers(0, 1000))
def test_launches_of_two_lengths_cost_their_mean_alone(short_ns, times, seed):
    costs = new_costs()
    pairs_ns = of_lengths([short_ns, round(short_ns * times)], 256, seed)
    learn(costs, pairs_ns, left=1.0)
    latest_ns = pairs_ns[-32:]
    mean_ns = sum(latest_ns) / len(latest_ns)
    assert cost_ns(costs) == pytest.approx(mean_ns, rel=0.35)


@given(st.integers(20 * US, 8 * MS), st.floats(1.5, 20), st.integers(0, 1000))
def test_alone_every_launch_of_a_mix_is_charged_what_its_pair_reads(short_ns, times, seed):
    costs = new_costs()
    entry = library().tf_cost_search(costs, KEY)
    pairs_ns = of_lengths([short_ns, round(short_ns * times)], 64, seed)
    learn(costs, pairs_ns, left=1.0)
    scene = Scene(ONE_Q32, is_alone=True)
    charged_ns = [library().tf_cost_learn(costs, entry, ns, scene).cost_ns for ns in pairs_ns]
    assert charged_ns == pairs_ns


@given(st.integers(20 * US, 500 * US), st.integers(800 * US, 1_200 * US), st.integers(0, 1000))
def test_what_is_far_more_often_than_slices_end_is_longer_and_not_cut(short_ns, long_ns, seed):
    costs = new_costs()
    pairs_ns = of_lengths([short_ns, long_ns], 300, seed)
    learn(costs, pairs_ns, is_alone=False, left=0.5)
    assert short_ns + (long_ns - short_ns) / 10 <= cost_ns(costs) <= long_ns
    assert [lesson_ns(costs, pair_ns) for pair_ns in pairs_ns] == pairs_ns


def lesson_ns(costs: Costs, pair_ns: int) -> int:
    """Return what a launch beside others is charged after its pair."""
    entry = library().tf_cost_search(costs, KEY)
    scene = Scene(ONE_Q32 // 2, is_alone=False)
    charged: int = library().tf_cost_learn(costs, entry, pair_ns, scene).cost_ns
    return charged


@given(st.integers(3 * US, MS), st.integers(20 * US, 10 * MS))
def test_what_the_host_was_late_for_costs_nothing(kernel_ns, late_ns):
    costs = new_costs()
    for _ in range(30):
        learn(costs, [kernel_ns] * 3, left=1.0)
        learn(costs, [kernel_ns + late_ns], left=1.0, late_ns=late_ns)
    assert cost_ns(costs) == kernel_ns


def test_a_few_far_pairs_alone_are_the_hosts_doing_and_no_longer_launches():
    costs = new_costs()
    learn(costs, ([5 * US] * 99 + [3 * MS]) * 4, left=1.0)
    assert cost_ns(costs) == pytest.approx(5 * US, abs=100)


@given(st.integers(50 * US, 1_500 * US), st.floats(1.3, 10), st.integers(0, 2))
def test_what_times_alone_have_shown_of_a_mix_counts_beside_neighbours(short_ns, times, neighbours):
    costs = new_costs()
    lengths_ns = [short_ns, round(short_ns * times)]
    learn(costs, of_lengths(lengths_ns, 200), left=1.0)
    draw = random.Random(2)
    for _ in range(150):
        (pair_ns,) = pairs_beside(draw.choice(lengths_ns), neighbours, 1, seed=draw.random())
        learn(costs, [pair_ns], is_alone=False, left=0.5)
    # Windows of 64 pairs in no order are that far off.
    assert cost_ns(costs) == pytest.approx(sum(lengths_ns) / 2, rel=0.25)


def test_what_was_seen_at_the_very_end_of_times_alone_does_not_count():
    costs = new_costs()
    learn(costs, [11 * MS] * 200, left=1.0)
    learn(costs, [24 * MS] * 20, left=1.0)
    learn(costs, [24 * MS] * 40, is_alone=False, left=0.6)
    assert cost_ns(costs) == pytest.approx(11 * MS, rel=0.01)


def test_a_mix_whose_longer_launches_have_ended_costs_what_is_left_of_it():
    costs = new_costs()
    learn(costs, [100 * US, 900 * US] * 150, left=1.0)
    learn(costs, [100 * US] * 2_000, is_alone=False, left=0.5)
    assert cost_ns(costs) == pytest.approx(100 * US, rel=0.1)


def cut_evenly(kernel_ns: int, left: float) -> int:
    """Return the pair of a kernel whose neighbours use the rest of the GPU evenly."""
    own_ns, switches_ns = 2_100_000, 330_000
    cut_ns = (own_ns + switches_ns) / left - own_ns
    return round(kernel_ns + kernel_ns // own_ns * cut_ns)


@given(st.integers(3 * MS, 60 * MS), st.floats(0.4, 0.75))
def test_a_long_kernel_that_is_always_cut_costs_what_others_leave_of_it(kernel_ns, left):
    costs = new_costs()
    learn(costs, [cut_evenly(kernel_ns, left)] * 40, is_alone=False, left=left)
    assert cost_ns(costs) == pytest.approx(kernel_ns, rel=0.2)


@given(st.lists(st.integers(3 * MS, 90 * MS), min_size=2, max_size=40), st.floats(0.001, 0.999))
def test_what_others_leave_prices_within_the_bounds_of_one_who_does_not_know_it(pairs_ns, left):
    told, untold = new_costs(), new_costs()
    learn(told, pairs_ns, is_alone=False, left=left)
    learn(untold, pairs_ns, is_alone=False)
    assert pairs_ns[-1] // 8 <= cost_ns(told) <= cost_ns(untold)


@given(st.integers(3 * MS, 40 * MS), st.floats(0.2, 0.7))
def test_a_long_kernel_that_is_known_to_have_been_alone_keeps_its_price(kernel_ns, left):
    costs = new_costs()
    learn(costs, [kernel_ns] * 70, left=1.0)
    learn(costs, [cut_evenly(kernel_ns, left)] * 100, is_alone=False, left=left)
    assert cost_ns(costs) == pytest.approx(kernel_ns, rel=0.01)


def test_a_long_kernel_that_often_meets_a_neighbour_and_often_not_costs_its_shortest_pair():
    costs = new_costs()
    learn(costs, [11 * MS, 24 * MS] * 70, is_alone=False, left=0.7)
    assert cost_ns(costs) == pytest.approx(11 * MS, rel=0.01)


def test_a_long_kernel_that_takes_less_than_it_was_known_to_is_judged_anew():
    costs = new_costs()
    learn(costs, [20 * MS] * 70, left=1.0)
    learn(costs, [10 * MS] * 10, is_alone=False, left=0.6)
    assert cost_ns(costs) < 7 * MS


def test_neighbours_excuse_a_factor_of_eight_and_no_more():
    costs = new_costs()
    learn(costs, [3 * MS] * 4)
    learn(costs, [800 * MS], is_alone=False)
    assert cost_ns(costs) >= 100 * MS


def test_a_short_kernel_that_takes_longer_from_now_on_is_priced_so():
    costs = new_costs()
    learn(costs, [MS] * 40)
    learn(costs, [10 * MS] * 100)
    assert cost_ns(costs) == pytest.approx(10 * MS, rel=0.01)


@given(st.integers(2 * US, 60 * US), st.integers(0, 3_500), st.integers(8, 400))
def test_runs_of_launches_tell_what_pairs_read_too_much(kernel_ns, overhead_ns, launches):
    costs = new_costs()
    library().tf_cost_learn_empty(costs, overhead_ns * 2 // 5)
    pair_ns = kernel_ns + overhead_ns
    for _ in range(20):
        learn(costs, [pair_ns])
        library().tf_cost_learn_run(
            costs, launches, launches * pair_ns, launches * kernel_ns + overhead_ns
        )
    assert library().tf_cost_overhead_ns(costs) == pytest.approx(overhead_ns, abs=10)
    assert cost_ns(costs) == pytest.approx(max(kernel_ns, pair_ns // 4), abs=10)


@pytest.mark.parametrize(
    ("launches", "pairs_ns", "elapsed_ns"),
    [
        (7, 7 * 10 * US, 7 * 7 * US),
        (20, 20 * 200 * US, 20 * 197 * US),
        (20, 20 * 10 * US, 20 * 10 * US + SLICE_NS),
    ],
    ids=["few launches", "long launches", "a neighbour's slice"],
)
def test_runs_that_cannot_tell_are_not_learned_from(launches, pairs_ns, elapsed_ns):
    costs = new_costs()
    library().tf_cost_learn_run(costs, launches, pairs_ns, elapsed_ns)
    assert costs.runs == 0


def test_keys_that_collide_are_apart():
    costs = new_costs()
    keys = [77 * PLACE + number for number in range(2, 16)]
    for number, key in enumerate(keys):
        learn(costs, [(number + 1) * MS], key=key)
    assert [cost_ns(costs, key) for key in keys] == [(n + 1) * MS for n in range(len(keys))]


def test_in_a_full_table_the_rare_give_way_and_the_frequent_stay():
    costs = new_costs()
    draw = random.Random(5)
    frequent = [draw.getrandbits(64) | 2 for _ in range(200)]
    for round_ in range(20):
        for key in frequent:
            learn(costs, [100 * US] * 8, key=key)
        for _ in range(ENTRIES // 4 if round_ > 5 else 0):
            learn(costs, [9 * MS], key=draw.getrandbits(64) | 2)
    known = sum(library().tf_cost_search(costs, key).contents.sampled >= 100 for key in frequent)
    assert known >= 0.8 * len(frequent)


def test_a_key_that_is_forgotten_is_unknown_and_leaves_its_place():
    costs = new_costs()
    learn(costs, [MS] * 3)
    library().tf_cost_forget(costs, KEY)
    assert library().tf_cost_search(costs, KEY).contents.sampled == 0
    assert sum(entry.key == KEY for entry in costs.entry) == 1
