import math

import numpy as np
import pytest

from autoscaler.reporting import ReportText, analyse, look_back, look_into_days, report_of
from autoscaler.scaling.collect.collecting import CollectionError
from autoscaler.sources.source import Samples
from recommender.forecast.experts.boosting import BOOSTING
from recommender.report.blocks import ItemError
from recommender.resources import TFLOPS, VRAM
from tests.autoscaler.scaling.builders import START, ListSource, StandingCluster, policy, view

HOUR_S, DAY_S = 3600, 86_400
FORECAST = {"autoSetLimits": {"enable": True, "prediction": {"enable": True}}}
ASKING = policy(profile={"autoScalingConfig": FORECAST})


@pytest.fixture
def source():
    source = ListSource("tflops", "vram_bytes")
    for ts in range(START, START + HOUR_S, 15):
        source.put("tflops", ts, 20.0)
        source.put("vram_bytes", ts, 8e9)
    return source


def analysed(source, *views, hours=1, **more):
    return analyse(
        source=source,
        cluster=StandingCluster(*(views or (view(),))),
        resources=(TFLOPS, VRAM),
        start_s=START,
        now_s=START + hours * HOUR_S,
        step_s=15,
        **more,
    )


def report(analysis, **text):
    return report_of(analysis, ReportText(generated_s=0, tool_version="1", source="test", **text))


def test_a_whole_answer_has_no_errors_and_no_notes(source):
    analysis = analysed(source)
    assert (analysis.errors, analysis.notes, analysis.skipped) == ((), (), {})


def test_a_metric_that_cannot_be_read_is_an_error_and_the_others_are_used(source):
    source.down = {"tflops"}
    analysis = analysed(source)
    assert analysis.errors == (
        ItemError(message="tflops cannot be read", resource="tflops", stage="collect"),
    )
    assert analysis.evidence.points[0].tolist()[0] == 0
    assert analysis.evidence.points[0].tolist()[1] > 0


def test_a_source_that_answers_nothing_is_an_error(source):
    source.down = {"tflops", "vram_bytes"}
    with pytest.raises(CollectionError, match="tflops cannot be read"):
        analysed(source)


class PartialSource(ListSource):
    """Answers with what it has, and says that something is missing."""

    def read(self, metric, start_s, end_s, step_s):
        found = super().read(metric, start_s, end_s, step_s)
        return Samples(
            series=found.series,
            ts=found.ts,
            value=found.value,
            labels=found.labels,
            is_partial=True,
            warnings=("a store is down",),
        )


def test_partial_answers_are_used_told_once_and_count_as_errors():
    source = PartialSource("tflops", "vram_bytes")
    for ts in range(START, START + HOUR_S, 15):
        source.put("tflops", ts, 20.0)
    same = ItemError(message="a partial answer: a store is down", stage="collect")
    analysis = analysed(source, errors=(same,))
    assert analysis.errors == (same,)
    assert analysis.notes == (
        "some answers were partial, so that use may be higher than what is shown",
    )
    assert analysis.evidence.points[0, 0] > 0


def test_samples_of_nobody_are_counted_in_a_note(source):
    source.put("tflops", START + 30, 5.0, worker="")
    [note] = analysed(source).notes
    assert note.startswith("1 sample named no worker")


def test_workloads_that_ran_earlier_are_skipped_and_counted(source):
    source.put("tflops", START + 30, 5.0, workload="gone", worker="gone-0")
    analysis = analysed(source)
    assert analysis.skipped == {"not measured for a day": 1}
    made = report(analysis, skipped={"in the workloads file, but not measured": 2})
    assert made.meta.skipped == {
        "in the workloads file, but not measured": 2,
        "not measured for a day": 1,
    }


def test_queries_stand_at_the_resource_that_they_repeat(source):
    queries = {("team", "chat"): {"tflops": ("max_over_time(x[60s])",)}}
    items = {item.resource: item for item in report(analysed(source), queries=queries).items}
    assert items["tflops"].promql == ("max_over_time(x[60s])",)
    assert items["vram_bytes"].promql is None


