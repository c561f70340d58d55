from dataclasses import replace

import pytest
from hypothesis import given

from recommender.report.forecast_blocks import (
    FittedModel,
    ItemForecast,
    ItemPattern,
    PatternStep,
)
from recommender.report.forecast_wording import (
    fitted_text,
    forecast_head,
    forecast_lines,
    forecasts_summary,
    outcome_text,
    pattern_lines,
)
from recommender.report.markdown import render_markdown
from recommender.report.page import render_page
from recommender.report.table import render_table
from tests.recommender.report.asking import asking, asks
from tests.recommender.report.builders import Row, report, tflops
from tests.recommender.report.strategies import sized_items

ITEM = report().items[0]
FORECAST = ItemForecast(
    layer="limits",
    is_asked=True,
    model="auto",
    period_s=600,
    gate="OPEN",
    sentence="The forecast counts.",
    promised_share=0.01,
    realised_share=0.008,
    judged_minutes=9876.4,
    weights={"ridge": 0.6, "hour": 0.4},
)
ABOVE = "of the minutes above what is in force"
DAILY = ItemPattern(
    span_s=7 * 86_400,
    regime="daily",
    figure=0.83,
    rests_on="strength of the day's season",
    day_strength_ratio=0.83,
)


def test_a_forecast_reads_from_what_is_asked_to_what_came_of_it():
    assert forecast_head(FORECAST) == "limits: model auto, 10 min ahead"
    assert list(forecast_lines(ITEM, FORECAST)) == [
        "The forecast counts.",
        f"promised: at most 1 % {ABOVE}; came: 0.8 % of 9876 minutes, kept",
        "weights: ridge 60 %, hour 40 %",
    ]


@pytest.mark.parametrize(
    ("realised", "minutes", "judgement"),
    [
        (0.008, 9876, "came: 0.8 % of 9876 minutes, kept"),
        (0.011, 9876, "came: 1.1 % of 9876 minutes, kept"),
        (0.03, 9876, "came: 3 % of 9876 minutes, missed: 3 times as many"),
        (0.0, 400, "came: 0 % of 400 minutes, too few to judge"),
        (None, None, "came: nothing was judged"),
    ],
)
def test_a_promise_is_judged_once_enough_minutes_were_seen(realised, minutes, judgement):
    forecast = replace(FORECAST, realised_share=realised, judged_minutes=minutes)

    assert outcome_text(forecast).endswith(judgement)


def test_without_a_promise_only_what_came_is_told():
    text = outcome_text(replace(FORECAST, promised_share=None))

    assert text == "0.8 % of 9876 minutes were above what was in force"


def test_nothing_promised_and_nothing_judged_says_nothing():
    unknown = replace(FORECAST, promised_share=None, realised_share=None, judged_minutes=None)

    assert outcome_text(unknown) == ""
    assert list(forecast_lines(ITEM, replace(unknown, weights={}))) == ["The forecast counts."]


def test_a_promise_without_a_forecast_is_not_called_a_model():
    asked = replace(FORECAST, is_asked=False, model="histogram")

    assert forecast_head(asked) == "limits: no forecast is asked for"


def test_a_fitted_model_gives_its_amounts_in_the_unit_of_the_item():
    fitted = FittedModel(model="ets", period_s=3600, level=0.99, mean=41.0, highest=52.0)

    assert fitted_text(ITEM, fitted) == (
        "ets, fitted to this series and beside what is recommended: 41 TFLOPS on average over "
        "the next 1 h, at most 52 TFLOPS (99 % quantile)"
    )


def test_a_model_without_a_value_gives_its_reason():
    fitted = FittedModel(
        model="ets", period_s=3600, level=0.99, reason="TooShort", sentence="It is too short."
    )

    assert fitted_text(ITEM, fitted).endswith(": no value. It is too short.")


