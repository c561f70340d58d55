"""Forecasts of a fleet: who gets which, from when on, and what is promised."""

from dataclasses import replace

import numpy as np
import pytest

from recommender.decision import Layer
from recommender.forecast.absence import Absence
from recommender.forecast.asking import ahead_of_replicas
from recommender.forecast.daily_training import train_table
from recommender.forecast.experts.boosting import BOOSTING
from recommender.forecast.fleet_forecasts import WARM_UP_BLOCKS, FleetForecasts
from recommender.forecast.forecaster import EXPERTS
from recommender.forecast.gate import Gate
from recommender.policy.parse import parse_auto_scaling_config
from recommender.policy.table import policy_table
from recommender.resources import TFLOPS, VRAM
from recommender.state import empty_state
from tests.recommender.forecast.fleets import (
    ALL_LAYERS,
    LIMITS_ALONE,
    PREDICTS,
    daily_minutes,
    fleet,
    last_of,
    model_of,
    show,
)

NOT_ASKED, HISTOGRAM = int(Gate.NOT_ASKED), int(Gate.HISTOGRAM)


def predicting(model, **prediction):
    return {
        "autoSetLimits": {
            "enable": True,
            "prediction": {"enable": True, "model": model, **prediction},
        }
    }


def test_nothing_is_computed_where_nobody_asks():
    replayed = fleet(2, {"autoSetLimits": {"enable": True}})
    assert last_of(replayed, daily_minutes(1, 2)[:120]) is None
    assert replayed.model.forecasts.streams == {}


def test_each_layer_that_asks_gets_a_stream_of_each_resource_and_replicas_one():
    replayed = fleet(2, resources=(TFLOPS, VRAM))
    found = {(key.layer, key.resource, key.ahead_s) for key in replayed.model.forecasts.streams}
    assert found == {
        (Layer.LIMITS, 0, 600),
        (Layer.LIMITS, 1, 600),
        (Layer.REQUESTS, 0, 3600),
        (Layer.REQUESTS, 1, 3600),
        (Layer.REPLICAS, 0, 900),
    }


@pytest.mark.parametrize(
    ("period", "ahead_s"), [("1m", 300), ("5m", 300), ("6m", 600), ("1h", 3600), ("2d", 3600)]
)
def test_a_period_is_rounded_up_to_what_a_stream_can_judge(period, ahead_s):
    replayed = fleet(1, predicting("auto", predictionPeriod=period))
    assert {key.ahead_s for key in replayed.model.forecasts.streams} == {ahead_s}


def test_a_daily_shape_opens_the_gate_of_limits_and_the_forecast_follows_it():
    use = daily_minutes(2, 4)
    replayed = fleet(4, LIMITS_ALONE)
    forecasts = [found.limit[:, 0] for found in show(replayed, use)]
    assert (
        replayed.model.forecasts.read(replayed.rows, 2 * 86400).limit_gate[:, 0] == Gate.OPEN
    ).all()
    day = np.array(forecasts[-288:])
    tops = use[-1440:].reshape(288, 5, 4).max(axis=1)
    assert (tops[3:] <= day[:-3]).mean() > 0.9
    assert (day.min(axis=0) < 0.4 * day.max(axis=0)).all()


def test_a_risk_alone_calibrates_the_histogram_and_asks_for_no_forecast():
    replayed = fleet(2, {"autoSetLimits": {"enable": True, "riskTarget": 0.05}})
    forecasts = last_of(replayed, daily_minutes(1, 2)[:600])
    assert forecasts.limit_gate.tolist() == [[HISTOGRAM]] * 2
    assert (forecasts.limit_histogram[:, 0] > 0).all()


@pytest.mark.parametrize(
    ("model", "experts"),
    [
        ("seasonal", {"seasonal"}),
        ("holt-winters", {"holt-winters"}),
        ("ridge", {"ridge"}),
        ("gbm", {"boosting-low", "boosting-middle", "boosting-high"}),
    ],
)
def test_a_model_by_name_is_the_only_one_that_counts(model, experts):
    replayed = fleet(2, predicting(model))
    last_of(replayed, daily_minutes(2, 2)[:1560])
    [shares] = replayed.model.forecasts.evidence(replayed.rows).limits.shares[:1, 0]
    assert experts == {name for name, share in zip(EXPERTS, shares, strict=True) if share > 0}


