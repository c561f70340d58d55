"""Layer 2 against the rules of the HorizontalPodAutoscaler, written down again in plain Python.

Source of the rules: ``replica_calculator.go`` (calculation) and ``horizontal.go`` (stabilisation,
rates) of Kubernetes, with exact ratios in place of whole percents.
"""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.decision import REPLICAS_COLUMN, Code, Layer
from recommender.policy.model import Mode
from recommender.resources import VRAM
from recommender.state import empty_state
from tests.builders import ENROLLED, policy
from tests.fleets import BEGIN_S, StatedFleet

LAYER = Layer.REPLICAS
LIMIT = 10.0


def fleet(workers, replicas, *, target=0.7, stated_limit=LIMIT, **columns):
    """Return a workload; ``workers`` are demands, None: not ready, NaN: no sample."""
    overrides = {
        name: columns.pop(name)
        for name in ("min_replicas", "max_replicas", "tolerance_up", "tolerance_down",
                     "scale_up_cooldown_s", "scale_down_cooldown_s", "cron", "mode")
        if name in columns
    }  # fmt: skip
    made = policy(
        {"autoSetReplicas": ENROLLED["autoSetReplicas"]},
        **{"max_replicas": 1000, "target_of_limit": target, **overrides},
    )
    return StatedFleet(
        made,
        demand=[[5.0 if demand is None else demand for demand in workers]],
        is_ready=[[demand is not None for demand in workers]],
        replicas=[float(replicas)],
        stated_replicas=[1.0],
        stated_limit=(stated_limit, np.nan),
        **columns,
    )


def target(made):
    return made.decide().target_replicas[0]


def hpa_replicas(workers, current, target_share, tolerance_down, tolerance_up):  # noqa: C901
    """``GetResourceReplicas``; None where the HPA answers with an error."""

    def is_tolerated(ratio):
        return 1 - tolerance_down - 1e-9 <= ratio <= 1 + tolerance_up + 1e-9

    def ratio_of(demands):
        return sum(demands) / (LIMIT * len(demands)) / target_share

    unready = [w for w in workers if w is None]
    missing = [w for w in workers if w is not None and math.isnan(w)]
    metrics = [w for w in workers if w is not None and not math.isnan(w)]
    if not metrics:
        return None
    ratio = ratio_of(metrics)
    scales_up_with_unready = bool(unready) and ratio > 1
    if not scales_up_with_unready and not missing:
        if is_tolerated(ratio):
            return current
        return math.ceil(ratio * len(metrics) - 1e-9)
    if missing and ratio < 1:
        metrics += [LIMIT * max(1.0, target_share)] * len(missing)
    elif missing and ratio > 1:
        metrics += [0.0] * len(missing)
    if scales_up_with_unready:
        metrics += [0.0] * len(unready)
    new_ratio = ratio_of(metrics)
    if is_tolerated(new_ratio) or (ratio < 1 < new_ratio) or (ratio > 1 > new_ratio):
        return current
    wanted = math.ceil(new_ratio * len(metrics) - 1e-9)
    if (new_ratio < 1 and wanted > current) or (new_ratio > 1 and wanted < current):
        return current
    return wanted


demands = st.one_of(
    st.none(), st.just(math.nan), st.sampled_from([0.0, 6.3, 7.0, 7.7]), st.floats(0, 40)
)


@given(
    st.lists(demands, min_size=1, max_size=8),
    st.integers(1, 12),
    st.sampled_from([0.5, 0.7, 1.0, 1.3]),
    st.sampled_from([0.0, 0.05, 0.1]),
    st.sampled_from([0.0, 0.1, 0.3]),
)
def test_wanted_replicas_are_those_of_the_hpa(workers, current, share, down, up):
    made = fleet(workers, current, target=share, tolerance_down=down, tolerance_up=up)
    expected = hpa_replicas(workers, current, share, down, up)
    decisions = made.decide()
    if expected is None:
        assert np.isnan(decisions.target_replicas[0])
        assert decisions.unknown_replicas[0] == Code.NoFreshDemand.number
        assert decisions.next_replicas[0] == current
    else:
        assert decisions.target_replicas[0] == min(max(expected, 1), 1000)
        assert decisions.unknown_replicas[0] == 0


