"""What forecasts have learned outlives the process; models are trained again."""

import logging
from dataclasses import fields

import numpy as np

from recommender.forecast import checkpoint
from recommender.forecast.daily_training import TrainingTimes, train_due
from tests.autoscaler.scaling.running.forecasting_fleet import HOUR, ForecastingFleet
from tests.autoscaler.scaling.running.starts import checkpoints_of

ROUNDING = 1e-6
"""Demand of all workers together is summed anew from what is kept."""
NAMES = ("chat", "search", "speech", "vision", "code")


def saved(path, *names):
    """Return a fleet and a loop over it that has kept its state in a file."""
    fleet = ForecastingFleet(*names)
    loop = fleet.loop_with_history()
    fleet.move(loop, HOUR // 2)
    checkpoints_of(loop, path).save()
    return fleet, loop


def restarted(fleet, path):
    loop = fleet.loop()
    assert checkpoints_of(loop, path).begin(fleet.since_s, now_s=fleet.clock.now_s()) is None
    return loop


def test_a_restart_forecasts_as_if_the_process_had_gone_on(tmp_path):
    fleet, steady = saved(tmp_path / "state")
    twin, _ = saved(tmp_path / "twin")
    again = restarted(twin, tmp_path / "twin")

    pairs = zip(fleet.move(steady, HOUR), twin.move(again, HOUR), strict=True)
    for expected, found in pairs:
        said, says = (tick.observed.observation.forecasts for tick in (expected, found))
        for item in fields(said):
            np.testing.assert_allclose(
                getattr(says, item.name), getattr(said, item.name), rtol=ROUNDING, err_msg=item.name
            )
    assert (said.limit_gate == 0).all()
    assert twin.cluster.applied == fleet.cluster.applied


def test_a_model_is_trained_again_from_the_table_that_was_kept(tmp_path):
    fleet, loop = saved(tmp_path / "state", *NAMES)
    train_due(loop.model.forecasts, TrainingTimes(), fleet.clock.now_s())
    again = restarted(fleet, tmp_path / "state")
    streams, restored = loop.model.forecasts.streams, again.model.forecasts.streams
    without = {key for key, stream in restored.items() if stream.forecaster.model is None}

    train_due(again.model.forecasts, TrainingTimes(), fleet.clock.now_s())

    trained = {key for key, stream in streams.items() if stream.forecaster.model is not None}
    assert without == set(streams)
    assert trained != set()
    for key in trained:
        before = loop.model.forecasts.training_tables([key])[key]
        after = again.model.forecasts.training_tables([key])[key]
        assert after.version == before.version
        said = streams[key].forecaster.model.quantiles(before.features)
        says = restored[key].forecaster.model.quantiles(before.features)
        assert says.tobytes() == said.tobytes()


def test_forecasts_of_another_version_begin_anew_and_that_is_told(tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    fleet, _ = saved(tmp_path / "state")
    monkeypatch.setattr(checkpoint, "VERSION", checkpoint.VERSION + 1)

    again = restarted(fleet, tmp_path / "state")
    fleet.move(again, 60)

    told = (
        f"what forecasts had learned is not in the state file {tmp_path / 'state'}: forecasts of "
        "another version: they begin anew"
    )
    assert caplog.messages.count(told) == 1
    assert again.model.forecasts.streams != {}
