from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.errors import SourceUnavailableError
from autoscaler.scaling.collect.collecting import CollectionError, Collector
from recommender.policy.table import policy_table
from recommender.resources import TFLOPS, VRAM
from recommender.state import empty_state
from recommender.usage.evidence_of import read_evidence
from recommender.usage.model import UsageModel
from recommender.usage.statistics import read_statistics
from tests.autoscaler.scaling.builders import START, ListSource, policy, view

HOUR = 3600
RESOURCES = (TFLOPS, VRAM)


def _statistics(model, now_s, key=("team", "chat", "NVIDIA A100-SXM4-80GB")):
    rows = model.workload_rows([key])
    policies = policy_table([policy()], RESOURCES)
    state = empty_state(np.array(["uid"]), len(RESOURCES))
    return read_statistics(model, rows, policies, state, now_s)


def _collector(*metrics, views=()):
    source, model = ListSource(*(metrics or ("tflops", "vram_bytes"))), UsageModel(RESOURCES)
    collector = Collector(source, model)
    collector.see(views or [view()])
    return source, model, collector


def _fill(source, seconds=HOUR, value=20.0, start=START, **labels):
    for ts in range(start, start + seconds, 15):
        source.put("tflops", ts, value, **labels)


def test_a_history_is_read_once_in_parts_that_end_at_midnight():
    source, model, collector = _collector("tflops")
    _fill(source, 3 * 86400 // 8, start=START)

    collected = collector.bootstrap(START - HOUR, START + 30 * HOUR)

    assert [(start, end) for _, start, end, _ in source.reads] == [
        (START - HOUR, START),
        (START, START + 24 * HOUR),
        (START + 24 * HOUR, START + 30 * HOUR - 600),
        (START + 30 * HOUR - 600, START + 30 * HOUR),
    ]
    assert [step for *_, step in source.reads] == [60, 60, 60, 15]
    assert collected.samples == {"tflops": 3 * 86400 // 8 // 15}
    assert model.counts.accepted == collected.samples["tflops"]
    assert collected.missing == ("vram_bytes",)


def test_two_minutes_are_read_again_before_minutes_close_and_little_in_between():
    source, model, collector = _collector("tflops")
    noon = START + 12 * HOUR
    _fill(source, 600, start=noon)

    for now_s in (noon + 300, noon + 315, noon + 330, noon + 360):
        collector.collect(now_s)

    assert source.reads == [
        ("tflops", noon - 120, noon + 300, 15),
        ("tflops", noon + 300 - 45, noon + 315, 15),
        ("tflops", noon + 315 - 45, noon + 330, 15),
        ("tflops", noon + 180, noon + 360, 15),
    ]
    assert (model.counts.accepted, model.counts.duplicate) == (360 // 15, 0)


@pytest.mark.parametrize(("behind_s", "again_s"), [(60, 90), (90, 120), (500, 120)])
def test_of_a_source_that_is_behind_more_is_read_again(behind_s, again_s):
    source, _, collector = _collector("tflops")
    noon = START + 12 * HOUR
    _fill(source, 330 - behind_s + 300, start=noon - 300)

    collector.collect(noon + 315)
    collector.collect(noon + 330)

    assert source.reads[-1] == ("tflops", noon + 315 - again_s, noon + 330, 15)


@settings(max_examples=50)
@given(st.data())
def test_whatever_comes_late_is_taken_as_if_it_had_come_in_time(data):
    """Samples come up to the moment at which their minute closes, ticks come as they like."""
    stamps = range(START, START + 300, 30)
    delays_s = st.lists(st.integers(0, 110), min_size=10, max_size=10)
    coming = {ts: ts + delay_s for ts, delay_s in zip(stamps, data.draw(delays_s), strict=True)}
    source, late, collector = _collector("tflops")
    _fill(source, 300, start=START - 300)
    collector.collect(START)
    now_s, tick_s = START, data.draw(st.sampled_from((5, 10, 15, 20, 45, 75)))
    while now_s < START + 600:
        now_s += tick_s
        for ts in [ts for ts, at_s in coming.items() if at_s < now_s]:
            source.put("tflops", ts, float(ts % 61))
            del coming[ts]
        collector.collect(now_s)
    source, in_time, collector = _collector("tflops")
    _fill(source, 300, start=START - 300)
    collector.collect(START)
    for ts in stamps:
        source.put("tflops", ts, float(ts % 61))
    collector.collect(START + 300)
    collector.collect(now_s)

    assert late.counts.late == 0
    for name in ("points", "request_target", "limit_percentile"):
        np.testing.assert_array_equal(
            getattr(_statistics(late, now_s), name), getattr(_statistics(in_time, now_s), name)
        )


def test_increments_and_one_long_read_leave_the_same_usage():
    one, _, whole = _collector("tflops")
    other, _, steps = _collector("tflops")
    for source in (one, other):
        rng = np.random.default_rng(2)
        for ts in range(START, START + HOUR, 15):
            source.put("tflops", ts, float(rng.uniform(5, 50)))

    whole.bootstrap(START, START + HOUR)
    for now_s in range(START + 60, START + HOUR + 1, 60):
        steps.collect(now_s)

    first, second = (c._model for c in (whole, steps))
    for name in ("request_target", "limit_percentile", "burst", "last_three", "points"):
        np.testing.assert_array_equal(
            getattr(_statistics(first, START + HOUR), name),
            getattr(_statistics(second, START + HOUR), name),
        )


def test_a_worker_on_two_devices_counts_with_its_busier_one():
    source, model, collector = _collector("tflops")
    _fill(source, value=20.0, uuid="gpu-0")
    _fill(source, value=30.0, uuid="gpu-1")

    collector.bootstrap(START, START + HOUR)

    evidence = read_evidence(
        model, model.workload_rows([("team", "chat", "NVIDIA A100-SXM4-80GB")]), START + HOUR
    )
    assert evidence.highest[0, 0] == pytest.approx(30.0)
    assert evidence.mean[0, 0] == pytest.approx(30.0)
    assert evidence.workers_seen[0, 0] == 1


def test_use_at_the_effective_share_is_saturated_below_the_limit():
    source, model, collector = _collector("tflops", "effective_share_percent")
    _fill(source, value=31.2)
    for ts in range(START, START + HOUR, 15):
        source.put("effective_share_percent", ts, 10.0)

    collector.bootstrap(START, START + HOUR)

    assert model.counts.saturated == HOUR // 15
    assert _statistics(model, START + HOUR).is_saturated[0, 0]


def test_without_an_effective_share_the_limit_in_force_is_the_share():
    source, model, collector = _collector("tflops")
    _fill(source, value=79.9)

    collector.bootstrap(START, START + HOUR)

    assert model.counts.saturated == HOUR // 15


def test_throttled_time_is_joined_to_the_samples_of_its_series():
    source, model, collector = _collector("tflops", "throttled_ratio")
    _fill(source, value=20.0)
    _fill(source, value=20.0, worker="chat-1")
    for ts in range(START, START + HOUR, 15):
        source.put("throttled_ratio", ts, 0.5, worker="chat-1")

    collector.bootstrap(START, START + HOUR)

    assert model.counts.saturated == HOUR // 15


def test_refused_allocations_are_counted_once_although_reads_overlap():
    source, model, collector = _collector("vram_bytes", "vram_denied")
    source.put("vram_denied", START + 285, 2.0)
    source.put("vram_denied", START + 285, 1.0, worker="chat-1")

    collector.collect(START + 300)
    collector.collect(START + 315)

    assert _statistics(model, START + 315).denials[0, 1] == 3.0


def test_an_error_of_one_metric_loses_no_other_and_is_raised_afterwards():
    source, model, collector = _collector("tflops", "vram_bytes")
    _fill(source, 300)
    source.down = {"vram_bytes"}

    with pytest.raises(CollectionError, match="vram_bytes cannot be read") as caught:
        collector.collect(START + 300)

    assert model.counts.accepted == 20
    assert caught.value.collected.samples == {"tflops": 20}
    assert caught.value.collected.is_partial


def test_an_error_that_metrics_share_is_told_once():
    source, _, collector = _collector("tflops", "vram_bytes")
    source.read = lambda *_: _refused()

    with pytest.raises(CollectionError) as caught:
        collector.collect(START + 300)

    assert str(caught.value) == "vram_bytes, tflops: connection refused"


def _refused():
    raise SourceUnavailableError("connection refused")


def test_what_a_failed_read_missed_is_read_with_the_next_one():
    source, model, collector = _collector("tflops")
    _fill(source, 600)
    collector.collect(START + 300)
    source.down = {"tflops"}
    with pytest.raises(CollectionError):
        collector.collect(START + 360)
    source.down = set()

    collector.collect(START + 375)

    assert model.counts.accepted == 375 // 15


def test_series_without_a_worker_are_counted_and_left_out():
    source, model, collector = _collector("tflops")
    _fill(source, 300)
    source.put("tflops", START, 50.0, worker="")

    collected = collector.collect(START + 300)

    assert (collected.unlabelled, model.counts.accepted) == (1, 20)


def test_a_series_without_a_gpu_model_belongs_to_the_model_that_the_fleet_states():
    _, model, collector = _collector("tflops")

    source = collector._source
    _fill(source, 300)
    collector.collect(START + 300)

    assert model.workloads.keys == [("team", "chat", "NVIDIA A100-SXM4-80GB")]


def test_a_workload_that_states_no_gpu_model_gets_the_reported_one():
    source, _, collector = _collector("tflops", views=[view(gpu_model="")])
    _fill(source, 300, gpu_model="H100")

    collector.collect(START + 300)

    assert collector.index.keys_of([view(gpu_model="")]) == (
        ("team", "chat", "NVIDIA H100 80GB HBM3"),
    )


def test_a_workload_whose_gpu_model_comes_to_light_has_one_row_and_one_row_a_worker():
    model = UsageModel(RESOURCES)
    source = ListSource("tflops")
    collector = Collector(source, model)
    collector.see([view(gpu_model="")])
    _fill(source, 300, gpu_model="H100")

    collector.collect(START + 300)

    assert model.workloads.keys == [("team", "chat", "NVIDIA H100 80GB HBM3")]
    assert [name for _, name in model.workers.keys] == ["chat-0"]


def test_a_coarser_source_answers_in_its_own_step_which_is_learned():
    source, model, collector = _collector("tflops")
    for ts in range(START, START + HOUR, 300):
        source.put("tflops", ts, 5.0)

    collector.bootstrap(START, START + HOUR)

    assert model.stores[0].step_s.tolist() == [300]
    assert model.counts.accepted == 12