@pytest.mark.parametrize(
    ("workers", "expected", "code"),
    [
        ([14.0, 14.0], 4, Code.ReplicaDemand),
        ([7.6, 7.6], 2, Code.WithinTolerance),
        ([6.4, 6.4], 2, Code.WithinTolerance),
        ([14.0, math.nan], 2, Code.MissingMetrics),
        ([3.0, math.nan], 2, Code.MissingMetrics),
        ([7.0, math.nan], 2, Code.WithinTolerance),
        ([20.0, None], 3, Code.UnreadyWorkers),
    ],
)
def test_what_decided_is_a_step(workers, expected, code):
    made = fleet(workers, 2)
    assert target(made) == expected
    assert code in made.steps(LAYER, -1)


def test_workers_that_are_not_ready_do_not_count_on_the_way_down():
    assert target(fleet([1.0, 1.0, None], 3)) == 1


@dataclass
class Hpa:
    """``normalizeDesiredReplicasWithBehaviors`` with the defaults' kinds of rates."""

    up_window_s: int
    down_window_s: int
    up_step: float
    down_step: float
    wishes: list
    events: list

    def next(self, now_s, current, desired):
        stabilized = self.stabilized(now_s, current, desired)
        self.wishes.append((now_s, desired))
        value = self.at_rate(now_s, current, stabilized)
        if value != current:
            self.events.append((now_s, value - current))
        return value

    def stabilized(self, now_s, current, desired):
        up = min([desired, *(w for t, w in self.wishes if t > now_s - self.up_window_s)])
        down = max([desired, *(w for t, w in self.wishes if t > now_s - self.down_window_s)])
        value = max(current, up)
        return min(value, down)

    def at_rate(self, now_s, current, desired):
        def start(period_s):
            return current - sum(change for t, change in self.events if t > now_s - period_s)

        if desired > current:
            most = max(start(15) + 4, math.ceil(start(15) * self.up_step - 1e-9))
            return min(desired, max(most, current))
        least = min(math.trunc(start(60) * self.down_step + 1e-9), current)
        return max(desired, least)


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.sampled_from([5, 15, 20, 60, 61]), st.integers(1, 60)), min_size=1, max_size=40
    ),
    st.integers(1, 40),
    st.sampled_from([0, 30, 120]),
    st.sampled_from([0, 60, 300]),
)
def test_windows_and_rates_are_those_of_the_hpa(ticks, begin, up_s, down_s):
    made = fleet([1.0], begin, scale_up_cooldown_s=up_s, scale_down_cooldown_s=down_s, target=1.0)
    # seen for the first time, the HPA records what there is as its first recommendation
    hpa = Hpa(up_s, down_s, 2.0, 0.9, [(made.now_s + ticks[0][0], begin)], [])
    current = begin
    for pause_s, wish in ticks:
        made.now_s += pause_s
        made.demand, made.is_ready = [[LIMIT * wish]], [[True]]
        if abs(wish - 1) <= 0.1:
            wish = current  # noqa: PLW2901  within the tolerance, the HPA wants what there is
        expected = hpa.next(made.now_s, current, wish)
        made.decide(applies=True)
        assert made.workloads.replicas[0] == expected
        current = expected


def test_a_scaling_that_was_not_applied_is_no_change():
    made = fleet([70.0], 4)
    for _ in range(3):
        assert made.decide().next_replicas[0] == 8
        made.now_s += 5
    assert made.decide(applies=True).next_replicas[0] == 8
    made.now_s += 5
    assert made.decide(applies=True).next_replicas[0] == 8
    made.now_s += 15
    assert made.decide().next_replicas[0] == 10


def test_replicas_wait_for_the_cool_down_before_they_fall():
    made = fleet([5.0] * 10, 10, target=0.5)
    made.decide(applies=True)
    made.demand = [[1.0] * 10]
    counts = []
    for _ in range(21):
        made.now_s += 20
        counts.append(made.decide(applies=True).next_replicas[0])
    assert counts[:14] == [10.0] * 14
    assert counts[14:] == [9.0] * 3 + [8.0] * 3 + [7.0]


def test_a_long_start_up_extends_the_window_down():
    made = fleet([5.0] * 10, 10, target=0.5)
    made.usage["startup_s"] = np.array([900.0])
    made.decide(applies=True)
    made.demand = [[1.0] * 10]
    made.now_s += 899
    assert made.decide(applies=True).next_replicas[0] == 10
    made.now_s += 1
    assert made.decide(applies=True).next_replicas[0] == 9


