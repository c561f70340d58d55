import pytest

from recommender.decision import Code
from recommender.pricing import Prices
from recommender.report.subject import Subject
from recommender.resources import GIB
from tests.recommender.report.builders import NAN, RUNNING, Row, report, tflops, vram

PRICED = Subject(owner="Deployment/chat", pool="a", price_per_gpu_hour=2.0, price_source="file")


def half_to_tenth(**overrides):
    """Return a workload whose request falls from half a GPU to a tenth of one."""
    fields = {
        "tflops": tflops(request=50.0, limit=50.0, target_request=10.0, target_limit=20.0),
        "vram": vram(target_request=4 * GIB, target_limit=5 * GIB, highest=4 * GIB),
        "subject": PRICED,
        "replicas": 4.0,
        "target_replicas": 4.0,
    }
    return Row(**(fields | overrides))


def money_of(*rows):
    return [item.money for item in report(*rows).items if item.money is not None]


def test_cost_is_the_larger_share_times_the_price_for_all_workers():
    (money,) = money_of(half_to_tenth())

    assert (money.current_per_hour, money.recommended_per_hour) == (4.0, 0.8)
    assert money.saving_per_month == 2336.0
    assert (money.is_estimated, money.price_source) == (True, "file")


def test_devices_per_worker_multiply_the_cost():
    (money,) = money_of(half_to_tenth(gpu_count=2))

    assert money.current_per_hour == 8.0


def test_two_savings_of_one_workload_are_paid_once():
    built = report(half_to_tenth())

    assert [item.severity for item in built.items[:2]] == ["SAVING", "SAVING"]
    assert [item.money is None for item in built.items] == [False, True, True]
    assert built.meta.totals.saving_per_month == 2336.0


def test_money_stands_on_the_item_that_holds_the_larger_share():
    built = report(Row(vram=vram(request=40 * GIB, target_request=20 * GIB), subject=PRICED))

    assert [item.resource for item in built.items if item.money] == ["vram_bytes"]


def test_an_item_within_its_threshold_saves_nothing():
    (money,) = money_of(Row(tflops=tflops(target_request=11.5), subject=PRICED))

    assert (money.saving_per_month, money.freed_gpus) == (0.0, 0.0)


def test_a_raise_costs_more_and_is_deducted_from_the_total():
    raised = Row(
        workload="b", tflops=tflops(p95=20.0, target_request=22.0), subject=PRICED, replicas=1.0
    )
    built = report(half_to_tenth(), raised)

    assert built.items[3].money.saving_per_month == pytest.approx(-146.0)
    assert built.meta.totals.saving_per_month == pytest.approx(2336.0 - 146.0)


def test_replicas_that_change_are_not_counted_as_money():
    few, many = (money_of(half_to_tenth(target_replicas=n))[0] for n in (1.0, 9.0))

    assert few == many


def test_without_a_price_capacity_is_shown_and_money_is_unknown():
    (money,) = money_of(half_to_tenth(subject=Subject()))

    assert (money.current_per_hour, money.saving_per_month, money.price_source) == (None,) * 3
    assert money.freed_gpus == 1.6


def test_without_a_card_nothing_is_known():
    row = half_to_tenth(tflops=tflops(card=NAN, request=50.0), vram=vram(card=NAN), subject=PRICED)

    assert money_of(row) == []


def test_nothing_in_force_saves_nothing():
    row = Row(
        tflops=tflops(request=NAN, limit=NAN), vram=vram(request=NAN, limit=NAN), subject=PRICED
    )

    assert money_of(row) == []


def test_where_nothing_can_be_recommended_there_is_a_cost_but_no_saving():
    nothing = {"target_request": NAN, "target_limit": NAN, "unknown": Code.NotEnoughHistory}
    (money,) = money_of(half_to_tenth(tflops=tflops(**nothing), vram=vram(**nothing)))

    assert money.current_per_hour == 0.96
    assert (money.saving_per_month, money.freed_gpus) == (None, None)


def test_prices_per_resource_win_over_the_price_of_a_gpu():
    prices = Prices(per_tflops_hour=0.1, per_vram_gib_hour=0.01)
    subject = Subject(price_per_gpu_hour=2.0, prices=prices)
    (money,) = money_of(half_to_tenth(subject=subject, replicas=1.0))

    assert money.current_per_hour == pytest.approx(50 * 0.1 + 8 * 0.01)
    assert not money.is_estimated


def test_only_whole_gpus_count_as_releasable():
    one = report(half_to_tenth()).meta.totals
    small = report(half_to_tenth(replicas=1.0)).meta.totals

    assert (one.releasable_gpus, one.freed_gpus) == (1, 1.6)
    assert (small.releasable_gpus, small.freed_gpus) == (0, 0.4)


def test_pools_are_packed_apart():
    other = half_to_tenth(workload="b", subject=Subject(pool="b"))
    totals = report(half_to_tenth(), other).meta.totals

    assert [(pool.pool, pool.gpus_now, pool.releasable_gpus) for pool in totals.pools] == [
        ("a", 2, 1),
        ("b", 2, 1),
    ]


def test_workers_that_have_ended_are_not_paid_for():
    [pool] = report(half_to_tenth(replicas=NAN, target_replicas=NAN)).meta.totals.pools
    assert pool.workers == RUNNING


def test_a_workload_on_two_gpu_models_counts_the_workers_that_run_on_each():
    totals = report(half_to_tenth(), half_to_tenth(gpu_model="L4")).meta.totals

    assert [pool.workers for pool in totals.pools] == [2, 2]
