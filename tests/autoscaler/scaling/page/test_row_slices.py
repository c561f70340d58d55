from dataclasses import fields, replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest

from autoscaler.reporting import Analysis, ReportText, report_of
from autoscaler.scaling.page.row_slices import decisions_of, observation_of
from recommender.usage.evidence_of import read_evidence
from tests.autoscaler.scaling.builders import policy, view
from tests.autoscaler.scaling.page.boards import watched

TEXT = ReportText(generated_s=0, tool_version="1", source="test")
ENROLLED = ("auto-limits", "auto-requests", "auto-replicas")
FORECAST = {"autoSetLimits": {"enable": True, "prediction": {"enable": True}}}
ASKING = policy(profile={"autoScalingConfig": FORECAST})
VIEWS = (
    view("a", *ENROLLED, workers=2),
    view("b", workers=3),
    view("both", *ENROLLED, gpu_model="A100"),
    view("both", *ENROLLED, gpu_model="H100"),
    view("c", "auto-limits"),
    view("d", policy=ASKING),
)
WORKLOADS = ((0,), (1,), (2, 3), (4,), (5,))
"""Rows of each."""
CHOICES = tuple(chosen for size in range(1, 6) for chosen in combinations(range(5), size))


@cache
def analysed():
    """Return the analysis of the fleet after one tick, and its evidence for any rows."""
    with watched(*VIEWS) as seen:
        tick = seen.tick()
        observed = tick.observed

        def analysis(rows):
            evidence = read_evidence(seen.loop.model, observed.usage_rows[rows], tick.now_s)
            return Analysis(
                views=[tick.views[row] for row in rows],
                observation=observation_of(observed.observation, rows),
                decisions=decisions_of(tick.decisions, rows),
                evidence=evidence,
                forecasts=seen.loop.model.forecasts.evidence(observed.usage_rows[rows]),
                start_s=0,
                now_s=tick.now_s,
            )

        whole = replace(
            analysis(np.arange(len(VIEWS))),
            observation=observed.observation,
            decisions=tick.decisions,
        )
        parts = {chosen: analysis(np.array(rows_of(chosen), np.int64)) for chosen in CHOICES}
        return whole, parts


def rows_of(chosen):
    return [row for workload in chosen for row in WORKLOADS[workload]]


@pytest.mark.parametrize("chosen", CHOICES)
def test_items_of_some_rows_are_those_of_the_whole_fleet(chosen):
    whole, parts = analysed()
    items = report_of(whole, TEXT).items
    names = {VIEWS[row].workload for row in rows_of(chosen)}

    some = report_of(parts[chosen], TEXT).items

    assert [without_money(item) for item in some] == [
        without_money(item) for item in items if item.identity.workload in names
    ]


@pytest.mark.parametrize("chosen", CHOICES)
def test_forecasts_are_sliced_with_everything_else(chosen):
    whole, parts = analysed()
    rows = np.array(rows_of(chosen), np.int64)
    forecasts, sliced = whole.observation.forecasts, parts[chosen].observation.forecasts

    for part in fields(forecasts):
        assert np.array_equal(
            getattr(sliced, part.name), getattr(forecasts, part.name)[rows], equal_nan=True
        )


def without_money(item):
    """Money of a pool depends on who else is in it."""
    return replace(item, money=None)


def test_workers_follow_their_workload():
    _, parts = analysed()
    part = parts[1, 3].observation

    assert part.workers.workload_row.tolist() == [0, 0, 0, 1]
    assert part.workloads.workload == ("b", "c")


def test_the_row_that_carries_the_replicas_is_named_anew():
    _, parts = analysed()

    assert parts[2, 3].observation.workloads.replica_row.tolist() == [0, 0, 2]


def test_steps_belong_to_the_new_rows():
    whole, parts = analysed()
    steps = parts[2, 3].decisions.steps

    assert set(steps.row.tolist()) <= {0, 1, 2}
    assert len(steps) == int(np.isin(whole.decisions.steps.row, [2, 3, 4]).sum())
