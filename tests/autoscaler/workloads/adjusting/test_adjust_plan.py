from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.api.condition_reasons import CapReason
from autoscaler.workloads.adjusting.adjust_plan import Amounts, Bound, Side, is_same, plan
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from recommender.quantities import format_quantity, parse_quantity

MIB = 2**20
GIB = 2**30
CARD = GpuAmounts(microtflops=100_000_000, vram_bytes=80 * GIB)
UNITS = ("tflops", "compute-percent")


def worker(unit="tflops", *, compute=(10, 20), vram_mib=(4096, 8192)):
    """Return what a worker states: (request, limit) in TFLOPS or percent, and in MiB."""
    return {
        **dict(zip((f"{unit}-request", f"{unit}-limit"), map(str, compute), strict=True)),
        **dict(
            zip(("vram-request", "vram-limit"), (f"{each}Mi" for each in vram_mib), strict=True)
        ),
    }


def on_gpu(stated, side, *, is_vram):
    """Return an amount on the card, as the books count it."""
    if is_vram:
        return int(parse_quantity(stated[f"vram-{side}"]))
    for unit in UNITS:
        if f"{unit}-{side}" in stated:
            # Of a card with 100 TFLOPS a percent is one TFLOPS.
            return int((parse_quantity(stated[f"{unit}-{side}"]) * 10**6).to_integral_value())
    raise AssertionError("no compute is stated")


def present_of(stated):
    request, limit = (
        GpuAmounts(
            microtflops=on_gpu(stated, side, is_vram=False),
            vram_bytes=on_gpu(stated, side, is_vram=True),
        )
        for side in (Side.REQUEST, Side.LIMIT)
    )
    return Amounts(request=request, limit=limit)


def planned(current, wanted, bounds=()):
    return plan(current, wanted, present=present_of(current), capacity=CARD, bounds=bounds)


def bound(side, most, *, is_vram=False, reason=CapReason.GPU_FULL, who="GPU gpu-1"):
    return Bound(side=side, is_vram=is_vram, most=most, reason=reason, who=who)


def test_what_has_room_is_granted_as_it_is_spelt():
    wanted = {**worker(), "tflops-request": "12500m", "vram-limit": "16Gi"}
    granted = planned(worker(), wanted, [bound(Side.REQUEST, 12_500_000)])
    assert granted.changes == {"tflops-request": "12500m", "vram-limit": "16Gi"}
    assert granted.capped == ()
    assert (granted.has_raise, granted.has_decrease) == (True, False)


def test_the_same_amount_in_another_spelling_is_no_change():
    wanted = {**worker(), "tflops-request": "10000m", "vram-limit": "8Gi"}
    assert planned(worker(), wanted).changes == {}


def test_a_raise_is_cut_to_whole_steps_below_the_tightest_bound():
    wanted = worker(compute=(15, 20), vram_mib=(6000, 8192))
    granted = planned(
        worker(),
        wanted,
        [
            bound(Side.REQUEST, 13_000_000),
            bound(Side.REQUEST, 12_345_678, reason=CapReason.QUOTA_EXCEEDED, who="quota q"),
            bound(Side.REQUEST, 5000 * MIB + 17, is_vram=True),
        ],
    )
    assert granted.changes == {"tflops-request": "12345m", "vram-request": "5000Mi"}
    assert [(each.reason, each.message) for each in granted.capped] == [
        (
            "QuotaExceeded",
            "tflops-request: 15 wanted, 12345m granted; quota q lacks 2.655 TFLOPS",
        ),
        ("GPUFull", "vram-request: 6000Mi wanted, 5000Mi granted; GPU gpu-1 lacks 1000Mi"),
    ]


@pytest.mark.parametrize("most", [-5, 0, 9_999_999, 10_000_000, 10_000_999])
def test_no_bound_takes_away_what_a_worker_has(most):
    granted = planned(worker(), worker(compute=(15, 20)), [bound(Side.REQUEST, most)])
    assert granted.changes == {}
    (capped,) = granted.capped
    assert capped.message == "tflops-request: 15 wanted, 10 granted; GPU gpu-1 lacks 5 TFLOPS"


def test_a_decrease_needs_no_room():
    granted = planned(worker(), worker(compute=(5, 15)), [bound(Side.REQUEST, 0)])
    assert granted.changes == {"tflops-request": "5", "tflops-limit": "15"}
    assert (granted.capped, granted.has_raise, granted.has_decrease) == ((), False, True)