def test_a_pattern_tells_its_figure_once_and_the_other_season_beside_it():
    pattern = replace(
        DAILY,
        week_strength_ratio=0.12,
        trend_per_day=-0.4,
        steps=(PatternStep(at_s=1_763_640_000, before=12.0, after=40.0),),
    )

    assert list(pattern_lines(ITEM, pattern)) == [
        "daily (strength of the day's season: 83 %)",
        "the day of the week explains 12 % of what the trend leaves",
        "trend: -0.4 TFLOPS a day, over 7 d",
        "step at 2025-11-20 12:00 UTC: 12 -> 40 TFLOPS",
    ]


def test_only_the_newest_steps_are_told():
    steps = tuple(PatternStep(at_s=at, before=1.0, after=2.0) for at in range(0, 18_000, 3600))
    lines = list(pattern_lines(ITEM, replace(DAILY, steps=steps)))

    assert [line for line in lines if line.startswith("step")] == [
        f"step at 1970-01-01 0{hour}:00 UTC: 1 -> 2 TFLOPS" for hour in (2, 3, 4)
    ]


def test_a_trend_that_moved_use_by_nothing_worth_telling_is_left_out():
    assert list(pattern_lines(ITEM, replace(DAILY, trend_per_day=0.001))) == [
        "daily (strength of the day's season: 83 %)"
    ]


def test_a_history_without_a_pattern_says_why():
    pattern = ItemPattern(span_s=3600, reason="TooShort", sentence="It is too short.")

    assert list(pattern_lines(ITEM, pattern)) == ["none: It is too short."]


@given(sized_items)
def test_whatever_a_report_holds_can_be_said(item):
    for forecast in item.forecasts:
        assert all(forecast_lines(item, replace(forecast, sentence="Said.")))
    if item.pattern is not None:
        assert list(pattern_lines(item, item.pattern))


def asked(**forecast):
    built = report(Row(policy=asking(limits=asks()), tflops=tflops(target_request=6.0)))
    shown = replace(built.items[0], forecasts=(replace(FORECAST, **forecast),), pattern=DAILY)
    return replace(built, items=(shown, *built.items[1:]))


def test_the_page_shows_forecast_and_pattern_with_their_item():
    page = render_page(asked(sentence="It <counts>."))

    assert page.count("<h4>Forecast</h4>") == 1
    assert "limits: model auto, 10 min ahead</b><br>It &lt;counts&gt;.<br>promised" in page
    assert "<li>daily (strength of the day&#39;s season: 83 %)" in page


def test_a_page_without_forecasts_has_no_empty_heading():
    page = render_page(report())

    assert "<h4>Forecast</h4>" not in page
    assert "<h4>Pattern of the days</h4>" not in page


def test_one_line_says_how_all_forecasts_and_promises_stand():
    missed = replace(FORECAST, layer="requests", gate="NO_GAIN", realised_share=0.03)
    young = replace(FORECAST, gate="YOUNG", judged_minutes=30.0)
    item = replace(ITEM, forecasts=(FORECAST, missed, young))

    assert forecasts_summary([item, ITEM]) == (
        "3 forecasts asked for, of which 1 counts; "
        "2 promises judged, 1 missed: team-a/chat tflops requests"
    )


def test_where_nothing_is_asked_for_no_line_is_told():
    assert forecasts_summary([ITEM]) == ""


def test_the_table_ends_with_how_the_forecasts_stand():
    assert "1 forecast asked for, of which 1 counts; 1 promise judged, 0 missed" in render_table(
        asked()
    )
    assert "asked for" not in render_table(report())


def test_markdown_lists_the_forecasts_of_the_items_that_it_shows():
    text = render_markdown(asked(sentence="It | counts."))

    assert "#### Forecasts" in text
    assert "| team-a/chat tflops | limits: model auto, 10 min ahead | It \\| counts. |" in text
    assert f"| promised: at most 1 % {ABOVE}; came: 0.8 % of 9876 minutes, kept |" in text


def test_markdown_without_forecasts_has_no_table_of_them():
    assert "Forecasts" not in render_markdown(report())