def test_the_histogram_by_name_is_no_forecast():
    replayed = fleet(1, predicting("histogram"))
    forecasts = last_of(replayed, daily_minutes(1, 1))
    assert forecasts.limit_gate[0, 0] == HISTOGRAM


def test_a_model_fitted_elsewhere_counts_alone_for_as_long_as_it_says_something():
    replayed = fleet(1, predicting("ets"))
    use = daily_minutes(1, 1)
    last_of(replayed, use[:720])
    forecasts = replayed.model.forecasts
    [wish] = forecasts.named_wanted()
    assert (wish.model, wish.block, wish.block_s) == ("ets", 142, 300)
    np.testing.assert_allclose(use[710:715].max(), wish.values[-1], rtol=1e-6)
    forecasts.install_named(wish, np.full(24, 70.0))
    shares = []
    for _ in show(replayed, use[720:900], first=720):
        [stream] = forecasts.streams.values()
        shares.append(stream.forecaster.made[-1].values[EXPERTS.index("named"), 0])
    assert shares[0] == 70.0
    assert np.isnan(shares[-1])


def test_a_model_by_name_decides_alone_once_its_errors_are_known_and_all_do_before():
    replayed = fleet(1, predicting("ets"))
    use = daily_minutes(1, 1)
    last_of(replayed, use[:720])
    forecasts = replayed.model.forecasts
    [wish] = forecasts.named_wanted()
    forecasts.install_named(wish, np.full(288, 30.0))
    weights = []
    for found in show(replayed, use[720:900], first=720):
        assert not np.isnan(found.limit[0, 0])
        [shares] = forecasts.evidence(replayed.rows).limits.shares[:, 0]
        weights.append(shares[EXPERTS.index("named")])
    assert weights[0] == 0.0
    assert weights[-1] == 1.0


def absence_of(replayed, row=0):
    return Absence(replayed.model.forecasts.evidence(replayed.rows).limits.absence[row, 0])


def test_evidence_says_that_a_model_by_name_is_fitted_nowhere_but_in_the_live_loop():
    replayed = fleet(1, predicting("ets"))
    last_of(replayed, daily_minutes(1, 1)[:720])
    assert absence_of(replayed) is Absence.NOT_HERE


def test_evidence_says_why_a_model_by_name_is_absent_until_it_is_there():
    replayed = fleet(2, predicting("ets"))
    last_of(replayed, daily_minutes(1, 2)[:720])
    forecasts = replayed.model.forecasts
    first = forecasts.named_wanted()[0]
    forecasts.tell_unfitted({(first.key, first.row): Absence.TIMED_OUT})
    before = absence_of(replayed, 0), absence_of(replayed, 1)
    forecasts.install_named(first, np.full(288, 30.0))
    assert before == (Absence.TIMED_OUT, Absence.NOT_YET)
    assert (absence_of(replayed, 0), absence_of(replayed, 1)) == (Absence.NONE, Absence.NOT_YET)


def test_who_takes_the_row_of_a_workload_that_is_gone_is_not_told_its_reason():
    replayed = fleet(1, predicting("ets"))
    last_of(replayed, daily_minutes(1, 1)[:720])
    forecasts = replayed.model.forecasts
    [wish] = forecasts.named_wanted()
    forecasts.tell_unfitted({(wish.key, wish.row): Absence.TIMED_OUT})
    forecasts.drop(replayed.rows)
    policy = parse_auto_scaling_config(predicting("ets"))
    forecasts.want(replayed.rows, policy_table([policy], replayed.model.resources))
    assert absence_of(replayed) is Absence.NOT_YET


def test_evidence_says_that_the_fleets_model_is_absent_until_it_is_trained():
    replayed, use = fleet(1, predicting("gbm")), daily_minutes(2, 1)[:2700]
    last_of(replayed, use[:720])
    before = absence_of(replayed)
    last_of(replayed, use[720:], first=720)
    assert (before, absence_of(replayed)) == (Absence.UNTRAINED, Absence.NONE)


