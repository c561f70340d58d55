"""Collecting from a source that fails, answers in part, is late, or aggregates its history."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from autoscaler.errors import SourceUnavailableError
from autoscaler.scaling.collect.collecting import CollectionError, Collector
from recommender.policy.table import policy_table
from recommender.resources import TFLOPS, VRAM
from recommender.state import empty_state
from recommender.usage.model import UsageModel
from recommender.usage.statistics import read_statistics
from tests.autoscaler.scaling.builders import START, policy, view
from tests.autoscaler.scaling.measured import MinuteSource

HOUR, DAY = 3600, 86400
RESOURCES = (TFLOPS, VRAM)
CHAT = ("team", "chat", "NVIDIA A100-SXM4-80GB")
STAMPS = np.arange(START, START + 2 * DAY, 15)
USE = np.random.default_rng(3).gamma(2.0, 10.0, len(STAMPS)).clip(0, 70).astype(np.float32)


def _source(*metrics, aggregates=True):
    """Return a source with two days of use of one worker in every metric."""
    source = MinuteSource(*(metrics or ("tflops", "vram_bytes")), aggregates=aggregates)
    for metric in source.metrics():
        values = {"tflops": USE, "vram_bytes": USE * 1e8, "effective_share_percent": 100.0}
        source.add(metric, STAMPS, values.get(metric, 0.0))
    return source


def _collector(source):
    model = UsageModel(RESOURCES)
    collector = Collector(source, model)
    collector.see([view()])
    return model, collector


def _tick(collector, begin_s, end_s, step_s=60):
    """Collect every ``step_s`` and return the errors."""
    errors = []
    for now_s in range(begin_s, end_s + 1, step_s):
        try:
            collector.collect(now_s)
        except CollectionError as error:
            errors.append(error)
    return errors


def _statistics(model, now_s):
    rows = model.workload_rows([CHAT])
    state = empty_state(np.array(["uid"]), len(RESOURCES))
    return read_statistics(model, rows, policy_table([policy()], RESOURCES), state, now_s)


def _assert_same(one, other, now_s, rtol=0.0):
    left, right = _statistics(one, now_s), _statistics(other, now_s)
    for item in fields(left):
        np.testing.assert_allclose(
            getattr(right, item.name), getattr(left, item.name), rtol=rtol, err_msg=item.name
        )


def test_a_history_by_minutes_is_what_reading_every_sample_would_have_left():
    minutes, by_minutes = _collector(_source())
    samples, by_samples = _collector(_source(aggregates=False))

    by_minutes.bootstrap(START, START + 30 * HOUR)
    by_samples.bootstrap(START, START + 30 * HOUR)

    _assert_same(samples, minutes, START + 30 * HOUR, rtol=1e-6)


def test_a_source_that_gives_its_own_samples_is_read_once():
    source = _source("tflops", aggregates=False)
    model, collector = _collector(source)

    collected = collector.bootstrap(START + 25, START + 30 * HOUR + 7)

    expected = ((STAMPS >= START + 25) & (STAMPS < START + 30 * HOUR + 7)).sum()
    assert model.counts.accepted == expected
    assert (model.counts.duplicate, model.counts.late) == (0, 0)
    assert collected.samples["tflops"] - expected <= 4


@pytest.mark.parametrize("hours", [0.1, 0.5, 3, 26])
def test_an_outage_of_any_length_loses_nothing_once_the_source_is_back(hours):
    calm, steady = _collector(_source())
    source = _source()
    model, collector = _collector(source)
    begin_s, out_s = START + HOUR, START + 2 * HOUR
    back_s = out_s + round(hours * HOUR)
    steady.bootstrap(START, begin_s)
    collector.bootstrap(START, begin_s)
    _tick(collector, begin_s, out_s)
    source.down = set(source.metrics())

    errors = _tick(collector, out_s + 60, back_s, step_s=600)
    source.down = set()
    end_s = back_s + 600
    _tick(collector, back_s + 60, end_s)
    _tick(steady, begin_s, end_s)

    assert errors
    assert model.counts.late == 0
    _assert_same(calm, model, end_s, rtol=1e-6)


def test_a_resource_that_fails_alone_holds_no_other_and_is_completed_later():
    calm, steady = _collector(_source())
    source = _source()
    model, collector = _collector(source)
    for each in (steady, collector):
        each.bootstrap(START, START + HOUR)
    source.down = {"vram_bytes"}
    _tick(collector, START + HOUR + 60, START + 9 * HOUR, step_s=600)
    closed_s = [store.closed_until_s for store in model.stores]
    source.down = set()
    end_s = START + 9 * HOUR + 600
    _tick(collector, START + 9 * HOUR + 60, end_s)
    _tick(steady, START + HOUR + 60, end_s)

    assert closed_s == [START + 9 * HOUR - 600 + 60 - 120, START + HOUR - 120]
    _assert_same(calm, model, end_s, rtol=1e-6)


def test_samples_are_judged_again_when_the_throttled_time_can_be_read_again():
    source = MinuteSource("tflops", "throttled_ratio")
    source.add("tflops", STAMPS, 20.0)
    source.add("throttled_ratio", STAMPS, 0.5)
    model, collector = _collector(source)
    collector.bootstrap(START, START + HOUR)
    source.down = {"throttled_ratio"}
    _tick(collector, START + HOUR + 60, START + HOUR + 300)
    source.down = set()
    _tick(collector, START + HOUR + 360, START + HOUR + 900)

    saturated = model.stores[0].minute_saturated.window(START // 60, (START + HOUR + 780) // 60)
    assert saturated[:, 0].all()
    assert len(saturated) == 64


def test_a_joined_metric_that_stays_away_holds_the_others_for_ten_minutes_only():
    source = _source("tflops", "throttled_ratio")
    model, collector = _collector(source)
    collector.bootstrap(START, START + HOUR)
    source.down = {"throttled_ratio"}

    _tick(collector, START + HOUR + 60, START + HOUR + 540)
    held_s = model.stores[0].closed_until_s
    _tick(collector, START + HOUR + 600, START + HOUR + 1200)

    assert held_s == START + HOUR - 120
    assert model.stores[0].closed_until_s == START + HOUR + 1200 - 120


@pytest.mark.parametrize("joined", ["throttled_ratio", "effective_share_percent"])
def test_a_time_that_a_joined_metric_holds_open_is_read_again_by_minutes(joined):
    """As from a server that scrapes once a minute: its minutes are single samples."""
    stamps = STAMPS[::4]
    models = []
    for is_troubled in (False, True):
        source = MinuteSource("tflops", joined, aggregates=False)
        source.add("tflops", stamps, 20.0)
        source.add(joined, stamps, 0.5 if joined == "throttled_ratio" else 20.0)
        model, collector = _collector(source)
        collector.bootstrap(START, START + HOUR)
        source.down = {joined} if is_troubled else set()
        _tick(collector, START + HOUR + 60, START + HOUR + 540)
        source.down = set()
        _tick(collector, START + HOUR + 840, START + HOUR + 1200)
        models.append(model)

    _assert_same(*models, START + HOUR + 1200)
    assert models[1].stores[0].points.tolist() == [(HOUR + 1200 - 120) // 60]


def test_the_minute_in_which_reading_goes_on_is_judged_by_all_of_its_throttling():
    """As from a server: shares of a minute have no maximum beside them."""
    values = {"tflops": 20.0, "throttled_ratio": 0.5, "effective_share_percent": 50.0}
    source = MinuteSource(*values)
    for metric, value in values.items():
        source.add(metric, STAMPS, value)
    read = source.read

    def read_as_a_server(metric, *span):
        samples = read(metric, *span)
        return samples if metric == "tflops" else replace(samples, top=None)

    source.read = read_as_a_server
    model, collector = _collector(source)
    collector.bootstrap(START, START + HOUR + 25)
    collector.collect(START + HOUR + 1500)

    minute = (START + HOUR + 25 - 120) // 60
    means = model.stores[0].minute_mean.window(minute - 1, minute + 2)
    assert means[:, 0].tolist() == [40.0, 40.0, 40.0]


def test_samples_that_come_late_are_taken_while_their_minutes_are_open():
    stamps = np.arange(START, START + HOUR, 15)
    late = (stamps >= START + 1800) & (stamps < START + 1860)
    source = MinuteSource("tflops")
    source.add("tflops", stamps[~late], 10.0)
    model, collector = _collector(source)
    collector.bootstrap(START, START + 1800)
    _tick(collector, START + 1815, START + 1905, step_s=15)
    source.add("tflops", stamps[late], 50.0)
    _tick(collector, START + 1920, START + HOUR, step_s=15)

    tops = model.stores[0].minute_top.at(np.array([(START + 1800) // 60]), np.array([0]))
    assert tops.tolist() == [50.0]
    assert model.counts.accepted == 1200 // 60 + (HOUR - 1200) // 15
    assert (model.counts.late, model.counts.duplicate) == (0, 0)


def test_an_error_in_the_middle_of_a_history_keeps_what_was_read_and_goes_on_from_there():
    calm, steady = _collector(_source())
    source = _source()
    model, collector = _collector(source)
    end_s = START + 44 * HOUR
    read = source.read

    def failing_on_the_second_day(metric, start_s, *more):
        source.down = {"tflops"} if start_s >= START + DAY else set()
        return read(metric, start_s, *more)

    source.read = failing_on_the_second_day
    with pytest.raises(CollectionError, match="tflops cannot be read") as caught:
        collector.bootstrap(START, end_s)
    position = collector.position().read_until_s
    source.read = read
    source.down = set()
    source.reads.clear()
    _tick(collector, end_s + 60, end_s + 600)
    steady.bootstrap(START, end_s)
    _tick(steady, end_s + 60, end_s + 600)

    assert position == {"tflops": START + DAY, "vram_bytes": end_s}
    assert set(caught.value.collected.errors) == {"tflops"}
    assert source.spans("tflops")[:2] == [
        (START + DAY - 120, START + DAY, 60),
        (START + DAY, end_s + 60 - 600, 60),
    ]
    assert source.spans("vram_bytes")[0] == (end_s - 120, end_s + 60, 15)
    _assert_same(calm, model, end_s + 600, rtol=1e-6)


def test_a_history_that_could_not_be_read_at_all_is_read_by_the_next_collection():
    source = _source("tflops")
    model, collector = _collector(source)
    source.down = {"tflops"}
    with pytest.raises(CollectionError):
        collector.bootstrap(START, START + DAY)
    source.down = set()

    collector.collect(START + DAY + 60)

    assert model.stores[0].first_sample_s.tolist() == [START]


def test_a_source_that_cannot_say_what_it_has_leaves_the_history_to_be_read_later():
    source = _source("tflops")
    model, collector = _collector(source)

    def unavailable():
        raise SourceUnavailableError("connection refused")

    metrics, source.metrics = source.metrics, unavailable
    with pytest.raises(SourceUnavailableError):
        collector.bootstrap(START, START + DAY)
    source.metrics = metrics

    collector.collect(START + DAY + 60)

    assert model.stores[0].first_sample_s.tolist() == [START]


def test_a_history_is_the_same_where_only_the_samples_name_the_gpu_model():
    month = policy(
        profile={"autoScalingConfig": {"autoSetResources": {"historyDataPeriod": "28d"}}}
    )
    end_s = START + 2 * DAY
    models = {}
    for stated in ("A100", ""):
        source = MinuteSource("tflops", "vram_bytes")
        for metric, scale in (("tflops", 1.0), ("vram_bytes", 1e8)):
            fallen = np.where(STAMPS < START + DAY, 79.0, 10.0) * scale
            source.add(metric, STAMPS, fallen, gpu_model="NVIDIA A100-SXM4-80GB")
        models[stated] = UsageModel(RESOURCES)
        collector = Collector(source, models[stated])
        collector.see([view(gpu_model=stated, policy=month)])
        collector.bootstrap(START, end_s)

    assert models["A100"].counts.saturated == DAY // 60
    assert models[""].counts == models["A100"].counts
    _assert_same(models["A100"], models[""], end_s)
    for stated, known in zip(models[""].stores, models["A100"].stores, strict=True):
        row = models[""].workload_rows([CHAT])
        np.testing.assert_array_equal(stated.requests.weights[row], known.requests.weights)


def test_partial_answers_are_used_and_named_with_what_the_source_said():
    source = _source()
    source.partial = {"vram_bytes"}
    model, collector = _collector(source)

    collected = collector.bootstrap(START, START + HOUR)

    assert collected.partial == {"vram_bytes"}
    assert collected.is_partial
    assert collected.said == {"vram_bytes": ("one store did not answer for vram_bytes",)}
    assert collected.warnings == ("one store did not answer for vram_bytes",)
    assert model.stores[1].points.tolist() == [58]


def test_a_part_that_brings_too_much_makes_the_next_parts_shorter():
    source = MinuteSource("tflops", aggregates=False)
    stamps = np.arange(START, START + 3 * DAY, 15)
    for worker in range(400):
        source.add("tflops", stamps[stamps < START + 2 * DAY + 60], 5.0, worker=f"chat-{worker}")
    _, collector = _collector(source)

    collector.bootstrap(START, START + 2 * DAY)

    lengths = [end - start for start, end, step in source.spans("tflops") if step == 60]
    assert lengths[0] == DAY
    assert set(lengths[1:-1]) == {DAY // 2}
    assert sum(lengths) == 2 * DAY - 600


def test_refusals_are_counted_once_over_an_outage():
    source = MinuteSource("vram_bytes", "vram_denied")
    source.add("vram_bytes", STAMPS, 1e9)
    source.add("vram_denied", [START + HOUR - 20, START + HOUR + 50, START + 2 * HOUR], 1.0)
    model, collector = _collector(source)
    collector.bootstrap(START, START + HOUR + 10)
    collector.collect(START + 3 * HOUR)

    assert _statistics(model, START + 3 * HOUR).denials[0, 1] == 0.0
    assert model.denials.since(np.zeros(1, np.int64), 1).tolist() == [3.0]


def test_refusals_that_an_outage_hid_are_new_when_they_are_read():
    source = MinuteSource("vram_bytes", "vram_denied")
    source.add("vram_bytes", STAMPS, 1e9)
    source.add("vram_denied", [START + 2 * HOUR], 1.0)
    model, collector = _collector(source)
    collector.bootstrap(START, START + HOUR)
    collector.collect(START + 4 * HOUR)

    answered_s = np.array([START + 4 * HOUR - 15])
    assert model.denials.new(answered_s, np.zeros(1, np.int64), 1).tolist() == [1.0]


def test_samples_read_again_are_not_judged_by_a_limit_of_later():
    source = _source("tflops")
    model, collector = _collector(source)
    collector.bootstrap(START, START + HOUR)
    saturated = model.counts.saturated
    limit = {"tflops": 5.0, "vram_bytes": 16 * 2.0**30}
    collector.see([view(limit=limit)])

    collector.collect(START + HOUR)

    assert (saturated, model.counts.saturated) == (0, 0)
    assert not _statistics(model, START + HOUR).is_saturated[0, 0]
