"""Laws of ``decide`` over random observations: purity, order, bounds, pace."""

from copy import deepcopy
from dataclasses import fields, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.decide import ALL_LAYERS, decide
from recommender.decision import Code, Decisions, Layer
from recommender.observation import Observation
from recommender.state import DecisionState
from tests.fleets import GIB
from tests.recommender.random_fleets import (
    POLICIES,
    WITH_CRON,
    codes_at,
    dues,
    fleets,
    is_equal,
    lived,
    nan_equal,
)


@settings(max_examples=30)
@given(fleets(), dues)
def test_arguments_are_left_untouched_and_the_same_arguments_give_the_same(fleet, due):
    lived(fleet, due)
    observation, state = fleet.observe(), fleet.state
    copies = deepcopy((observation, state, fleet.table))
    first = decide(observation, fleet.table, state, fleet.now_s, due)
    second = decide(observation, fleet.table, state, fleet.now_s, due)
    assert is_equal(observation, copies[0])
    assert is_equal(state, copies[1])
    assert is_equal(fleet.table, copies[2])
    assert is_equal(first[0], second[0])
    assert is_equal(first[1], second[1])


@settings(max_examples=40)
@given(fleets(), dues)
def test_every_value_is_known_and_positive_or_has_a_reason(fleet, due):
    decisions = lived(fleet, due).decide(due)
    for target, unknown in (
        (decisions.target_request, decisions.unknown_request),
        (decisions.target_limit, decisions.unknown_limit),
        (decisions.target_replicas, decisions.unknown_replicas),
    ):
        assert np.array_equal(np.isnan(target), unknown != 0)
        assert (target[~np.isnan(target)] > 0).all()
    for value in (decisions.next_request, decisions.next_limit, decisions.start_request,
                  decisions.start_limit):  # fmt: skip
        assert (value[~np.isnan(value)] > 0).all()


@settings(max_examples=40)
@given(fleets(), dues)
def test_what_is_not_enrolled_or_not_due_or_paused_stays(fleet, due):
    lived(fleet, due)
    workloads, table = fleet.workloads, fleet.table
    decisions = fleet.decide(due)
    for layer, value, current, acts in (
        (Layer.REQUESTS, decisions.next_request, workloads.request, table.requests.acts),
        (Layer.LIMITS, decisions.next_limit, workloads.limit, table.limits.acts),
        (Layer.REPLICAS, decisions.next_replicas, workloads.replicas, table.replicas.acts),
    ):
        paused = workloads.is_paused if acts.ndim == 1 else workloads.is_paused[:, None]
        stays = ~acts | paused | (layer not in due)
        assert nan_equal(value, current)[np.broadcast_to(stays, value.shape)].all()


@settings(max_examples=50)
@given(fleets((*POLICIES, WITH_CRON)), dues)
def test_no_change_of_ours_puts_a_request_above_its_limit(fleet, due):
    lived(fleet, due)
    before = fleet.workloads
    decisions = fleet.decide(due)
    changed = ~nan_equal(decisions.next_request, before.request)
    changed |= ~nan_equal(decisions.next_limit, before.limit)
    above = decisions.next_request > decisions.next_limit * (1 + 1e-12)
    assert not (changed & above).any()
    starts = decisions.start_request > decisions.start_limit * (1 + 1e-12)
    set_by_us = fleet.table.limits.acts | fleet.table.limits.is_initial
    assert not (starts & set_by_us & (due == ALL_LAYERS) & ~before.is_paused[:, None]).any()


@settings(max_examples=50)
@given(fleets(), dues)
def test_requests_keep_their_pace_and_bounds(fleet, due):
    lived(fleet, due)
    current, workloads, rule = fleet.workloads.request, fleet.workloads, fleet.table.requests
    decisions = fleet.decide(due)
    value = decisions.next_request
    of_ours = (value != current) & ~np.isnan(current) & ~np.isnan(value)
    exempt = codes_at(decisions, Layer.REQUESTS, Code.RolledBack, value.shape)
    exempt |= codes_at(decisions, Layer.REQUESTS, Code.SegmentBegins, value.shape)
    free = of_ours & ~exempt
    assert (value <= 2 * current)[free].all()
    assert (value >= 0.8 * current * (1 - 1e-12))[free].all()
    raised = of_ours & (value > current)
    for most in (workloads.card, rule.max_allowed, np.fmax(workloads.quota, current)):
        assert not (raised & (value > most)).any()
    floor = np.array([1.0, GIB])
    assert not (free & (value > np.fmax(np.fmax(workloads.stated_request * rule.max_ratio, floor),
                                        current))).any()  # fmt: skip
    assert not (fleet.observe().usage.is_opaque & (value < current)).any()


