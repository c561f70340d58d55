"""The benchmarks of usage from a Prometheus run, on a tiny fleet; no time is judged."""

import math
import mmap
from dataclasses import replace

import numpy as np
import pytest

from tests.benchmarks.own_process import Meter, answer_of
from tests.benchmarks.prometheus import SHORT, usage_from_prometheus
from tests.benchmarks.server_data import Fleet, filled, pieces, serving, within
from tests.components.histories import HOUR_S, START_S
from tests.components.openmetrics import Series
from tests.components.worker_metrics import TFLOPS

TINY = Fleet(name="tiny", workloads=3, workers_each=2, step_s=60, history_s=HOUR_S, later_s=10 * 60)


@pytest.fixture(scope="module")
def cache(prometheus_binaries, tmp_path_factory):
    return tmp_path_factory.mktemp("bench")


def test_every_number_is_measured_on_every_fleet(cache):
    tiny = replace(TINY, name="every-15-s", step_s=15)
    sizes = replace(SHORT, minutes=TINY, scrapes=tiny, large=tiny, rounds=1)
    rows = list(usage_from_prometheus(sizes, cache))
    assert [row.what for row in rows if not math.isfinite(row.value) or row.value <= 0] == []
    heads = [row.what for row in rows if not row.what.startswith(" ")]
    assert heads == [
        "one metric, 6 workers x 1 h, every 60 s: stock client",
        "usage model, 5 metrics, 6 workers x 1 h, every 60 s: bootstrap",
        "usage model, 5 metrics, 6 workers x 1 h, every 15 s: bootstrap",
        "usage model, 5 metrics, 6 workers x 1 h, every 15 s: bootstrap",
    ]
    assert sum("increment" in row.what for row in rows) == 9
    assert {row.unit for row in rows if row.target is not None} == {"x", "ms"}


def test_a_history_is_collected_whole_and_its_fleet_is_found(cache):
    with serving(TINY, cache) as url:
        answer = answer_of(
            "tests.benchmarks.collecting", url, START_S, TINY.history_end_s, TINY.later_s, 120
        )
    assert (answer["workloads"], answer["workers"]) == (3, 6)
    # TFLOPS and VRAM
    assert answer["accepted"] == 2 * TINY.samples(HOUR_S)
    assert [(one["every_s"], one["count"]) for one in answer["increments"]] == [(120, 5)]


def test_a_filled_folder_is_kept_and_another_fleet_gets_its_own(cache):
    first = filled(TINY, cache)
    made_ns = first.stat().st_mtime_ns
    with serving(TINY, cache):
        assert filled(TINY, cache) == first
    assert first.stat().st_mtime_ns == made_ns
    assert filled(replace(TINY, workloads=4), cache) != first


def test_pieces_follow_one_another_and_each_series_is_cut_into_them_whole():
    fleet = replace(TINY, workloads=50_000, workers_each=10)
    spans = pieces(fleet)
    assert len(spans) > 1
    assert [spans[0][0], spans[-1][1]] == [START_S, fleet.end_s]
    assert [end_s for _, end_s in spans[:-1]] == [start_s for start_s, _ in spans[1:]]
    (series,) = replace(TINY, workloads=1, workers_each=1).series().series(TFLOPS)
    parts = [part for span_s in spans for part in within(iter([series]), span_s)]
    assert np.concatenate([part.ts_ms for part in parts]).tolist() == series.ts_ms.tolist()
    assert np.concatenate([part.value for part in parts]).tolist() == series.value.tolist()


def test_series_with_the_same_stamps_still_share_them_when_they_are_cut():
    ts_ms = 1000 * np.arange(START_S, START_S + 600, 60)
    series = [Series(labels={}, ts_ms=ts_ms, value=ts_ms * 1.0) for _ in range(2)]
    first, second = within(iter(series), (START_S + 60, START_S + 180))
    assert first.ts_ms is second.ts_ms
    assert first.ts_ms.tolist() == [1000 * (START_S + 60), 1000 * (START_S + 120)]


def test_memory_that_was_needed_in_between_counts_though_it_is_given_back():
    meter = Meter()
    # Pages of its own: an array may fit into memory that the process holds already.
    with mmap.mmap(-1, 64 * 2**20) as pages:
        for page in range(0, len(pages), mmap.PAGESIZE):
            pages[page] = 1
    spent = meter.spent()
    assert spent.grown_bytes >= 60 * 2**20
    assert spent.wall_s > 0