def test_a_model_of_a_block_without_a_forecast_is_not_absent():
    block = {"enable": True, "riskTarget": "1%", "prediction": {"enable": False, "model": "ets"}}
    replayed = fleet(1, {"autoSetLimits": block})
    last_of(replayed, daily_minutes(1, 1)[:720])
    assert absence_of(replayed) is Absence.NONE


def ask(replayed, config, rows=None):
    """Let some or all workloads of a fleet ask for what a policy says."""
    rows = replayed.rows if rows is None else rows
    policy = parse_auto_scaling_config(config)
    table = policy_table([policy] * len(rows), replayed.model.resources)
    replayed.model.forecasts.want(rows, table)


def test_workloads_come_and_go_and_those_that_stay_lose_nothing():
    use = daily_minutes(2, 3)
    use[1440:1530, 2] = np.nan
    alone, joined = fleet(3, LIMITS_ALONE), fleet(3, LIMITS_ALONE)
    model = joined.model
    last_of(alone, use)
    last_of(joined, use[:1530])
    ask(joined, LIMITS_ALONE, joined.rows[:2])
    ask(joined, LIMITS_ALONE)
    last_of(joined, use[1530:], first=1530)
    own, other = (f.model.forecasts.evidence(f.rows).limits.minutes[:, 0] for f in (alone, joined))
    np.testing.assert_allclose(own[:2], other[:2])
    [stream] = model.forecasts.streams.values()
    assert joined.rows.tolist() == stream.rows.tolist()
    assert stream.forecaster.standing.seen[2] == 2 * 288 - 18 - 1
    assert stream.forecaster.losses.windows[2] < 288