@settings(max_examples=50)
@given(fleets(), dues)
def test_limits_keep_their_pace(fleet, due):
    lived(fleet, due)
    current = fleet.workloads.limit
    decisions = fleet.decide(due)
    value = decisions.next_limit
    exempt = codes_at(decisions, Layer.LIMITS, Code.RolledBack, value.shape)
    exempt |= codes_at(decisions, Layer.LIMITS, Code.SafeLimit, value.shape)
    exempt |= codes_at(decisions, Layer.LIMITS, Code.RequestWins, value.shape)
    free = (value != current) & ~np.isnan(current) & ~np.isnan(value) & ~exempt
    assert (value <= 2 * current)[free].all()
    assert (value >= 0.8 * current * (1 - 1e-12))[free].all()
    assert not (value[:, 1] < current[:, 1]).any()
    unknown = decisions.unknown_limit != 0
    assert not (unknown & (value < current)).any()


@settings(max_examples=50)
@given(fleets((*POLICIES, WITH_CRON)), dues)
def test_replicas_are_whole_and_neither_fall_to_zero_nor_leave_it(fleet, due):
    lived(fleet, due)
    current = fleet.workloads.replicas
    value = fleet.decide(due).next_replicas
    known = ~np.isnan(value)
    assert np.array_equal(known, ~np.isnan(current))
    assert (value[known] == np.round(value[known])).all()
    assert ((value == 0) == (current == 0)).all()


@settings(max_examples=40)
@given(fleets((*POLICIES, WITH_CRON)))
def test_deciding_again_on_what_was_applied_changes_no_request_and_no_replicas(fleet):
    lived(fleet, ALL_LAYERS)
    first = fleet.decide(applies=True)
    second = fleet.decide(applies=True)
    assert nan_equal(second.next_request, first.next_request).all()
    assert nan_equal(second.next_replicas, first.next_replicas).all()


def rearranged(fleet, order):
    """Return (observation, policies, state) with row ``order[i]`` in place of row i."""
    seen = fleet.observe()
    place = np.full(fleet.shape[0], -1)
    place[order] = np.arange(len(order))

    def rows(columns):
        if isinstance(columns, np.ndarray):
            return columns[order]
        if isinstance(columns, tuple):
            return tuple(columns[i] for i in order)
        return replace(columns, **{f.name: rows(getattr(columns, f.name)) for f in fields(columns)})

    held = np.flatnonzero(np.isin(seen.workers.workload_row, order))
    workers = replace(
        seen.workers,
        workload_row=place[seen.workers.workload_row[held]],
        demand=seen.workers.demand[held],
        is_ready=seen.workers.is_ready[held],
    )
    workloads = replace(rows(seen.workloads), replica_row=place[seen.workloads.replica_row[order]])
    observation = Observation(
        resources=seen.resources,
        workloads=workloads,
        workers=workers,
        usage=rows(seen.usage),
        forecasts=None if seen.forecasts is None else rows(seen.forecasts),
    )
    table = replace(
        fleet.table,
        requests=rows(fleet.table.requests),
        limits=rows(fleet.table.limits),
        replicas=rows(fleet.table.replicas),
        cron=tuple((int(place[row]), rule) for row, rule in fleet.table.cron if place[row] >= 0),
    )
    return observation, table, rows(fleet.state)


def assert_same_rows(one: tuple[Decisions, DecisionState], other, order):
    """Compare decisions and states; ``other`` has row ``order[i]`` in place of row i."""
    for left, right in zip(one, other, strict=True):
        for item in fields(left):
            values = getattr(left, item.name)
            if isinstance(values, np.ndarray):
                assert is_equal(values[order], getattr(right, item.name)), item.name
    for place, row in enumerate(order):
        for layer in Layer:
            for resource in (-1, 0, 1):
                expected = list(one[0].steps.of(row, layer, resource))
                actual = list(other[0].steps.of(place, layer, resource))
                assert repr(expected) == repr(actual)


@settings(max_examples=30)
@given(fleets((*POLICIES, WITH_CRON), most_rows=8), dues, st.randoms())
def test_the_order_of_rows_does_not_matter(fleet, due, random):
    lived(fleet, due)
    order = list(range(fleet.shape[0]))
    random.shuffle(order)
    one = decide(fleet.observe(), fleet.table, fleet.state, fleet.now_s, due)
    other = decide(*rearranged(fleet, order), fleet.now_s, due)
    assert_same_rows(one, other, order)


@settings(max_examples=30)
@given(fleets((*POLICIES, WITH_CRON)), dues)
def test_but_for_the_budget_rows_do_not_see_one_another(fleet, due):
    lived(fleet, due)
    fleet.state.budget_s[:] = fleet.now_s  # charged already, so that the budget holds nothing back
    one = decide(fleet.observe(), fleet.table, fleet.state, fleet.now_s, due)
    row = fleet.shape[0] - 1
    other = decide(*rearranged(fleet, [row]), fleet.now_s, due)
    assert_same_rows(one, other, [row])
