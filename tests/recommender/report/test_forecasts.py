from dataclasses import replace

import numpy as np
import pytest

from recommender.forecast.absence import Absence, absence_sentence
from recommender.forecast.diagnosis import Diagnosis, Regime
from recommender.forecast.gate import Gate
from recommender.forecast.models import ModelName
from recommender.forecast.named.fit import NamedForecast
from recommender.forecast.named.reason import Reason
from recommender.forecast.named.shifts import Shift
from recommender.report.diagnosing import Diagnoses
from recommender.report.forecast_blocks import FittedModel, ItemPattern, PatternStep
from recommender.report.gate_sentences import NOT_MADE, gate_sentence
from recommender.report.jsonform import render_json
from recommender.report.markdown import render_markdown
from recommender.report.page import render_page
from tests.recommender.report.asking import asking, asks, became, layer
from tests.recommender.report.builders import Row, report, tflops

DAY = 86_400


def items(policy, evidence=None, **options):
    return report(Row(policy=policy), forecasts=evidence, **options).items


def test_nothing_is_said_of_forecasts_where_no_layer_asks():
    built = report(forecasts=became(), with_what_if=False)

    assert [item.forecasts for item in built.items] == [(), (), ()]
    assert [item.pattern for item in built.items] == [None, None, None]


def test_each_layer_that_asks_has_a_block_of_its_own():
    policy = asking(requests=asks(period_s=3600), limits=asks("ridge"), replicas=asks())
    tflops, vram, replicas = items(policy, became())

    assert [(f.layer, f.model, f.period_s) for f in tflops.forecasts] == [
        ("requests", "auto", 3600),
        ("limits", "ridge", 600),
    ]
    assert vram.forecasts == ()
    assert [f.layer for f in replicas.forecasts] == ["replicas"]


def test_a_forecast_that_counts_says_how_much_better_it_is():
    evidence = became(limits=layer(Gate.OPEN, loss_ratio=0.86, ridge=0.6, hour=0.395, last=0.005))
    forecast = items(asking(limits=asks()), evidence)[0].forecasts[0]

    assert forecast.gate == "OPEN"
    assert forecast.gain_ratio == 0.14
    assert list(forecast.weights.items()) == [("ridge", 0.6), ("hour", 0.395)]
    assert "its error is 14 % smaller than the histogram's" in forecast.sentence


def test_a_model_that_does_not_count_is_told_with_what_counts_instead_and_why():
    evidence = became(
        requests=layer(Gate.OPEN, loss_ratio=0.86, absence=Absence.TIMED_OUT),
        limits=layer(Gate.UNPROVEN, absence=Absence.UNTRAINED),
        replicas=layer(Gate.OPEN, absence=Absence.LEFT_OUT, columns=1),
    )
    policy = asking(requests=asks("ets"), limits=asks("gbm"), replicas=asks("sarimax"))
    tflops, _, replicas = items(policy, evidence)
    requests, limits, demand = (each.sentence for each in (*tflops.forecasts, *replicas.forecasts))

    assert requests.startswith("In place of ets, auto counts: the fit took longer than its time")
    assert limits.startswith("In place of gbm, what was measured counts: the fleet's model is not ")
    assert demand.startswith("In place of sarimax, auto counts: the 20 workloads that may have ")
    assert requests.endswith("its error is 14 % smaller than the histogram's.")


def test_an_auto_without_the_fleets_model_says_so():
    evidence = became(limits=layer(Gate.OPEN, absence=Absence.UNTRAINED))
    [forecast] = items(asking(limits=asks()), evidence)[0].forecasts

    assert forecast.sentence.startswith("In auto, gbm does not count: the fleet's model is not ")


@pytest.mark.parametrize(("with_what_if", "is_told"), [(True, True), (False, False)])
def test_a_model_that_counts_and_is_not_replayed_is_told_beside_a_back_test(with_what_if, is_told):
    evidence = became(limits=layer(Gate.OPEN))
    [forecast] = items(asking(limits=asks("ets")), evidence, with_what_if=with_what_if)[0].forecasts

    told = "The back-test here replays auto in place of ets."
    assert forecast.sentence.endswith(told) is is_told


@pytest.mark.parametrize("render", [render_markdown, render_page, render_json])
def test_every_form_of_a_report_says_which_model_counts_instead(render):
    limits = layer(Gate.OPEN, absence=Absence.NOT_HERE)
    row = Row(policy=asking(limits=asks("ets")), tflops=tflops(target_request=6.0))
    shown = report(row, forecasts=became(limits=limits))

    assert "In place of ets, auto counts: models that are fitted for one series" in render(shown)


@pytest.mark.parametrize("absence", [each for each in Absence if each is not Absence.NONE])
def test_every_reason_that_a_model_does_not_count_is_a_sentence(absence):
    assert absence.sentence[0].isupper()
    assert absence.sentence.endswith(".")


def test_nothing_is_said_of_a_model_that_counts():
    assert absence_sentence(ModelName.ETS, Absence.NONE) == ""


def test_what_was_promised_stands_beside_what_came_of_it():
    limits = layer(Gate.OPEN, promised=0.01, realised=0.008, minutes=9876.4)
    forecast = items(asking(limits=asks(), risk=0.01), became(limits=limits))[0].forecasts[0]

    assert forecast.promised_share == 0.01
    assert forecast.realised_share == 0.008
    assert forecast.judged_minutes == 9876.4


