import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.decision import Layer
from tests.benchmarks.replay_plugin import Method, policy_of, resource_of
from tests.traces import needs_traces, recorded_traces

ROOT = Path(__file__).parents[2]
GROWTH = 1.05
"""Width of a histogram bucket: percentiles are at most 5 % above."""
HOUR = 60
NAN = float("nan")


def panel(task, rows=1, *, resource="units", step_s=60, **more):
    return {
        "name": "generated",
        "task": task,
        "resource": resource,
        "step_s": step_s,
        "hold_steps": 5,
        "delay_steps": 1,
        "series": [f"s{i}" for i in range(rows)],
        "t0_unix": np.zeros(rows, np.int64),
        "agg": "max",
        "cap": np.inf,
        **more,
    }


def answers(task, hist, knob, *, every=5, **more):
    """Return ``[decisions, series]`` of one replay."""
    hist = np.atleast_2d(np.asarray(hist, np.float64))
    method = Method(panel(task, len(hist), **more))
    method.saturated = np.zeros(hist.shape, bool)
    out = []
    for t in range(every, hist.shape[1] + 1, every):
        view = hist[:, :t]
        view.flags.writeable = False
        out.append(method.allocate(t, view, knob))
    return np.array(out)


def last(task, hist, knob, *, every=None, **more):
    """Return the answer at the end of a replay of few decisions."""
    return answers(task, hist, knob, every=every or np.shape(hist)[-1] // 4, **more)[-1, 0]


def test_a_factor_multiplies_the_layers_raw_value():
    constant = np.full(4 * HOUR, 10.0)
    for task in ("limits", "requests", "vram"):
        plain, doubled = last(task, constant, 1.0), last(task, constant, 2.0)
        assert 10.0 <= plain <= 10.0 * GROWTH
        assert doubled == pytest.approx(2 * plain)


def test_a_risk_target_is_the_quantile_of_the_layers_own_histogram_without_margin():
    ramp = np.tile(np.arange(1.0, 101.0), 5)
    for risk in (0.05, 0.2, 0.4):
        answer = last("requests", ramp, risk)
        assert 100 * (1 - risk) <= answer <= 100 * (1 - risk) * GROWTH + 1


def test_a_smaller_risk_never_allocates_less():
    use = np.random.default_rng(3).gamma(2.0, 5.0, 6 * HOUR)
    for task in ("limits", "requests", "vram"):
        sizes = [last(task, use, risk) for risk in (0.4, 0.1, 0.01, 0.001)]
        assert sizes == sorted(sizes)


def test_limits_follow_a_burst_at_once_and_quantiles_of_requests_do_not():
    use = np.append(np.full(6 * HOUR - 4, 10.0), np.full(4, 100.0))
    assert last("limits", use, 1.2) >= 120.0
    assert last("requests", use, 0.05) <= 10.0 * GROWTH


def test_default_requests_weigh_use_by_the_work_that_was_served():
    use = np.append(np.full(6 * HOUR - 4, 10.0), np.full(4, 100.0))
    assert 100.0 <= last("requests", use, 1.0) <= 100.0 * GROWTH


def test_vram_keeps_the_highest_hour_that_limits_forget():
    use = np.full(8 * HOUR, 10.0)
    use[HOUR] = 50.0
    assert last("vram", use, 1.0) >= 50.0
    assert last("limits", use, 0.01) < 20.0


def test_replicas_multiply_demand_by_the_knob_and_round_up():
    demand = np.full(30, 10.0)
    for knob, wanted in ((1.0, 10), (1.43, 15), (2.0, 20)):
        assert last("replicas", demand, knob, every=2, capacity=np.array([1.0])) == wanted


def test_replicas_of_an_idle_service_stay_at_one_and_come_back():
    demand = np.concatenate([np.full(10, 5.0), np.zeros(10), np.full(10, 8.0)])
    wanted = answers("replicas", demand, 1.43, every=2, capacity=np.array([1.0]))[:, 0]
    assert wanted.min() >= 1.0
    assert wanted[-1] == 12.0


def test_replicas_within_the_tolerance_stay_as_they_are():
    demand = np.append(np.full(10, 10.0), np.full(10, 10.9))
    wanted = answers("replicas", demand, 1.0, every=2, capacity=np.array([1.0]))[:, 0]
    assert wanted.tolist() == [10.0] * 10


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(["limits", "requests", "vram"]),
    st.integers(40, 110),
    st.sampled_from([0.05, 1.2]),
)
def test_an_answer_depends_on_earlier_columns_only(task, t, knob):
    use = np.random.default_rng(5).gamma(2.0, 5.0, (2, 120))
    other = use.copy()
    other[:, t:] = 1e6
    first = t // 5
    np.testing.assert_array_equal(
        answers(task, use, knob)[:first], answers(task, other, knob)[:first]
    )


