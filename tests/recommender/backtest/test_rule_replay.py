from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recommender.backtest.plan import ReplayPlan
from recommender.backtest.replayed_fleet import unbounded_workloads
from recommender.backtest.rule_replay import replay_rule
from recommender.backtest.rules import TENSOR_FUSION, VPA
from recommender.decision import Layer
from recommender.resources import GIB, TFLOPS, VRAM
from tests.recommender.backtest.frames import HOUR_S, daily, frame_of

HOURLY = ReplayPlan(steps_s={Layer.REQUESTS: HOUR_S, Layer.LIMITS: HOUR_S})
DAY = 24
BUCKET = 1.05
"""A histogram answers with the end of a bucket: at most 5 % more."""


def amounts(frame, rule, *, plan=HOURLY, layer=Layer.REQUESTS, **stated):
    """Return what a rule puts in force at every decision, of the first resource: [D, W]."""
    workloads = unbounded_workloads(frame.workloads, len(frame.resources), **stated)
    return replay_rule(frame, rule, plan, workloads)[layer].amounts[:, :, 0]


def hours(values, resources=(TFLOPS,)):
    """Return a frame of one series with samples of an hour each."""
    return frame_of(np.asarray(values, float)[None], resources=resources, step_s=HOUR_S)


def weighted_percentile(values, ages_h, half_life_h, level):
    """Return the smallest value up to which lies so much of the weight, counted one by one."""
    weights = 0.5 ** (np.asarray(ages_h) / half_life_h)
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    return values[order][np.searchsorted(cumulative, level * cumulative[-1] - 1e-12)]


@given(arrays(np.float64, 30, elements=st.floats(1, 1000)))
def test_a_request_of_the_vpa_is_its_percentile_with_a_margin(use):
    last = amounts(hours(use), replace(VPA, lower_below=0.0))[-1, 0]
    seen = use[:-1]
    exact = weighted_percentile(seen, np.arange(len(seen))[::-1], 24, 0.9)
    assert exact * 1.15 * (1 - 1e-9) <= last <= (exact * BUCKET + 0.1) * 1.15


def test_tensor_fusion_covers_half_of_use_unless_the_qos_is_high():
    use = np.tile(np.arange(1.0, 101.0), 2)
    frame = frame_of(np.tile(use, (4, 1)))
    quick = ReplayPlan(steps_s={Layer.REQUESTS: 60})
    low, medium, high, critical = amounts(
        frame, replace(TENSOR_FUSION, lower_below=0.0), plan=quick, qos=np.arange(4, dtype=np.int8)
    )[-1]
    assert low == medium < high < critical
    assert 50 < medium < 75
    assert critical > 100


def test_tensor_fusion_forgets_within_hours():
    use = [100.0] * 5 + [10.0] * 12
    limit = amounts(hours(use), TENSOR_FUSION, layer=Layer.LIMITS)
    assert limit[4, 0] > 100
    assert limit[-1, 0] < 15


def test_tensor_fusion_states_whole_tflops_and_at_least_one():
    small, large = (amounts(hours([use] * 4), TENSOR_FUSION)[-1, 0] for use in (0.3, 33.3))
    assert small == 1.0
    assert large == np.floor(large) > 33.3


def test_tensor_fusion_never_lowers_a_compute_limit_below_the_stated_one():
    frame = hours([10.0] * 6)
    stated = {"stated_limit": np.array([[80.0]])}
    assert amounts(frame, TENSOR_FUSION, layer=Layer.LIMITS, **stated)[-1, 0] == 80.0
    assert amounts(frame, TENSOR_FUSION, layer=Layer.LIMITS)[-1, 0] < 15


def test_tensor_fusion_may_lower_a_vram_limit():
    frame = hours([10.0 * GIB] * 6, (VRAM,))
    stated = {"stated_limit": np.array([[80 * GIB]])}
    assert amounts(frame, TENSOR_FUSION, layer=Layer.LIMITS, **stated)[-1, 0] < 15 * GIB


def test_the_vpa_keeps_the_ratio_of_a_stated_limit_to_its_request():
    frame = hours([10.0] * 6)
    stated = {"stated_request": np.array([[20.0]]), "stated_limit": np.array([[60.0]])}
    request = amounts(frame, VPA, **stated)
    assert amounts(frame, VPA, layer=Layer.LIMITS, **stated) == pytest.approx(3 * request)