@pytest.mark.parametrize(
    ("columns", "expected", "code"),
    [
        ({"min_replicas": 9}, 9, Code.MinReplicas),
        ({"max_replicas": 3}, 3, Code.MaxReplicas),
        ({"max_replicas": None}, 8, None),
        ({"replica_quota": [5.0]}, 5, Code.GpuBudget),
        ({"replica_quota": [1.0]}, 4, Code.GpuBudget),
        ({"external_replicas": [12.0]}, 12, Code.ExternalRecommendation),
        ({"external_replicas": [2.0]}, 8, None),
    ],
)
def test_each_bound_of_replicas_is_a_step(columns, expected, code):
    made = fleet([14.0] * 4, 4, **columns)
    assert target(made) == expected
    if code is not None:
        assert made.steps(LAYER, -1)[code][1] == expected


def test_max_replicas_is_ten_times_the_stated_ones_by_default():
    made = fleet([500.0], 1, max_replicas=None)
    assert target(made) == 10


@pytest.mark.parametrize(("current", "expected"), [(50, 20), (1, 3)])
def test_a_count_outside_its_bounds_is_corrected_at_once(current, expected):
    made = fleet([7.0] * current, current, min_replicas=3, max_replicas=20, scale_up_cooldown_s=600)
    made.decide()
    made.now_s += 15
    assert made.decide().next_replicas[0] == expected


CRON = {
    "name": "all-day",
    "enable": True,
    "start": "0 0 * * *",
    "end": "59 23 * * *",
    "desiredReplicas": 6,
}


@pytest.mark.parametrize("workers", [[7.0, 7.0], [math.nan, math.nan], []])
def test_an_active_cron_rule_is_a_floor_with_and_without_metrics(workers):
    cron = policy({"cronScalingRules": [CRON]}).cron
    made = fleet(workers, 2, cron=cron)
    decisions = made.decide()
    assert decisions.target_replicas[0] == decisions.next_replicas[0] == 6
    assert made.steps(LAYER, -1)[Code.CronFloor] == (2.0, 6.0)
    assert decisions.unknown_replicas[0] == 0


def test_without_metrics_others_may_raise_and_nothing_lowers():
    assert target(fleet([math.nan] * 4, 4, external_replicas=[6.0])) == 6
    assert target(fleet([math.nan] * 4, 4, external_replicas=[2.0])) == 4


@pytest.mark.parametrize(
    ("replicas", "columns", "code"),
    [
        (0.0, {}, Code.ScaledToZero),
        (math.nan, {}, Code.NoReplicas),
        (2.0, {"stated_limit": np.nan}, Code.NoStatedLimit),
        (2.0, {"workers": [math.nan, None]}, Code.NoFreshDemand),
    ],
)
def test_without_a_count_there_is_a_reason_and_nothing_moves(replicas, columns, code):
    made = fleet(columns.pop("workers", [20.0, 20.0]), replicas, min_replicas=2, **columns)
    decisions = made.decide()
    assert np.isnan(decisions.target_replicas[0])
    assert decisions.unknown_replicas[0] == code.number
    assert np.array_equal(decisions.next_replicas, [replicas], equal_nan=True)


def test_a_workload_that_was_scaled_to_zero_is_not_woken_by_others():
    cron = policy({"cronScalingRules": [CRON]}).cron
    made = fleet([], 0, cron=cron, external_replicas=[5.0])
    assert made.decide().next_replicas[0] == 0


def test_no_demand_at_all_leaves_one_worker():
    made = fleet([0.0] * 3, 3, min_replicas=0)
    assert target(made) == 1


def test_the_stated_limit_is_capped_by_the_card_and_does_not_move_with_the_one_in_force():
    assert target(fleet([35.0], 1, stated_limit=100.0, card=(50.0, np.nan))) == 1
    for limit in (1.0, 10.0, 1000.0):
        assert target(fleet([14.0], 1, limit=(limit, np.nan))) == 2


def test_without_a_compressible_resource_replicas_are_unknown():
    made = StatedFleet(policy(is_enrolled=True), resources=(VRAM,), replicas=[1.0])
    assert made.decide().unknown_replicas[0] == Code.NoStatedLimit.number


def test_a_paused_workload_is_not_scaled():
    made = fleet([70.0], 1, is_paused=[True])
    assert made.decide().next_replicas[0] == 1
    assert Code.Paused in made.steps(LAYER, -1)


def test_recommend_only_replicas_have_a_target_and_stay():
    made = StatedFleet(
        policy(), demand=[[70.0]], replicas=[1.0], stated_replicas=[1.0], stated_limit=LIMIT
    )
    decisions = made.decide()
    assert (decisions.target_replicas[0], decisions.next_replicas[0]) == (10, 1)


