import numpy as np
import pytest

from recommender.backtest.contender import Contender
from recommender.backtest.fleet import run_backtests
from recommender.backtest.notes import absence_notes, late_decision_notes
from recommender.backtest.plan import ReplayPlan
from recommender.decision import Layer
from recommender.forecast.absence import Absence
from recommender.policy.parse import parse_auto_scaling_config
from recommender.resources import TFLOPS, VRAM
from tests.recommender.backtest.frames import daily, frame_of

PLAN = ReplayPlan(steps_s={Layer.LIMITS: 1800})


def asking(model, block="autoSetLimits"):
    prediction = {"enable": True, "model": model, "predictionPeriod": "30m"}
    return parse_auto_scaling_config(
        {block: {"enable": True, "targetResource": "tflops", "prediction": prediction}}
    )


def notes(policies, layer, absence, *, columns=2):
    names = [("team", f"w{row}") for row in range(len(policies))]
    table = np.zeros((len(policies), columns), np.int64)
    table[:, 0] = [int(each) for each in absence]
    return absence_notes(policies, names, (TFLOPS, VRAM), {layer: table})


def test_workloads_that_lack_the_same_model_for_the_same_reason_share_a_note():
    policies = [asking("ets"), asking("sarimax"), asking("ets")]
    told = notes(policies, Layer.LIMITS, [Absence.NOT_HERE] * 3)

    assert [note.split(":")[0] for note in told] == [
        "In place of ets, auto counts",
        "In place of sarimax, auto counts",
    ]
    assert told[0].endswith("(2 workloads: team/w0, team/w2)")


def test_a_note_names_a_few_of_many_workloads():
    [told] = notes([asking("ets")] * 7, Layer.LIMITS, [Absence.NOT_HERE] * 7)

    assert told.endswith("(7 workloads: team/w0, team/w1, team/w2, team/w3, team/w4 and more)")


@pytest.mark.parametrize(
    ("layer", "block", "columns"),
    [(Layer.REQUESTS, "autoSetRequests", 2), (Layer.REPLICAS, "autoSetReplicas", 1)],
)
def test_each_layer_names_the_model_that_it_asks_for(layer, block, columns):
    [told] = notes([asking("sarimax", block)], layer, [Absence.NOT_HERE], columns=columns)

    assert told.startswith("In place of sarimax, auto counts")


def late(config, layer, step_s):
    policies = [parse_auto_scaling_config(config), parse_auto_scaling_config({})]
    return late_decision_notes(policies, [("team", "asks"), ("team", "not")], {layer: step_s})


RISK = {"enable": True, "targetResource": "tflops", "riskTarget": "1%"}
PREDICTS = {"enable": True, "prediction": {"enable": True, "predictionPeriod": "30m"}}


@pytest.mark.parametrize(
    ("block", "config", "layer", "ahead_s", "begin"),
    [
        ("autoSetLimits", PREDICTS, Layer.LIMITS, 1800, "Limits are decided every 1 h and"),
        ("autoSetRequests", PREDICTS, Layer.REQUESTS, 3600, "Requests are decided every 2 h and"),
        ("autoSetReplicas", PREDICTS, Layer.REPLICAS, 1800, "Replicas are decided every 1 h and"),
        ("autoSetRequests", RISK, Layer.REQUESTS, 3600, "Requests are decided every 2 h and"),
    ],
)
def test_a_decision_that_outlasts_its_forecast_is_told(block, config, layer, ahead_s, begin):
    [told] = late({block: config}, layer, 2 * ahead_s)
    assert told.startswith(begin)
    assert told.endswith("(1 workload: team/asks)")
    assert late({block: config}, layer, ahead_s) == ()


def test_models_that_count_need_no_note():
    assert notes([asking("ridge")], Layer.LIMITS, [Absence.NONE]) == ()


def backtest(model, hours):
    frame = frame_of(daily(1, hours, step_s=300), step_s=300)
    [result] = run_backtests(frame, [Contender(name="own", policies=(asking(model),))], PLAN)
    return result


def test_a_back_test_says_why_a_model_of_one_series_was_not_fitted():
    [note] = backtest("ets", 12).notes

    assert note.startswith("In place of ets, auto counts: the history is shorter than two seasons")
    assert backtest("ets", 72).notes == ()


def test_a_back_test_replays_the_model_of_one_series():
    of_ets, of_auto = (backtest(model, 96).layers[Layer.LIMITS] for model in ("ets", "auto"))

    assert (of_ets.tally.allocated != of_auto.tally.allocated).any()


def test_a_back_test_says_whether_it_came_to_train_the_fleets_model():
    [note] = backtest("gbm", 12).notes

    assert note.startswith("In place of gbm, what was measured counts: the fleet's model is not ")
    assert backtest("gbm", 48).notes == ()
