from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.backtest.actuation import InForce
from recommender.backtest.judging import judged, judged_replicas, unchanged
from recommender.backtest.plan import Amounts, ReplayPlan
from recommender.backtest.replay import replay
from recommender.backtest.replayed_fleet import unbounded_workloads
from recommender.decision import Layer
from recommender.errors import ContractError, InvalidValueError
from recommender.resources import GIB, TFLOPS, VRAM
from tests.builders import policy
from tests.recommender.backtest.frames import HOUR_S, MIDNIGHT_S, daily, frame_of

LIMITS = ReplayPlan(steps_s={Layer.LIMITS: 300})
REQUESTS = ReplayPlan(steps_s={Layer.REQUESTS: 3600})
BOTH = ReplayPlan(steps_s={Layer.REQUESTS: 3600, Layer.LIMITS: 300})
REPLICAS = ReplayPlan(steps_s={Layer.REPLICAS: 120})


def amounts(frame, plan, layer, policies=None, **options):
    policies = policies or [policy()] * len(frame.workloads)
    return replay(frame, policies, plan, **options).in_force[layer]


def test_decisions_come_at_multiples_of_their_step_from_the_first_complete_one_on():
    in_force = amounts(frame_of(daily(1, 3)), REQUESTS, Layer.REQUESTS)
    assert in_force.since_s.tolist() == [MIDNIGHT_S + HOUR_S, MIDNIGHT_S + 2 * HOUR_S]


def test_a_constant_use_is_given_its_percentile_and_margin():
    in_force = amounts(frame_of(np.full((1, 180), 10.0)), REQUESTS, Layer.REQUESTS)
    assert 11.5 <= in_force.amounts[-1, 0, 0] <= 11.5 * 1.05


def test_before_there_is_enough_history_nothing_is_in_force():
    in_force = amounts(frame_of(daily(1, 2)), LIMITS, Layer.LIMITS)
    known = ~np.isnan(in_force.amounts[:, 0, 0])
    assert not known[in_force.since_s < MIDNIGHT_S + 1800].any()
    assert known[in_force.since_s >= MIDNIGHT_S + 2400].all()


@settings(max_examples=10, deadline=None)
@given(st.integers(60, 239), st.booleans(), st.floats(0, 1000))
def test_no_decision_depends_on_later_use(change, is_closed_loop, value):
    plan = replace(BOTH, is_closed_loop=is_closed_loop)
    use = daily(2, 4)
    other = use.copy()
    other[:, change:] = value
    seen, changed = (replay(frame_of(v), [policy()] * 2, plan).in_force for v in (use, other))
    for layer in plan.steps_s:
        early = seen[layer].since_s <= MIDNIGHT_S + change * 60
        np.testing.assert_array_equal(seen[layer].amounts[early], changed[layer].amounts[early])


def test_a_delay_moves_amounts_and_changes_nothing_else_in_the_open_loop():
    frame = frame_of(daily(1, 4))
    plain = amounts(frame, LIMITS, Layer.LIMITS)
    late = amounts(frame, replace(LIMITS, delay_s=60), Layer.LIMITS)
    assert (late.since_s - plain.since_s == 60).all()
    np.testing.assert_array_equal(late.amounts, plain.amounts)


def test_workloads_do_not_influence_one_another():
    use = daily(3, 6)
    together = amounts(frame_of(use), LIMITS, Layer.LIMITS)
    alone = amounts(frame_of(use[1:2]), LIMITS, Layer.LIMITS)
    np.testing.assert_array_equal(together.amounts[:, 1], alone.amounts[:, 0])


def test_all_workers_of_a_workload_count_for_its_amount():
    series = [("team", "chat", "0"), ("team", "chat", "1")]
    frame = frame_of(np.array([np.full(180, 5.0), np.full(180, 50.0)]), series=series)
    in_force = amounts(frame, LIMITS, Layer.LIMITS)
    assert in_force.amounts.shape[1] == 1
    assert in_force.amounts[-1, 0, 0] > 50.0


