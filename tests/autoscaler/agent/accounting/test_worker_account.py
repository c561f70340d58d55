import pytest

from autoscaler.agent.accounting.worker_account import STEADY_LOOKS, WorkerAccount
from autoscaler.agent.pages.progress import progress
from tests.autoscaler.agent.accounting.looks import (
    GIB,
    device,
    look,
    process,
    reading,
    worker,
)

NOW_S = 1000.0


def _account(**changes):
    return WorkerAccount("a", device(**changes), 0)


def _shown(account, now_s=NOW_S, **changes):
    return account.shown(worker(**changes), 0.3, 1.5, now_s)


def _used(account, used, now_s, trim_k=1.0):
    """Let a worker be charged a part of the second before ``now_s``."""
    before, after = reading(), reading(now_ns=10**9, charged_ns=int(used * 1e9))
    account.observe_use(after, progress(before, after, 0), now_s, trim_k)


def test_of_a_worker_that_has_not_begun_only_what_is_in_force_is_shown():
    shown = _shown(_account())

    assert (shown.compute_share, shown.memory_bytes, shown.device_s) == (None, None, None)
    assert (shown.effective_share, shown.trim_ratio) == (0.3, 1.5)
    assert (shown.unaccounted_share, shown.unaccounted_bytes, shown.over_limit_bytes) == (0, 0, 0)


def test_counters_are_those_of_the_page():
    account = _account()
    page = reading(
        charged_ns=3 * 10**9,
        blocked_ns=10**9,
        launches=7,
        denied_allocations=2,
        denied_bytes=GIB,
    )

    account.observe_use(page, None, NOW_S, 1.0)
    shown = _shown(account)

    assert (shown.device_s, shown.throttled_s, shown.launches) == (3.0, 1.0, 7)
    assert (shown.denied_allocations, shown.denied_bytes) == (2, GIB)
    assert shown.compute_share is None


def test_compute_is_the_trimmed_mean_since_the_boundary():
    account = _account()
    _used(account, 0.9, 1005.0)
    _used(account, 0.2, 1006.0, trim_k=1.5)
    _used(account, 0.4, 1007.0, trim_k=1.5)

    assert _shown(account, 1007.0).compute_share == pytest.approx(0.45)


def test_a_launch_that_is_charged_at_once_is_never_more_than_the_card():
    account = _account()
    _used(account, 20.0, 1002.0)

    assert _shown(account, 1002.0).compute_share == 1.0


def test_memory_is_the_most_that_page_or_driver_said_since_the_boundary():
    account = _account()
    account.observe_use(reading(1001, memory_bytes=GIB), None, 1001.0, 1.0)
    seen = look(process(1001, memory_bytes=3 * GIB), owners={1001: "a"}, metered=[1001])
    account.observe_card(seen, {}, 1002.0)
    account.observe_card(look(owners={}), {}, 1003.0)

    shown = _shown(account, 1003.0)

    assert (shown.memory_bytes, shown.over_limit_bytes) == (3 * GIB, 0)


def test_memory_above_a_lowered_limit_is_shown():
    account = _account()
    account.observe_use(reading(1001, memory_bytes=3 * GIB), None, NOW_S, 1.0)

    assert _shown(account, vram_limit_bytes=GIB).over_limit_bytes == 2 * GIB


def test_a_page_cannot_claim_more_memory_than_the_card_has():
    account = _account(vram_bytes=80 * GIB)
    account.observe_use(reading(1001, memory_bytes=2**63), None, NOW_S, 1.0)

    assert _shown(account).memory_bytes == account.slot_bytes == 80 * GIB


def _bypassing(**changes):
    return look(
        process(1001, 90.0, memory_bytes=5 * GIB),
        owners={1001: "a"},
        **{"busy_percent": 90.0, **changes},
    )


def test_work_and_memory_beside_the_limiter_are_shown_when_they_last():
    account = _account()
    shares = []
    for i in range(STEADY_LOOKS):
        account.observe_card(
            look(owners={}, busy_percent=0.0) if i == 0 else _bypassing(), {}, NOW_S
        )
        shares.append(_shown(account).unaccounted_share)
    account.observe_card(_bypassing(), {}, NOW_S)

    assert shares == [0.0] * STEADY_LOOKS
    assert _shown(account).unaccounted_share == pytest.approx(0.9)
    assert _shown(account).unaccounted_bytes == 5 * GIB


def test_instances_of_mig_have_no_time_beside_the_limiter():
    account = _account(is_mig=True)
    for _ in range(STEADY_LOOKS):
        account.observe_card(_bypassing(), {}, NOW_S)

    assert _shown(account).unaccounted_share == 0.0


def test_while_a_card_is_under_mps_there_is_no_time_beside_the_limiter():
    account = _account()
    for _ in range(STEADY_LOOKS):
        account.observe_card(_bypassing(is_under_mps=True), {}, NOW_S)

    assert _shown(account).unaccounted_share == 0.0


def test_tensor_activity_is_apportioned_by_device_time_at_the_clock_of_now():
    account = _account(tflops=1000.0)
    seen = look(owners={}, tensor_percent=50.0, sm_clock_mhz=900, max_sm_clock_mhz=1800)
    for at_s in (1001.0, 1002.0, 1003.0):
        account.observe_card(seen, {"a": 0.2, "b": 0.6}, at_s)

    assert _shown(account, 1003.0).tensor_tflops == pytest.approx(1000.0 * 0.5 * 0.5 * 0.25)


def test_tensor_activity_counts_at_the_highest_clock_where_the_data_sheet_has_a_lower_one():
    account = _account(tflops=1000.0, highest_clock_tflops=1100.0)
    seen = look(owners={}, tensor_percent=50.0, sm_clock_mhz=1980, max_sm_clock_mhz=1980)
    for at_s in (1001.0, 1002.0, 1003.0):
        account.observe_card(seen, {"a": 1.0}, at_s)

    assert _shown(account, 1003.0).tensor_tflops == pytest.approx(1100.0 * 0.5)


def test_nobody_claims_more_tensor_activity_than_a_whole_card_s_user():
    account = _account(tflops=1000.0)
    for at_s in (1001.0, 1002.0):
        account.observe_card(look(owners={}, tensor_percent=50.0), {"a": 0.5, "b": 1e9}, at_s)

    assert _shown(account, 1002.0).tensor_tflops == pytest.approx(500.0 * 0.5 / 1.5)


def test_without_tensor_activity_nothing_is_shown_of_it():
    account = _account()
    for at_s in (1001.0, 1002.0):
        account.observe_card(look(owners={}), {"a": 0.2}, at_s)

    assert _shown(account, 1002.0).tensor_tflops is None


def test_a_card_that_nobody_was_charged_for_has_no_tensor_activity_of_a_worker():
    account = _account()
    for at_s in (1001.0, 1002.0):
        account.observe_card(look(owners={}, tensor_percent=50.0), {}, at_s)

    assert _shown(account, 1002.0).tensor_tflops == 0.0
