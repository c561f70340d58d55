from autoscaler.sources.watched import WatchedSource
from tests.autoscaler.scaling.builders import START, ListSource


def test_the_share_that_was_read_is_told_and_never_falls():
    told = []
    source = ListSource("tflops", "vram_bytes")
    source.put("tflops", START + 5, 1.0)
    watched = WatchedSource(source, START, START + 100, told.append)
    for start_s, end_s in ((0, 25), (25, 50), (50, 100)):
        for metric in ("tflops", "vram_bytes"):
            watched.read(metric, START + start_s, START + end_s, 60)
    assert told == [0.25, 0.5, 1.0]


def test_samples_and_metrics_are_those_of_the_source_behind():
    source = ListSource("tflops")
    source.put("tflops", START + 5, 3.0)
    watched = WatchedSource(source, START, START + 100, lambda _share: None)
    assert watched.metrics() == {"tflops"}
    assert watched.read("tflops", START, START + 100, 60).value.tolist() == [3.0]
    assert source.reads == [("tflops", START, START + 100, 60)]


def test_an_empty_time_is_read_at_once():
    told = []
    WatchedSource(ListSource("tflops"), START, START, told.append).read("tflops", START, START, 60)
    assert told == []