def test_a_closed_loop_whose_limit_never_binds_equals_the_open_one():
    frame = frame_of(np.full((1, 240), 10.0))
    open_loop = amounts(frame, LIMITS, Layer.LIMITS)
    closed = amounts(frame, replace(LIMITS, is_closed_loop=True), Layer.LIMITS)
    np.testing.assert_array_equal(closed.amounts, open_loop.amounts)


def test_in_the_closed_loop_a_worker_that_is_not_measured_uses_nothing():
    gap, ended = np.full(480, 10.0), np.full(480, np.nan)
    gap[120:360] = np.nan
    ended[:120] = 10.0
    late = np.where(np.isnan(ended), 10.0, np.nan)
    for use in (gap[None], np.stack([ended, late])):
        frame = frame_of(use, series=[("team", "chat", str(i)) for i in range(len(use))])
        limit = unbounded_workloads(frame.workloads, 1, limit=np.array([[200.0]]))
        seen = [
            amounts(frame, replace(BOTH, is_closed_loop=is_closed), layer, workloads=limit).amounts
            for layer in BOTH.steps_s
            for is_closed in (False, True)
        ]
        np.testing.assert_array_equal(seen[1], seen[0])
        np.testing.assert_array_equal(seen[3], seen[2])


def test_in_the_closed_loop_a_limit_climbs_towards_demand_that_it_hides():
    use = np.append(np.full(120, 10.0), np.full(120, 100.0))[None]
    frame = frame_of(use)
    closed = amounts(frame, replace(LIMITS, is_closed_loop=True), Layer.LIMITS).amounts[:, 0, 0]
    open_loop = amounts(frame, LIMITS, Layer.LIMITS).amounts[:, 0, 0]
    first = int(np.argmax(open_loop > 50))
    assert closed[first] < 50 < open_loop[first]
    assert closed[-1] > 100
    assert (np.diff(closed[first - 1 : first + 4]) > 0).all()


def test_in_the_closed_loop_vram_above_the_limit_is_refused_and_raises_it():
    use = np.append(np.full(120, 10.0), np.full(120, 20.0))[None] * GIB
    frame = frame_of(use, resources=(VRAM,))
    closed = amounts(frame, replace(LIMITS, is_closed_loop=True), Layer.LIMITS).amounts[:, 0, 0]
    assert closed[23] < 20 * GIB
    assert closed[-1] >= 20 * GIB


def test_a_limit_that_takes_no_part_still_cuts_in_the_closed_loop():
    frame = frame_of(np.full((1, 240), 50.0))
    limit = unbounded_workloads(frame.workloads, 1, limit=np.array([[20.0]]))
    plan = replace(REQUESTS, is_closed_loop=True)
    cut = amounts(frame, plan, Layer.REQUESTS, workloads=limit).amounts[-1, 0, 0]
    assert cut < 50.0 < amounts(frame, REQUESTS, Layer.REQUESTS).amounts[-1, 0, 0]


def test_what_may_be_written_starts_at_what_is_in_force_and_moves_enrolled_layers_only():
    frame = frame_of(daily(1, 50, step_s=300), step_s=300)
    start = unbounded_workloads(
        frame.workloads, 1, request=np.array([[200.0]]), limit=np.array([[400.0]])
    )
    steps_s = {Layer.REQUESTS: 3600, Layer.LIMITS: 1800}
    plan = ReplayPlan(steps_s=steps_s, amounts=Amounts.NEXT)
    idle = replay(frame, [policy()], plan, workloads=start).in_force
    assert (idle[Layer.REQUESTS].amounts == 200.0).all()
    moved = replay(frame, [policy(is_enrolled=True)], plan, workloads=start).in_force
    assert moved[Layer.REQUESTS].amounts[-1, 0, 0] < 200.0
    assert moved[Layer.LIMITS].amounts[-1, 0, 0] < 400.0


def test_a_paced_decrease_takes_one_step_in_six_hours():
    frame = frame_of(daily(1, 60))
    start = unbounded_workloads(
        frame.workloads, 1, request=np.array([[200.0]]), limit=np.array([[400.0]])
    )
    plan = replace(REQUESTS, amounts=Amounts.NEXT)
    in_force = amounts(
        frame, plan, Layer.REQUESTS, [policy(is_enrolled=True)], workloads=start
    ).amounts[:, 0, 0]
    assert (in_force[6:] >= 0.8 * in_force[:-6] - 1e-9).all()