def test_names_and_calendar_are_not_read():
    use = np.random.default_rng(5).gamma(2.0, 5.0, 120)
    plain = answers("limits", use, 1.2)
    named = answers("limits", use, 1.2, t0_unix=np.array([10**9]), series=["chat"])
    np.testing.assert_array_equal(plain, named)


def test_a_replay_starts_from_nothing():
    use = np.random.default_rng(5).gamma(2.0, 5.0, 120)
    fresh = answers("limits", use, 1.2)
    answers("limits", use * 100, 1.2)
    np.testing.assert_array_equal(answers("limits", use, 1.2), fresh)


def test_gaps_are_no_zeros():
    use = np.full(4 * HOUR, 10.0)
    gaps = use.copy()
    gaps[::3] = NAN
    gaps[100:130] = NAN
    for task in ("limits", "requests", "vram"):
        assert last(task, gaps, 1.0) == pytest.approx(last(task, use, 1.0))


def test_a_series_without_a_sample_has_no_allocation_and_harms_no_other():
    use = np.stack([np.full(4 * HOUR, 10.0), np.full(4 * HOUR, NAN)])
    answer = answers("limits", use, 1.0)[-1]
    assert answer[0] == pytest.approx(last("limits", use[0], 1.0))
    assert np.isnan(answer[1])


def test_in_the_closed_loop_a_saturated_sample_raises_by_half_at_once():
    use = np.full((1, 3 * HOUR), 10.0)
    method = Method(panel("limits"))
    saturated = np.zeros(use.shape, bool)
    for t in range(5, 175, 5):
        method.saturated = saturated[:, :t]
        before = method.allocate(t, use[:, :t], 1.0)
    use[0, 170:175] = before[0]
    saturated[0, 170:175] = True
    method.saturated = saturated[:, :175]
    after = method.allocate(175, use[:, :175], 1.0)
    assert after[0] >= 1.5 * before[0]


def test_known_resources_keep_their_descriptor_and_memory_never_shrinks_in_use():
    assert resource_of("limits", "tflops_pct").largest_value == 100.0
    assert resource_of("limits", "cpu_pct").first_bucket is None
    assert not resource_of("vram", "mem_pool").is_compressible
    assert not resource_of("vram", "vram_bytes").is_compressible


@pytest.mark.parametrize("task", ["limits", "requests", "vram"])
def test_knobs_side_by_side_give_what_each_gives_alone(task):
    use = np.random.default_rng(5).gamma(2.0, 5.0, 200)
    knobs = np.array([0.2, 0.01, 1.0, 1.5])
    together = answers(task, np.tile(use, (4, 1)), knobs, every=20)
    alone = [answers(task, use, knob, every=20)[:, 0] for knob in knobs]
    np.testing.assert_array_equal(together, np.stack(alone, axis=1))


def test_replicas_side_by_side_give_what_each_gives_alone():
    use = np.random.default_rng(5).gamma(4.0, 5.0, 60)
    knobs, capacity = np.array([1.0, 1.43]), np.array([4.0, 4.0])
    together = answers("replicas", np.tile(use, (2, 1)), knobs, every=2, capacity=capacity)
    alone = [answers("replicas", use, k, every=2, capacity=capacity[:1])[:, 0] for k in knobs]
    np.testing.assert_array_equal(together, np.stack(alone, axis=1))


@pytest.mark.parametrize("knob", [0.5, 0.95])
def test_a_knob_between_risk_and_factor_has_no_meaning(knob):
    with pytest.raises(ValueError, match=r"below 0\.5, or 1 and more"):
        policy_of(Layer.LIMITS, knob)


def test_a_replay_has_one_knob():
    method = Method(panel("limits"))
    method.allocate(5, np.full((1, 5), 1.0), 1.2)
    with pytest.raises(ValueError, match="one knob per replay"):
        method.allocate(10, np.full((1, 10), 1.0), 1.3)


@needs_traces
def test_the_replay_benchmark_scores_it_on_recorded_traces():
    traces = recorded_traces()
    assert traces is not None
    command = [sys.executable, str(traces / "bench" / "bench.py"), "--score"]
    method = ["--method", "tests.benchmarks.replay_plugin:Method", "--knobs", "0.02,0.01"]
    where = ["--data", str(traces / "data"), "--sweeps", str(traces / "bench" / "baselines")]
    done = subprocess.run(
        [*command, *method, *where, "--task", "limits", "--panels", "gentd_util"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"panel": "gentd_util"' in done.stdout
    assert '"slack": null' not in done.stdout
