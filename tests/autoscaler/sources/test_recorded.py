import numpy as np
import pytest

from autoscaler.sources.recorded import RecordedSource
from autoscaler.sources.usage_rows import read_usage
from recommender.gpu_models import find_gpu_model
from tests.generated_usage import START_S, fleet, minutes, series, write_csv

A100 = find_gpu_model("A100")


@pytest.fixture
def usage(tmp_path):
    return read_usage(write_csv(fleet(["a/x", "a/y"], 0.1), tmp_path / "usage.csv"))


def test_a_source_has_the_resources_of_the_file(usage):
    source = RecordedSource(usage)
    assert source.metrics() == {"tflops", "vram_bytes"}
    assert source.step_s("tflops") == 60


@pytest.mark.parametrize(
    ("start", "end"), [(0, 144), (0, 1), (10, 20), (143, 500), (20, 20), (200, 300)]
)
def test_a_read_has_the_samples_from_start_to_before_end(usage, start, end):
    samples = RecordedSource(usage).read("tflops", START_S + 60 * start, START_S + 60 * end, 15)
    expected = [ts for ts in minutes(144).tolist() if start <= (ts - START_S) // 60 < end]
    assert sorted(samples.ts.tolist()) == sorted(expected * 2)
    assert (samples.series.dtype, samples.ts.dtype, samples.value.dtype) == (
        np.int32,
        np.int64,
        np.float32,
    )


def test_an_unknown_metric_has_no_samples(usage):
    samples = RecordedSource(usage).read("gpus", 0, START_S * 2, 15)
    assert (len(samples), samples.labels) == (0, usage.labels)


def test_consecutive_reads_are_the_whole(usage):
    source = RecordedSource(usage)
    whole = source.read("vram_bytes", usage.start_s, usage.end_s, 60)
    middle = START_S + 3000
    parts = [
        source.read("vram_bytes", usage.start_s, middle, 60),
        source.read("vram_bytes", middle, usage.end_s, 60),
    ]
    assert np.concatenate([part.value for part in parts]).tolist() == whole.value.tolist()


def test_percent_becomes_tflops_where_the_gpu_model_is_known(tmp_path):
    lines = "".join(
        f"{name},{ts},tflops_pct,{value}\n"
        for ts in minutes(3)
        for name, value in (("a/x", 50), ("a/y", 20))
    )
    path = tmp_path / "usage.csv"
    path.write_text("series_id,ts,resource,value\n" + lines)
    usage = read_usage(path).with_gpu_models({("a", "x"): A100})
    assert usage.columns["tflops"].value.tolist() == [156.0] * 3
    assert usage.columns["tflops_pct"].value.tolist() == [20.0] * 3
    assert [label.get("gpu_model") for label in usage.labels] == [A100.name, None]


def test_a_workload_with_tflops_of_its_own_keeps_its_percent(tmp_path):
    frame = series("a/x", "tflops", minutes(2), [10.0, 11.0])
    other = series("a/x", "tflops_pct", minutes(2), [3.0, 4.0])
    path = write_csv(frame, tmp_path / "usage.csv")
    other.to_csv(path, mode="a", header=False, index=False)
    usage = read_usage(path).with_gpu_models({("a", "x"): A100})
    assert usage.columns["tflops"].value.tolist() == [10.0, 11.0]
    assert usage.columns["tflops_pct"].value.tolist() == [3.0, 4.0]


def test_a_window_keeps_the_workloads(usage):
    window = usage.between(START_S, START_S + 600)
    assert window.keys() == usage.keys()
    assert window.end_s == START_S + 600
    assert usage.between(0, 1).columns == {}