def test_replicas_follow_the_demand_of_all_workers():
    series = [("team", "chat", str(i)) for i in range(2)]
    use = np.concatenate([np.full((2, 60), 7.0), np.full((2, 60), 35.0)], axis=1)
    frame = frame_of(use, series=series)
    stated = unbounded_workloads(
        frame.workloads, 1, stated_limit=np.array([[10.0]]), stated_replicas=np.array([2.0])
    )
    wanted = amounts(frame, REPLICAS, Layer.REPLICAS, workloads=stated)
    assert wanted.amounts[0].tolist() == [2.0]
    assert wanted.amounts[-1].tolist() == [10.0]
    capacity = judged_replicas(frame, wanted, np.array([10.0])).scores
    assert 0.0 < capacity.violated_share[0, 0] < 0.1


def test_changes_are_those_of_a_day_in_which_a_worker_was_measured():
    use = np.full((3, 1440), 10.0)
    use[1, :1080] = np.nan
    use[2, 360:] = np.nan
    frame = frame_of(use, series=[("team", "a", "0"), ("team", "b", "0"), ("team", "b", "1")])
    since_s = MIDNIGHT_S + 360 * 60 * np.arange(4)
    in_force = InForce(since_s=since_s, amounts=np.repeat([20.0, 30, 20, 30], 2).reshape(4, 2, 1))
    a, b = judged(frame, in_force).scores.changes_per_day[:, 0]
    assert (a, b) == (3, 6)


def test_replicas_without_a_stated_limit_are_not_judged():
    frame = frame_of(np.full((1, 60), 7.0))
    wanted = amounts(frame, REPLICAS, Layer.REPLICAS)
    scores = judged_replicas(frame, wanted, np.array([np.nan])).scores
    assert np.isnan(scores.violated_share).all()


def test_scores_count_from_the_first_amount_on():
    frame = frame_of(daily(1, 6))
    in_force = amounts(frame, LIMITS, Layer.LIMITS)
    first_s = in_force.since_s[np.flatnonzero(~np.isnan(in_force.amounts[:, 0, 0]))[0]]
    assert judged(frame, in_force).tally.judged[0, 0] == (frame.end_s - first_s) / 60


def test_a_constant_amount_is_judged_over_the_same_steps():
    frame = frame_of(daily(1, 6))
    in_force = amounts(frame, LIMITS, Layer.LIMITS)
    constant = judged(frame, unchanged(np.array([[1.0]]), in_force))
    assert constant.tally.judged == pytest.approx(judged(frame, in_force).tally.judged)
    assert constant.scores.violated_share == pytest.approx(np.array([[1.0]]))


def test_progress_ends_at_one():
    shares = []
    replay(frame_of(daily(1, 2)), [policy()], LIMITS, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize(
    ("plan", "named"),
    [
        (ReplayPlan(steps_s={}), "layers"),
        (ReplayPlan(steps_s={Layer.LIMITS: 90}), r"limits \(s\).*multiple of 60 s"),
        (ReplayPlan(steps_s={Layer.REQUESTS: 30}), r"requests \(s\).*multiple of 60 s"),
        (replace(LIMITS, delay_s=-1), r"delay \(s\)"),
    ],
)
def test_a_plan_that_does_not_fit_the_usage_is_refused(plan, named):
    with pytest.raises(InvalidValueError, match=named):
        replay(frame_of(daily(1, 2)), [policy()], plan)


def test_policies_of_another_fleet_are_a_defect_of_the_caller():
    with pytest.raises(ContractError, match="1 policies"):
        replay(frame_of(daily(2, 2)), [policy()], LIMITS)


def test_a_frame_of_two_resources_is_replayed_in_one_pass():
    use = np.stack([daily(2, 4), daily(2, 4) * GIB])
    both = amounts(frame_of(use, resources=(TFLOPS, VRAM)), LIMITS, Layer.LIMITS)
    alone = amounts(frame_of(use[1], resources=(VRAM,)), LIMITS, Layer.LIMITS)
    np.testing.assert_array_equal(both.amounts[:, :, 1], alone.amounts[:, :, 0])