def test_a_request_ends_at_a_limit_that_could_not_be_raised():
    granted = planned(
        worker(),
        worker(compute=(30, 40)),
        [bound(Side.LIMIT, 25_000_000, reason=CapReason.ABOVE_GPU)],
    )
    assert granted.changes == {"tflops-request": "25", "tflops-limit": "25"}
    assert [each.reason for each in granted.capped] == ["AboveGPU", "AboveLimit"]


def test_percent_are_cut_so_that_they_fit_on_the_card():
    current = worker("compute-percent")
    capacity = GpuAmounts(microtflops=312_000_000, vram_bytes=80 * GIB)
    present = Amounts(
        request=GpuAmounts(microtflops=31_200_000, vram_bytes=4 * GIB),
        limit=GpuAmounts(microtflops=62_400_000, vram_bytes=8 * GIB),
    )
    wanted = worker("compute-percent", compute=(20, 20))
    bounds = [bound(Side.REQUEST, 50_000_000)]
    granted = plan(current, wanted, present=present, capacity=capacity, bounds=bounds)
    assert granted.changes == {"compute-percent-request": "16025m"}
    assert Decimal("16.025") * 312 / 100 <= 50


MILLI = st.integers(1, 200_000)
MEBI = st.integers(1, 200_000)


@st.composite
def stated(draw, unit):
    """Return amounts with each request at most its limit."""
    most = 100_000 if unit == "compute-percent" else 200_000
    low, high = sorted(draw(st.tuples(st.integers(1, most), st.integers(1, most))))
    small, large = sorted(draw(st.tuples(MEBI, MEBI)))
    milli = [format_quantity(Decimal(each).scaleb(-3)) for each in (low, high)]
    return worker(unit, compute=milli, vram_mib=(small, large))


@st.composite
def changes(draw):
    """Return what a worker has, what it is to have, and what bounds it."""
    unit = draw(st.sampled_from(UNITS))
    bounds = draw(
        st.lists(
            st.builds(
                lambda side, is_vram, most: bound(side, most, is_vram=is_vram),
                st.sampled_from(Side),
                st.booleans(),
                st.integers(-(10**9), 2 * 10**11),
            ),
            max_size=6,
        )
    )
    return draw(stated(unit)), draw(stated(unit)), bounds


AMOUNTS = [(side, is_vram) for side in Side for is_vram in (False, True)]


@given(changes())
def test_a_plan_is_within_all_bounds_and_between_what_is_there_and_what_is_wanted(given_):
    current, wanted, bounds = given_
    after = {**current, **planned(current, wanted, bounds).changes}
    for side, is_vram in AMOUNTS:
        had, asked, has = (on_gpu(each, side, is_vram=is_vram) for each in (current, wanted, after))
        assert min(had, asked) <= has <= max(had, asked)
        for each in bounds:
            if (each.side, each.is_vram) == (side, is_vram):
                assert has <= max(had, each.most)


@given(changes())
def test_no_request_is_above_its_limit(given_):
    current, wanted, bounds = given_
    after = {**current, **planned(current, wanted, bounds).changes}
    for is_vram in (False, True):
        low, high = (on_gpu(after, side, is_vram=is_vram) for side in (Side.REQUEST, Side.LIMIT))
        assert low <= high


@given(changes())
def test_a_plan_that_was_carried_out_changes_nothing_more(given_):
    current, wanted, bounds = given_
    first = planned(current, wanted, bounds)
    after = {**current, **first.changes}
    again = planned(after, wanted, bounds)
    assert again.changes == {}
    assert len(again.capped) == len(first.capped)


@given(changes())
def test_without_bounds_everything_is_granted_and_only_differences_are_changes(given_):
    current, wanted, _ = given_
    granted = planned(current, wanted)
    assert granted.capped == ()
    assert granted.changes == {
        key: quantity for key, quantity in wanted.items() if not is_same(current[key], quantity)
    }


@given(st.lists(st.tuples(MILLI, MILLI), min_size=1, max_size=6), MILLI, st.randoms())
def test_what_workers_of_one_gpu_get_together_does_not_depend_on_their_order(
    workers, free_milli, random
):
    def granted_milli(order):
        free, total = free_milli, 0
        for had, more in order:
            quantities = [format_quantity(Decimal(each).scaleb(-3)) for each in (had, had + more)]
            current = worker(compute=(quantities[0], "1000"))
            wanted = worker(compute=(quantities[1], "1000"))
            most = [bound(Side.REQUEST, (had + free) * 1000)]
            after = {**current, **planned(current, wanted, most).changes}
            got = on_gpu(after, Side.REQUEST, is_vram=False) // 1000 - had
            free, total = free - got, total + got
        return total

    shuffled = random.sample(workers, len(workers))
    expected = min(free_milli, sum(more for _, more in workers))
    assert granted_milli(workers) == granted_milli(shuffled) == expected