def test_the_vpa_has_no_limit_where_none_is_stated():
    limits = amounts(hours([10.0] * 6), VPA, layer=Layer.LIMITS, limit=np.array([[40.0]]))
    assert np.isnan(limits).all()


def test_the_vpa_sizes_vram_by_the_highest_use_of_each_day():
    day = np.full(DAY, 10.0)
    day[3] = 40.0
    request = amounts(hours(np.tile(day, 3) * GIB, (VRAM,)), VPA)[:, 0] / GIB
    assert (request[:3] < 15).all()
    assert ((request[3:] > 40 * 1.15 * (1 - 1e-6)) & (request[3:] < 40 * 1.15 * BUCKET)).all()


@given(arrays(np.float64, 60, elements=st.floats(1, 80)), st.integers(1, 59))
def test_a_peak_enters_once_whatever_the_decision_step(use, step_h):
    frame = hours(use * GIB, (VRAM,))
    rule = replace(VPA, lower_below=0.0)
    coarse = ReplayPlan(steps_s={Layer.REQUESTS: step_h * HOUR_S})
    seldom = replay_rule(frame, rule, coarse, unbounded_workloads(frame.workloads, 1))
    often = replay_rule(frame, rule, HOURLY, unbounded_workloads(frame.workloads, 1))
    at = np.isin(often[Layer.REQUESTS].since_s, seldom[Layer.REQUESTS].since_s)
    assert seldom[Layer.REQUESTS].amounts == pytest.approx(often[Layer.REQUESTS].amounts[at])


@pytest.mark.parametrize("rule", [TENSOR_FUSION, VPA], ids=["tf", "vpa"])
def test_no_decision_sees_later_use(rule):
    use = daily(3, 30, step_s=300)
    whole = amounts(frame_of(use, step_s=300), rule)
    half = amounts(frame_of(use[:, : use.shape[1] // 2], step_s=300), rule)
    np.testing.assert_array_equal(whole[: len(half)], half)


@pytest.mark.parametrize("rule", [TENSOR_FUSION, VPA], ids=["tf", "vpa"])
def test_workloads_do_not_see_each_other(rule):
    use = daily(3, 30, step_s=300)
    together, alone = (amounts(frame_of(u, step_s=300), rule) for u in (use, use[1:2]))
    np.testing.assert_array_equal(together[:, 1:2], alone)


def test_workers_of_one_workload_count_the_same():
    series = [("team", "chat", str(i)) for i in range(2)]
    both = amounts(frame_of(np.stack([[10.0] * 180, [40.0] * 180]), series=series), VPA)
    alone = amounts(frame_of([[40.0] * 180]), VPA)
    np.testing.assert_array_equal(both, alone)


def test_small_decreases_are_not_made():
    request = amounts(hours([100.0] * 10 + [95.0] * 60), VPA)[:, 0]
    assert len(set(request.tolist())) == 1


def test_in_the_closed_loop_a_limit_hides_the_demand_above_it():
    frame = frame_of([[10.0] * 180 + [100.0] * 180])
    closed = replace(HOURLY, is_closed_loop=True)
    free, hidden = (
        amounts(frame, TENSOR_FUSION, plan=plan, layer=Layer.LIMITS)[-1, 0]
        for plan in (HOURLY, closed)
    )
    assert 10 < hidden < free / 4


def test_in_the_closed_loop_the_vpa_raises_vram_that_was_refused():
    frame = frame_of(np.array([[10.0] * 180 + [20.0] * 300]) * GIB, resources=(VRAM,))
    plan = ReplayPlan(steps_s={Layer.REQUESTS: HOUR_S}, is_closed_loop=True)
    request = amounts(frame, VPA, plan=plan)[:, 0] / GIB
    assert request[2] < 15
    assert (np.diff(request[2:5]) > 0).all()


def test_a_rule_sizes_no_replicas():
    plan = ReplayPlan(steps_s={Layer.REPLICAS: HOUR_S})
    done = replay_rule(hours([10.0] * 4), VPA, plan, unbounded_workloads((("team", "w0"),), 1))
    assert np.isnan(done[Layer.REPLICAS].amounts).all()
    assert done[Layer.REPLICAS].amounts.shape == (3, 1)