@pytest.fixture(scope="module")
def two_weeks():
    """Return the analysis of two weeks, of which the week-ends are quiet."""
    source = ListSource("tflops")
    for ts in range(START, START + 14 * DAY_S, 900):
        source.put("tflops", ts, 3.0 if ts // DAY_S % 7 < 2 else 30.0)
    return analyse(
        source=source,
        cluster=StandingCluster(view(policy=ASKING)),
        resources=(TFLOPS, VRAM),
        start_s=START,
        now_s=START + 14 * DAY_S,
        step_s=900,
    )


def test_the_week_shows_in_a_history_of_two(two_weeks):
    diagnoses = look_into_days(two_weeks)
    item = report_of(
        two_weeks,
        ReportText(generated_s=0, tool_version="1", source="test"),
        diagnoses=diagnoses,
    ).items[0]

    assert item.pattern.regime == "weekly"
    assert item.pattern.week_strength_ratio > 0.9
    assert item.pattern.span_s == 14 * DAY_S - 900


def test_how_a_forecast_stands_is_part_of_a_report(source):
    item = report(analysed(source, view(policy=ASKING))).items[0]

    assert [(f.layer, f.gate, f.realised_share) for f in item.forecasts] == [
        ("limits", "YOUNG", None)
    ]
    assert item.pattern is None


@pytest.fixture(scope="module")
def forecasts_by_gbm():
    """Return the forecasts of requests and limits of a daily wave of 8 days, by their layer."""
    gbm = {"enable": True, "prediction": {"enable": True, "model": "gbm"}}
    asking = policy(profile={"autoScalingConfig": {"autoSetRequests": gbm, "autoSetLimits": gbm}})
    source = ListSource("tflops")
    for ts in range(START, START + 8 * DAY_S, 900):
        source.put("tflops", ts, 20.0 + 10.0 * math.sin(2 * math.pi * ts / DAY_S))
    analysis = analyse(
        source=source,
        cluster=StandingCluster(view(policy=asking)),
        resources=(TFLOPS,),
        start_s=START,
        now_s=START + 8 * DAY_S,
        step_s=900,
    )
    return {forecast.layer: forecast for forecast in report(analysis).items[0].forecasts}


def test_the_fleets_model_is_trained_on_the_history_of_a_report_that_is_long_enough(
    forecasts_by_gbm,
):
    requests = forecasts_by_gbm["requests"]

    assert not requests.sentence.startswith("In place of gbm")
    assert set(requests.weights) <= set(BOOSTING)
    assert sum(requests.weights.values()) == pytest.approx(1.0, abs=0.01)


def test_a_report_says_where_its_history_is_too_short_to_train_the_fleets_model(forecasts_by_gbm):
    assert forecasts_by_gbm["limits"].sentence.startswith(
        "In place of gbm, what was measured counts: the fleet's model is not trained yet"
    )


def test_only_the_days_of_the_workload_that_is_explained_are_looked_into(source):
    analysis = analysed(source, view(policy=ASKING), view("search"))

    assert list(look_into_days(analysis).patterns) == [(0, 0), (0, 1)]
    assert list(look_into_days(analysis, workload="team/chat").patterns) == [(0, 0), (0, 1)]
    assert list(look_into_days(analysis, workload="team/search").patterns) == []


def test_only_the_last_days_of_the_workload_that_is_explained_are_replayed(source):
    for workload in ("chat", "search"):
        for ts in range(START, START + 4 * HOUR_S, 60):
            source.put("tflops", ts, 20.0, workload=workload, worker=f"{workload}-0")
    analysis = analysed(source, view(), view("search"), hours=4)

    whole, alone = look_back(analysis), look_back(analysis, workload="team/search")

    assert np.isfinite(whole.requests.slack[:, 0]).tolist() == [True, True]
    assert np.isfinite(alone.requests.slack[:, 0]).tolist() == [False, True]
    assert alone.requests.slack[1, 0] == whole.requests.slack[1, 0]
    assert look_back(analysis, workload="team/gone") is None