def test_workers_on_several_gpu_models_are_one_workload_of_replicas():
    enrolled = policy(is_enrolled=True)
    made = StatedFleet(
        enrolled,
        enrolled,
        demand=[[10.0, 10.0], [20.0]],
        gpu_model=["A10", "H100"],
        replica_row=np.array([0, 0]),
        replicas=[3.0, 3.0],
        stated_replicas=[3.0, 3.0],
        stated_limit=[[20.0, np.nan], [20.0, np.nan]],
        card=[[10.0, np.nan], [20.0, np.nan]],
    )
    decisions = made.decide()
    assert decisions.target_replicas[0] == math.ceil(40 / 40 / 0.7 * 3)
    assert decisions.unknown_replicas.tolist() == [0, Code.NoReplicas.number]
    assert decisions.next_replicas.tolist() == [5, 3]


def test_a_new_state_has_room_for_windows_of_any_length():
    made = fleet([7.0] * 10, 10, scale_down_cooldown_s=3600)
    made.decide()
    for i in range(59):
        made.now_s += 60
        made.demand = [[7.0 * (59 - i) / 60] * 10]
        made.decide()
    assert made.decide().next_replicas[0] == 10
    assert made.state.wish_s.shape[1] >= 10
    assert empty_state(made.workloads.uid, 2).wish_s.shape == (1, 8)
    assert made.now_s - BEGIN_S == 59 * 60


def test_a_long_window_remembers_each_wish_once():
    made = fleet([7.0] * 10, 10, scale_down_cooldown_s=86400)
    for i in range(500):
        made.now_s += 15
        made.demand = [[0.0 if i % 2 else 3.0] * 10]
        made.decide()
    assert made.decide().next_replicas[0] == 10
    assert made.state.wish_s.shape == (1, 8)


def test_an_outage_opens_no_way_down():
    made = fleet([7.0] * 10, 10)
    made.decide()
    made.demand = [[np.nan] * 10]
    for _ in range(40):
        made.now_s += 15
        made.decide()
    made.demand = [[1.0] * 10]
    made.now_s += 15
    assert made.decide().next_replicas[0] == 10
    made.now_s += 300
    assert made.decide().next_replicas[0] == 9


@pytest.mark.parametrize(
    ("is_saturated", "highest", "expected"), [(True, 4.0, 10), (True, 10.0, 5), (False, 4.0, 5)]
)
def test_no_worker_is_removed_while_one_is_saturated_below_its_stated_limit(
    is_saturated, highest, expected
):
    usage = {"is_saturated": is_saturated, "recent_minutes": highest}
    made = fleet([3.5] * 10, 10, usage=usage)
    assert target(made) == expected
    assert (Code.Saturated in made.steps(Layer.REPLICAS, REPLICAS_COLUMN)) == (expected == 10)


def test_a_workload_that_is_seen_for_the_first_time_is_not_scaled_down_at_once():
    made = fleet([1.0, 1.0], 2)
    for _ in range(5):
        assert made.decide(applies=True).next_replicas[0] == 2
        made.now_s += 60
    assert made.decide(applies=True).next_replicas[0] == 1


def test_a_recommended_count_lasts_for_the_busiest_minutes_of_a_day():
    busy = {"day_demand": (56.0, np.nan)}
    made = fleet([1.0, 1.0], 2, mode=Mode.RECOMMEND, usage=busy)
    assert target(made) == 8
    assert Code.DayPeakReplicas in made.steps(LAYER, -1)
    made = fleet([1.0, 1.0], 2, usage=busy)
    assert target(made) == 1


def test_a_recommended_count_is_for_workers_of_the_recommended_size():
    busy = {"day_demand": (56.0, np.nan), "burst": (40 / 1.2, np.nan), "limit_percentile": 1.0}
    made = fleet([1.0, 1.0], 2, mode=Mode.RECOMMEND, usage=busy)
    assert target(made) == 2


def test_fewer_workers_with_a_lower_limit_still_carry_the_busiest_minutes():
    # 10 workers of 3 use 30; each is recommended a limit of 3.6, of which 9 are 32.4
    small = {"day_demand": (30.0, np.nan), "burst": (3.0, np.nan), "limit_percentile": 1.0}
    made = fleet([3.0] * 10, 10, mode=Mode.RECOMMEND, usage=small)
    limit = made.decide().target_limit[0, 0]
    assert target(made) * limit >= 30.0
    assert target(made) < 10


def test_following_the_advice_of_the_busiest_minutes_ends_there():
    busy = {"day_demand": (56.0, np.nan)}
    counts = [target(fleet([1.0] * n, n, mode=Mode.RECOMMEND, usage=busy)) for n in (2, 8, 20)]
    assert counts == [8, 8, 8]
