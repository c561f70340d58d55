from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.scaling.cluster import WorkerView, amounts
from autoscaler.scaling.collect.series import SeriesIndex
from autoscaler.scaling.observing import FleetState, Observer
from recommender.resources import GIB, TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import START, view


@pytest.fixture
def observer():
    model = UsageModel((TFLOPS, VRAM))
    return Observer(model, SeriesIndex(model))


def test_what_is_in_force_becomes_columns_and_what_is_absent_becomes_unknown(observer):
    chat = view("chat", limit=amounts({"tflops": 80.0}), replicas=None, qos="critical")

    workloads = observer.observe([chat], None, START).observation.workloads

    np.testing.assert_array_equal(workloads.request, [[40.0, 10 * GIB]])
    np.testing.assert_array_equal(workloads.limit, [[80.0, np.nan]])
    np.testing.assert_array_equal(workloads.replicas, [np.nan])
    np.testing.assert_array_equal(workloads.quota, [[np.nan, np.nan]])
    assert workloads.qos.tolist() == [3]
    assert workloads.gpu_model == ("NVIDIA A100-SXM4-80GB",)


def test_a_card_that_the_cluster_does_not_describe_is_known_by_its_model(observer):
    known = observer.observe([view("chat")], None, START)
    unknown = observer.observe([view("chat", gpu_model="Mystery 9000")], None, START)

    np.testing.assert_array_equal(known.observation.workloads.card, [[312.0, 80 * GIB]])
    np.testing.assert_array_equal(unknown.observation.workloads.card, [[np.nan, np.nan]])


@pytest.mark.parametrize(
    ("owner", "expected"), [("Job/a", True), ("CronJob/a", True), ("Deployment/Job", False)]
)
def test_owners_that_end_are_jobs(observer, owner, expected):
    observed = observer.observe([view("chat", owner=owner)], None, START)

    assert observed.observation.workloads.is_job.tolist() == [expected]


def test_surplus_workers_take_no_part_and_unready_ones_are_told_apart(observer):
    workers = (
        WorkerView(name="a", started_s=START - 900, ready_s=START - 800),
        WorkerView(name="b", started_s=START - 60, ready_s=None),
        WorkerView(name="c", started_s=START - 900, ready_s=START - 800, is_surplus=True),
    )
    views = [view("other", workers=2), replace(view("chat"), workers=workers)]

    observed = observer.observe(views, None, START).observation.workers

    assert observed.workload_row.tolist() == [0, 0, 1, 1]
    assert observed.is_ready.tolist() == [True, True, True, False]


def test_state_moves_with_its_workload_when_the_fleet_changes(observer):
    a, b, c = view("a"), view("b"), view("c")
    first = observer.observe([a, b], None, START)
    target = np.array([[1.0, 2.0], [3.0, 4.0]])
    state = FleetState(first.fleet.keys, replace(first.fleet.state, target_limit=target))

    moved = observer.observe([c, b], state, START).fleet.state
    again = observer.observe([b, a], state, START).fleet.state

    np.testing.assert_array_equal(moved.target_limit, [[np.nan, np.nan], [3.0, 4.0]])
    np.testing.assert_array_equal(again.target_limit, [[3.0, 4.0], [1.0, 2.0]])


def test_a_new_uid_clears_the_decision_state(observer):
    first = observer.observe([view("a")], None, START)
    state = replace(first.fleet.state, target_limit=np.array([[1.0, 2.0]]))

    observed = observer.observe(
        [view("a", uid="team-a-2")], FleetState(first.fleet.keys, state), START
    )

    assert np.isnan(observed.fleet.state.target_limit).all()
    assert observed.usage_rows.tolist() == first.usage_rows.tolist()


def test_the_policy_table_is_built_again_only_when_policies_change(observer):
    a, b = view("a"), view("b", "auto-limits")
    first = observer.observe([a, b], None, START)

    same = observer.observe([replace(a, replicas=4), b], None, START)
    other = observer.observe([a, replace(b, policy=a.policy)], None, START)

    assert same.policies is first.policies
    assert first.policies.limits.acts.tolist() == [[False, False], [True, True]]
    assert not other.policies.limits.acts.any()


def test_further_gpu_models_point_to_the_row_that_decides_replicas(observer):
    views = [view("a"), view("b"), view("b", gpu_model="H100")]

    observed = observer.observe(views, None, START)

    assert observed.observation.workloads.replica_row.tolist() == [0, 1, 1]
