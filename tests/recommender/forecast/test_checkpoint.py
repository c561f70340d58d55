"""What forecasts have learned goes into arrays and comes back as it was."""

import json

import numpy as np
import pytest

from recommender.decision import Layer
from recommender.errors import CheckpointError
from recommender.forecast.checkpoint import forecasts_to_arrays, restore_forecasts
from recommender.policy.parse import parse_auto_scaling_config
from recommender.policy.table import policy_table
from recommender.usage.checkpoint import model_from_bytes, model_to_bytes
from tests.recommender.forecast.fleets import daily_minutes, fleet, last_of

RISK = {"autoSetLimits": {"enable": True, "riskTarget": 0.05, "prediction": {"enable": True}}}
DAY = daily_minutes(1, 3)


@pytest.fixture(scope="module")
def replayed():
    """Return a fleet of one day, with a forecast in hand for each layer."""
    ran = fleet(3)
    last_of(ran, DAY[:900], limits=lambda *_: 20.0)
    return ran


def restored(replayed):
    """Return another fleet that has taken over everything."""
    header, arrays = forecasts_to_arrays(replayed.model.forecasts)
    other = fleet(3)
    other.model = model_from_bytes(model_to_bytes(replayed.model), replayed.model.resources)
    restore_forecasts(other.model.forecasts, header, arrays)
    return other


def test_forecasts_that_come_back_say_what_they_said(replayed):
    before, after = (f.model.forecasts.read(f.rows, 54000) for f in (replayed, restored(replayed)))
    for name in ("limit", "limit_gate", "request", "replica_demand", "segment"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    own, other = (f.model.forecasts.evidence(f.rows) for f in (replayed, restored(replayed)))
    np.testing.assert_array_equal(own.limits.minutes, other.limits.minutes)
    np.testing.assert_array_equal(own.limits.shares, other.limits.shares)


def test_forecasts_that_come_back_go_on_as_if_nothing_had_happened():
    plain, other = fleet(3, RISK), fleet(3, RISK)
    for each in (plain, other):
        last_of(each, DAY[:600], limits=lambda *_: 20.0)
    kept = restored_with(other, RISK)
    for key, stream in plain.model.forecasts.streams.items():
        kept.model.forecasts.streams[key].forecaster.model = stream.forecaster.model
    ends = [last_of(f, DAY[600:], first=600, limits=lambda *_: 20.0) for f in (plain, kept)]
    np.testing.assert_array_equal(ends[0].limit, ends[1].limit)
    evidence = [f.model.forecasts.evidence(f.rows).limits for f in (plain, kept)]
    np.testing.assert_array_equal(evidence[0].realised, evidence[1].realised)


def test_how_wide_forecasts_usually_are_comes_back():
    replayed = fleet(3)
    last_of(replayed, DAY[:120])
    streams = [f.model.forecasts.streams for f in (replayed, restored(replayed))]
    for key in streams[0]:
        own, other = (each[key].forecaster.widths for each in streams)
        np.testing.assert_array_equal(own.powers, other.powers)
        np.testing.assert_array_equal(own.blocks, other.blocks)
    learned = {key.layer for key, each in streams[1].items() if each.forecaster.widths.blocks.all()}
    assert learned >= {Layer.LIMITS}


def test_what_comes_back_is_kept_again_as_it_was():
    replayed = fleet(3)
    last_of(replayed, DAY[:120])
    for stream in replayed.model.forecasts.streams.values():
        stream.forecaster.examples.rows_per_block = 2
    replayed.model.advance(130 * 60)
    (header, arrays), (again, others) = (
        forecasts_to_arrays(f.model.forecasts) for f in (replayed, restored(replayed))
    )
    assert {each["is_noted"] for each in header["streams"]} == {False}
    assert again == header
    np.testing.assert_equal(others, arrays)


def test_the_demand_for_replicas_goes_on_before_anybody_has_asked_again():
    plain, other = fleet(3), fleet(3)
    for each in (plain, other):
        last_of(each, DAY[:600])
    kept = restored(other)
    for each in (plain, kept):
        each.see(0, 600 * 60, DAY[600:630].T, now_s=630 * 60)
        each.model.advance(640 * 60)
    [own], [back] = (
        [s for key, s in f.model.forecasts.streams.items() if key.layer is Layer.REPLICAS]
        for f in (plain, kept)
    )
    assert own.until_s == back.until_s > 630 * 60
    np.testing.assert_array_equal(own.current.value, back.current.value)


def restored_with(replayed, config):
    header, arrays = forecasts_to_arrays(replayed.model.forecasts)
    data = model_to_bytes(replayed.model)
    replayed.model = model_from_bytes(data, replayed.model.resources)
    restore_forecasts(replayed.model.forecasts, header, arrays)
    policies = [parse_auto_scaling_config(config)] * len(replayed.rows)
    table = policy_table(policies, replayed.model.resources)
    replayed.model.forecasts.want(replayed.rows, table)
    return replayed


def test_tables_to_train_on_come_back_and_models_do_not(replayed):
    forecasts, after = (f.model.forecasts for f in (replayed, restored(replayed)))
    tables = [each.training_tables(each.streams) for each in (forecasts, after)]
    assert {k: t.version for k, t in tables[0].items()} == {
        k: t.version for k, t in tables[1].items()
    }
    assert [stream.forecaster.model for stream in after.streams.values()] == [None] * 3


def test_arrays_of_a_header_that_is_kept_as_text_are_enough(replayed):
    header, arrays = forecasts_to_arrays(replayed.model.forecasts)
    assert json.loads(json.dumps(header)) == header
    assert {array.dtype.kind for array in arrays.values()} <= set("fib")


@pytest.mark.parametrize("damage", ["version", "experts", "array", "counter"])
def test_what_does_not_fit_is_refused_and_forecasts_begin_anew(replayed, damage):
    header, arrays = forecasts_to_arrays(replayed.model.forecasts)
    if damage == "version":
        header["version"] = 99
    elif damage == "experts":
        header["experts"] = ["oracle"]
    elif damage == "array":
        arrays.pop(next(name for name in arrays if name.endswith("sketches/weights")))
    else:
        header["streams"][0].pop("until_s")
    other = fleet(3)
    other.model.forecasts.streams.clear()
    with pytest.raises(CheckpointError, match=r"forecasts (of another version|lack a part)"):
        restore_forecasts(other.model.forecasts, header, arrays)
    assert other.model.forecasts.streams == {}