def test_a_workload_that_is_away_for_a_moment_loses_nothing():
    use = daily_minutes(1, 3)
    alone, away = fleet(3), fleet(3)
    for each in (alone, away):
        last_of(each, use[:720])
    ask(away, ALL_LAYERS, away.rows[:2])
    for each in (alone, away):
        each.see(0, 720 * 60, use[720:730].T, now_s=730 * 60)
        each.model.advance(740 * 60)
    ask(away, ALL_LAYERS)
    one, other = (last_of(each, use[740:], first=740) for each in (alone, away))
    for name in ("limit", "request", "replica_demand", "limit_gate"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_the_order_of_workloads_changes_no_forecast():
    use, order = daily_minutes(1, 4), [2, 0, 3, 1]
    ordered = last_of(fleet(4, LIMITS_ALONE), use)
    shuffled = last_of(fleet(4, LIMITS_ALONE), use[:, order])
    np.testing.assert_array_equal(ordered.limit[order], shuffled.limit)


def test_a_workload_that_is_gone_leaves_nothing_to_the_next_one_in_its_row():
    replayed = fleet(2, LIMITS_ALONE)
    last_of(replayed, daily_minutes(1, 2))
    model = replayed.model
    model.drop_workloads(replayed.rows[:1])
    [stream] = model.forecasts.streams.values()
    assert replayed.rows[1:].tolist() == stream.rows.tolist()
    rows = model.workload_rows([("team", "new", ""), ("team", "w1", "")])
    policy = parse_auto_scaling_config(LIMITS_ALONE)
    model.forecasts.want(rows, policy_table([policy] * 2, model.resources))
    assert stream.forecaster.standing.seen[0] == 0.0


def test_a_forecast_counts_neither_when_use_is_measured_no_more_nor_before_its_time():
    replayed = fleet(1, LIMITS_ALONE)
    last_of(replayed, daily_minutes(1, 1)[:480])
    forecasts = replayed.model.forecasts
    assert forecasts.read(replayed.rows, 480 * 60).limit_gate[0, 0] != Gate.GAPS
    for now_s in (480 * 60 + 1800, 480 * 60 - 3600):
        elsewhen = forecasts.read(replayed.rows, now_s)
        assert elsewhen.limit_gate[0, 0] == Gate.GAPS
        assert np.isnan(elsewhen.limit[0, 0])


def read_at_once(use, config, *, end_s):
    """Return a model that has read minutes ``[T, S]`` at once, a history up to ``end_s``."""
    model = model_of(use[:1])
    policy, series = parse_auto_scaling_config(config), use.shape[1]
    rows = model.workload_rows([("team", f"w{i}", "") for i in range(series)])
    model.forecasts.want(rows, policy_table([policy] * series, model.resources))
    model.forecasts.history_end_s, now_s = end_s, 60 * len(use)
    minute, column = np.nonzero(use[1:])
    workers = model.worker_rows(rows, [f"{i}" for i in range(series)])
    model.ingest(
        0, workers[column], 60 * (minute + 1), use[minute + 1, column], now_s=now_s, step_s=60
    )
    model.advance(now_s + 120)
    return model


def test_a_history_read_at_once_is_gone_through_only_in_its_last_hours():
    end_s = 2 * 86400
    model = read_at_once(daily_minutes(2, 2), LIMITS_ALONE, end_s=end_s)
    [stream] = model.forecasts.streams.values()
    assert stream.until_s == end_s
    lead = stream.forecaster.timing.lead
    assert stream.forecaster.losses.windows.tolist() == [WARM_UP_BLOCKS - 2 * lead] * 2
    assert stream.forecaster.standing.blocks == WARM_UP_BLOCKS
    assert stream.forecaster.standing.seen.tolist() == [2 * 288] * 2


@pytest.mark.parametrize(
    ("layer", "hours", "predicts"),
    [("autoSetRequests", 9 * 24, True), ("autoSetLimits", 3 * 24, False)],
)
def test_a_promised_risk_is_spent_where_forecasts_are_wide(layer, hours, predicts):
    config = {layer: {"enable": True, "riskTarget": 0.05, "prediction": {"enable": predicts}}}
    use = daily_minutes(hours // 24, 2)
    # all blocks of the last half day are gone through, beside those of the end of a history
    model = read_at_once(use, config, end_s=(hours - 12) * 3600)
    [stream] = model.forecasts.streams.values()
    even = stream.control.level(stream.risk)
    assert (stream.forecaster.made[-1].level != even).all()


def test_time_before_the_first_sample_holds_no_blocks_to_go_through():
    replayed = fleet(1, LIMITS_ALONE)
    begin_minute = 28_000_000
    last_of(replayed, daily_minutes(1, 1)[:60], first=begin_minute)
    [stream] = replayed.model.forecasts.streams.values()
    assert stream.forecaster.standing.blocks <= 12


def test_a_tick_before_anything_was_measured_goes_through_no_blocks_either():
    replayed = fleet(1, LIMITS_ALONE)
    replayed.decide(28_000_000 * 60)
    [stream] = replayed.model.forecasts.streams.values()
    assert stream.forecaster.standing.blocks <= 1


def test_what_was_promised_is_compared_with_what_was_in_force():
    replayed = fleet(1, {"autoSetLimits": {"enable": True, "riskTarget": 0.2}})
    use = np.tile([[10.0], [10.0], [10.0], [10.0], [50.0]], (288, 1))
    last_of(replayed, use, limits=lambda *_: 20.0)
    evidence = replayed.model.forecasts.evidence(replayed.rows).limits
    assert evidence.promised[0, 0] == 0.2
    assert evidence.realised[0, 0] == pytest.approx(0.2, abs=0.01)
    assert evidence.minutes[0, 0] > 1000


def test_the_risk_is_steered_to_the_promise_where_the_forecast_is_in_force():
    risk = 0.04
    config = {"autoSetLimits": {"enable": True, "riskTarget": risk, "prediction": {"enable": True}}}
    replayed = fleet(6, config)

    def chosen(_, forecasts):
        value = np.where(
            forecasts.limit_gate == Gate.OPEN, forecasts.limit, forecasts.limit_histogram
        )
        return value[:, 0]

    last_of(replayed, daily_minutes(3, 6, noise=5.0), limits=chosen)
    realised = replayed.model.forecasts.evidence(replayed.rows).limits.realised[:, 0]
    assert 0.5 * risk < realised.mean() < 1.5 * risk


@pytest.mark.parametrize("ignored", ["0%", "1%", "10%"])
def test_a_limit_of_the_forecast_steers_the_risk_however_little_is_ignored(ignored):
    asks = {"enable": True, "riskTarget": 0.05, "ignoredDeltaRange": ignored}
    replayed = fleet(3, {"autoSetLimits": asks})
    last_of(
        replayed,
        daily_minutes(1, 3, noise=5.0)[:900],
        limits=lambda decided, _: decided.next_limit[:, 0],
    )
    [stream] = replayed.model.forecasts.streams.values()
    assert (stream.control.asked > 20.0).all()


REQUESTS_AT_RISK = {"autoSetRequests": {**PREDICTS, "riskTarget": 0.05}}


def moved(replayed, **options):
    """Return what a request is on its way to, where the last decision aimed at 30."""
    state = replace(empty_state(replayed.workloads.uid, 1), target_request=np.full((1, 1), 30.0))
    [stream] = replayed.model.forecasts.streams.values()
    replayed.model.forecasts.note_in_force(replayed.workloads, state, **options)
    return stream.windows[-1].aimed.tolist()


def test_a_request_is_on_its_way_where_decisions_about_it_are_applied():
    replayed = fleet(1, REQUESTS_AT_RISK)
    last_of(replayed, daily_minutes(1, 1)[:180])
    assert moved(replayed) == [30.0]
    assert moved(replayed, is_applied=False) == pytest.approx([np.nan], nan_ok=True)
    replayed.put_in_force(is_paused=np.array([True]))
    assert moved(replayed) == pytest.approx([np.nan], nan_ok=True)


def test_a_request_that_decisions_only_recommend_is_on_no_way():
    recommends = {"autoSetRequests": {**REQUESTS_AT_RISK["autoSetRequests"], "mode": "recommend"}}
    replayed = fleet(1, recommends)
    last_of(replayed, daily_minutes(1, 1)[:180])
    assert moved(replayed) == pytest.approx([np.nan], nan_ok=True)


def test_the_promise_of_requests_is_kept_through_their_pace():
    replayed = fleet(4, REQUESTS_AT_RISK)
    minute = np.arange(8 * 1440)[:, None]
    random = np.random.default_rng(5)
    # Five times as much by day as by night: more steps than the pace lets through.
    shape = 1.0 + 4.0 * np.clip(np.sin(2 * np.pi * minute / 1440), 0.0, None)
    use = 10.0 * shape * random.gamma(30.0, 1 / 30.0, (len(minute), 4))
    last_of(replayed, use, requests=lambda decided: decided.next_request)
    realised = replayed.model.forecasts.evidence(replayed.rows).requests.realised[:, 0]
    assert 0.2 * 0.05 < realised.mean() < 1.3 * 0.05


def test_the_promise_of_requests_is_kept_where_one_worker_does_most():
    minute = np.arange(3 * 1440)[:, None]
    random = np.random.default_rng(2)
    shape = 1.0 + 0.2 * np.sin(2 * np.pi * minute / 1440)
    workers = np.tile([40.0, 5.0, 5.0, 5.0], 3)
    use = workers * shape * random.gamma(100.0, 0.01, (len(minute), 12))
    replayed = fleet(12, REQUESTS_AT_RISK, workloads=np.repeat(np.arange(3), 4))
    last_of(replayed, use, requests=lambda decided: decided.next_request)
    realised = replayed.model.forecasts.evidence(replayed.rows).requests.realised[:, 0]
    assert (realised < 1.5 * 0.05).all()


@pytest.mark.parametrize(
    ("layer", "floors"), [("autoSetLimits", ("13", "15")), ("autoSetRequests", ("12", "13.5"))]
)
def test_a_floor_a_little_above_the_forecast_raises_no_risk(layer, floors):
    use = 10.0 * np.random.default_rng(5).gamma(30.0, 1 / 30.0, (2880, 4))
    asked = []
    for floor in ("1", *floors):
        rule = {**PREDICTS, "riskTarget": 0.05, "minAllowed": {"tflops": floor}}
        replayed = fleet(4, {layer: rule})
        last_of(
            replayed,
            use,
            limits=lambda decided, _: decided.next_limit[:, 0],
            requests=lambda decided: decided.next_request,
        )
        [stream] = replayed.model.forecasts.streams.values()
        asked.append(1.0 - stream.control.level(np.full(4, 0.05)))
    free, *held = asked
    assert all((each < 1.2 * free).all() for each in held)


def share_of_the_model(replayed):
    """Return how much all quantiles of the fleet's model count in the first series' limits."""
    [shares] = replayed.model.forecasts.evidence(replayed.rows).limits.shares[:1, 0]
    return sum(shares[EXPERTS.index(expert)] for expert in BOOSTING)


def test_a_model_of_the_fleet_is_trained_on_tables_and_counts_from_then_on():
    replayed = fleet(4, LIMITS_ALONE)
    use = daily_minutes(2, 4)
    last_of(replayed, use[:1440])
    forecasts = replayed.model.forecasts
    [key] = forecasts.streams
    tables = forecasts.training_tables([key])
    assert len(tables[key].outcome) == forecasts.training_rows()[key] > 500
    assert tables[key].version == forecasts.training_tables([key])[key].version
    before = share_of_the_model(replayed)
    forecasts.install(key, train_table(tables[key]))
    last_of(replayed, use[1440:], first=1440)
    assert share_of_the_model(replayed) > max(0.05, 10 * before)


def test_the_demand_for_replicas_is_of_all_workers_together():
    replayed = fleet(4, {"autoSetReplicas": PREDICTS}, workloads=[0, 0, 0, 1])
    use = daily_minutes(1, 4)
    forecasts = last_of(replayed, use)
    assert forecasts.replica_demand.shape == (2,)
    total = use[-60:, :3].sum(axis=1).mean()
    assert 0.8 * total < forecasts.replica_demand[0] < 2.0 * total


def test_a_start_that_takes_longer_moves_the_demand_for_replicas_further_ahead():
    model = model_of(daily_minutes(1, 1)[:10])
    rows = model.workload_rows([("team", "w0", "")])
    table = policy_table(
        [parse_auto_scaling_config({"autoSetReplicas": PREDICTS})], model.resources
    )
    model.forecasts.want(rows, table)
    assert {key.ahead_s for key in model.forecasts.streams} == {900}
    model.set_readiness(np.array([0]), np.array([0]), np.array([1000]))
    model.forecasts.want(rows, table)
    assert {key.ahead_s for key in model.forecasts.streams} == {1800}


@pytest.mark.parametrize(("startup_s", "ahead_s"), [(590, 1800), (500, 1800), (400, 900)])
def test_a_start_that_takes_a_little_less_moves_the_demand_for_replicas_no_nearer(
    startup_s, ahead_s
):
    policy = parse_auto_scaling_config({"autoSetReplicas": PREDICTS})
    columns = policy_table([policy], (TFLOPS,)).replicas
    startup, before = np.array([float(startup_s)]), np.array([1800])
    assert ahead_of_replicas(columns, startup, before).tolist() == [ahead_s]


def limits_at_risk(**prediction):
    prediction = {"enable": True, **prediction}
    return {"autoSetLimits": {"enable": True, "prediction": prediction, "riskTarget": 0.05}}


def test_a_promise_goes_on_where_a_policy_looks_further_ahead():
    use = 10.0 * np.random.default_rng(5).gamma(30.0, 1 / 30.0, (1440, 4))
    replayed = fleet(4, limits_at_risk())
    last_of(replayed, use, limits=lambda decided, _: decided.next_limit[:, 0])
    forecasts = replayed.model.forecasts
    [before] = forecasts.streams.values()
    realised, level = before.realised.share, before.control.level(before.risk)

    ask(replayed, limits_at_risk(predictionPeriod="1h"))

    [after] = forecasts.streams.values()
    assert after is not before
    np.testing.assert_array_equal(after.realised.share, realised)
    np.testing.assert_array_equal(after.control.level(after.risk), level)


def test_forecasts_are_empty_where_there_are_no_workloads():
    model = model_of(daily_minutes(1, 1)[:10])
    forecasts = FleetForecasts(model)
    forecasts.want(np.empty(0, np.int64), policy_table([], model.resources))
    assert forecasts.read(np.empty(0, np.int64), 600) is None
    rows = model.workload_rows([("a", "b", "")])
    assert forecasts.evidence(rows).limits.gate.tolist() == [[NOT_ASKED]]


def test_layers_that_nobody_decides_on_are_not_forecast():
    replayed = fleet(1, layers=frozenset({Layer.LIMITS}))

    assert {key.layer for key in replayed.model.forecasts.streams} == {Layer.LIMITS}