def test_what_is_not_known_is_null_and_not_zero():
    forecast = items(asking(limits=asks()), became(limits=layer(Gate.YOUNG)))[0].forecasts[0]

    assert forecast.promised_share is None
    assert forecast.realised_share is None
    assert forecast.judged_minutes is None
    assert forecast.gain_ratio is None
    assert forecast.weights == {}


def test_no_minute_above_is_a_measurement_and_not_unknown():
    limits = layer(Gate.OPEN, promised=0.01, realised=0.0, minutes=900)
    forecast = items(asking(limits=asks(), risk=0.01), became(limits=limits))[0].forecasts[0]

    assert forecast.realised_share == 0.0


def test_a_promise_without_a_forecast_is_the_histograms():
    limits = layer(Gate.HISTOGRAM, promised=0.01, histogram=1.0)
    forecast = items(asking(risk=0.01), became(limits=limits))[0].forecasts[0]

    assert not forecast.is_asked
    assert forecast.model == "histogram"
    assert forecast.weights == {}
    assert "measured use, calibrated to the promise, decides" in forecast.sentence


def test_a_report_without_forecasts_says_that_none_was_made():
    forecast = items(asking(limits=asks()))[0].forecasts[0]

    assert forecast.gate is None
    assert forecast.sentence == NOT_MADE


def test_the_prediction_is_among_the_settings_with_its_source():
    shown = items(asking(limits=asks("ridge")))[0].settings

    assert shown["limits.compute.prediction.model"].value == "ridge"
    assert shown["limits.compute.prediction.model"].source == "profile team/small"
    assert shown["limits.compute.prediction.period_s"].value == 600.0
    assert "requests.compute.prediction.model" not in shown


@pytest.mark.parametrize("gate", Gate)
@pytest.mark.parametrize("has_promise", [True, False])
@pytest.mark.parametrize("gain_ratio", [None, -0.2, 0.0, 0.2])
def test_every_gate_has_whole_sentences(gate, has_promise, gain_ratio):
    text = gate_sentence(gate, gain_ratio, has_promise=has_promise)

    assert text[0].isupper()
    assert text.endswith(".")


def test_every_reason_that_a_forecast_does_not_count_reads_differently():
    texts = [gate_sentence(gate, 0.01, has_promise=False) for gate in Gate]

    assert len(set(texts)) == len(Gate)


def test_what_decides_in_place_of_a_forecast_depends_on_the_promise():
    calibrated = gate_sentence(Gate.GAPS, None, has_promise=True)
    assert "measured use, calibrated to the promise, decides" in calibrated
    assert "the rule on measured use" in gate_sentence(Gate.GAPS, None, has_promise=False)


def test_a_forecast_that_is_worse_than_the_histogram_says_by_how_much():
    text = gate_sentence(Gate.NO_GAIN, -0.03, has_promise=False)

    assert "its error is 3 % larger than the histogram's, and it must be 5 % smaller" in text


def test_a_pattern_is_shown_in_the_unit_of_its_item():
    found = Diagnosis(
        day_strength_ratio=0.83456,
        trend_per_day=0.5,
        steps=(Shift(at_s=1000, before=4.0, after=9.0),),
        regime=Regime.DAILY,
        figure=0.83456,
    )
    diagnoses = Diagnoses(patterns={(0, 0): found}, span_s=5 * DAY)
    tflops, vram, _ = items(asking(limits=asks()), diagnoses=diagnoses)

    assert tflops.pattern == ItemPattern(
        span_s=5 * DAY,
        regime="daily",
        figure=0.835,
        rests_on="strength of the day's season",
        day_strength_ratio=0.835,
        trend_per_day=0.5,
        steps=(PatternStep(at_s=1000, before=4.0, after=9.0),),
    )
    assert vram.pattern is None


def test_a_pattern_is_of_no_more_history_than_the_item_has():
    diagnoses = Diagnoses(patterns={(0, 0): Diagnosis(reason=Reason.TOO_SHORT)}, span_s=7 * DAY)
    young = Row(policy=asking(limits=asks()), span_s=DAY)

    pattern = report(young, diagnoses=diagnoses).items[0].pattern

    assert (pattern.span_s, pattern.reason, pattern.regime) == (DAY, "TooShort", None)


def test_a_model_that_was_fitted_says_what_it_expects_at_the_level_of_its_layer():
    fit = NamedForecast(mean=np.array([4.0, 6.0]), quantiles=np.array([[7.0, 8.0]]))
    policy = asking(limits=asks("ets"), risk=0.02)
    forecast = items(policy, diagnoses=Diagnoses(fits={(0, 0, "limits"): fit}))[0].forecasts[0]

    assert forecast.fitted == FittedModel(
        model="ets", period_s=600, level=0.98, mean=5.0, highest=8.0
    )


def test_a_model_that_could_not_be_fitted_says_why():
    nothing = np.full(1, np.nan)
    fit = NamedForecast(mean=nothing, quantiles=nothing[None], reason=Reason.TIMED_OUT)
    policy = asking(limits=asks("sarimax"))
    found = items(policy, diagnoses=Diagnoses(fits={(0, 0, "limits"): fit}))[0].forecasts[0].fitted

    assert found == replace(
        found, mean=None, highest=None, reason="TimedOut", sentence=Reason.TIMED_OUT.sentence
    )
