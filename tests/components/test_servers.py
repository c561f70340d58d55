"""The real servers: they start, hold what was written, and scrape what is exposed."""

import time

import numpy as np
import pytest
import urllib3

from tests.components.histories import ODD_POOL, SPIKE_S
from tests.components.openmetrics import blocks
from tests.components.processes import ServerError, until
from tests.components.servers import (
    scrape_config,
    show,
    start_exporter,
    start_prometheus,
    start_victoriametrics,
)
from tests.components.worker_metrics import MEMORY_BYTES, TFLOPS, THROTTLED_SECONDS
from tests.components.worker_series import worker_labels

DAY_S = 86_400


def query(url, text, at_s=None):
    """Return the result of an instant query."""
    fields = {"query": text} | ({} if at_s is None else {"time": str(at_s)})
    answer = urllib3.request("POST", f"{url}/api/v1/query", fields=fields, timeout=60.0).json()
    assert answer["status"] == "success", answer
    return answer["data"]["result"]


def values(url, text):
    return [float(series["value"][1]) for series in query(url, text)]


def stored(url, metric, history):
    """Return all stamps and values that a server has of one metric, per worker."""
    ends_s = range(history.start_s + DAY_S, history.end_s + DAY_S, DAY_S)
    answers = [query(url, f"{metric.name}[{DAY_S}s] offset 1ms", end_s) for end_s in ends_s]
    pairs: dict[str, dict[int, float]] = {}
    for series in (series for answer in answers for series in answer):
        own = pairs.setdefault(series["metric"]["worker"], {})
        own |= {round(1000 * stamp): float(text) for stamp, text in series["values"]}
    return pairs


def test_a_server_has_every_sample_that_was_written(history_server):
    history = history_server.history
    for metric in history.metrics:
        found = stored(history_server.url, metric, history)
        written = list(history.series(metric))
        assert sorted(found) == sorted(series.labels["worker"] for series in written)
        for series in written:
            own = found[series.labels["worker"]]
            # VictoriaMetrics keeps no NaN; nothing else may be missing or be there as well.
            finite = ~np.isnan(series.value)
            numbers = {stamp: value for stamp, value in own.items() if not np.isnan(value)}
            assert sorted(numbers) == series.ts_ms[finite].tolist()
            np.testing.assert_allclose(
                [numbers[stamp] for stamp in series.ts_ms[finite].tolist()],
                series.value[finite],
                rtol=1e-12,
            )


def test_the_labels_come_back_as_they_were_written(history_server):
    found = query(history_server.url, "tf_worker_memory_bytes", history_server.history.start_s + 60)
    pools = {series["metric"]["worker"]: series["metric"]["pool"] for series in found}

    assert pools["notebook-a"] == ODD_POOL
    assert pools["chat-0"] == "shared"


def test_the_peak_of_one_sample_is_in_the_maximum_of_its_minute(history_server):
    text = 'max_over_time(tf_worker_memory_bytes{workload="embed"}[60s])'
    (peak,) = query(history_server.url, text, SPIKE_S + 30)

    assert float(peak["value"][1]) == 14.0 * 2**30


@pytest.mark.usefixtures("prometheus_binaries")
def test_a_wrong_flag_of_prometheus_shows_what_it_says(tmp_path):
    with pytest.raises(ServerError, match=r"ended at its start[^$]*unknown long flag '--no-such'"):
        start_prometheus(tmp_path, flags=["--no-such"])


@pytest.mark.usefixtures("victoriametrics_binary")
def test_a_wrong_flag_of_victoriametrics_shows_what_it_says(tmp_path):
    with pytest.raises(ServerError, match=r"ended at its start[^$]*-no-such"):
        start_victoriametrics(tmp_path, flags=["-no-such"])


@pytest.mark.usefixtures("prometheus_binaries")
def test_a_cut_text_makes_no_blocks(tmp_path):
    (tmp_path / "cut.om").write_text("# TYPE use gauge\nuse{} 1 1772323200\n")
    with pytest.raises(ValueError, match=r"promtool refused .*cut\.om: .*EOF"):
        blocks(tmp_path / "cut.om", tmp_path / "tsdb")


def shown(name, tflops, waited_s, **others):
    return {
        "labels": worker_labels("team", "load", name),
        "values": {TFLOPS.name: tflops, MEMORY_BYTES.name: 2**33, THROTTLED_SECONDS.name: waited_s},
        **others,
    }


@pytest.mark.usefixtures("prometheus_binaries")
def test_prometheus_scrapes_what_the_exporter_shows_and_drops_what_vanishes(tmp_path):
    folder = tmp_path / "exporter"
    with (
        start_exporter(folder, [shown("a", 10.0, 1.5), shown("b", 20.0, 0.0)]) as exporter,
        start_prometheus(tmp_path / "server", config=scrape_config(exporter.url)) as server,
    ):

        def has(text, expected):
            until(lambda: values(server.url, text) == expected, what=f"{text} is {expected}")

        has('sum(tf_worker_compute_tflops{namespace="team", method="sm_time"})', [30.0])
        has('tf_worker_compute_throttled_seconds_total{worker="a"}', [1.5])
        show(folder, [shown("a", 11.0, 3.5)])
        has('tf_worker_compute_tflops{worker="a"}', [11.0])
        has('tf_worker_compute_tflops{worker="b"}', [])


@pytest.mark.usefixtures("prometheus_binaries")
def test_prometheus_takes_late_samples_within_its_window(tmp_path):
    folder = tmp_path / "exporter"
    now_s = int(time.time())
    with (
        start_exporter(folder, [shown("a", 10.0, 0.0, at_s=now_s)]) as exporter,
        start_prometheus(
            tmp_path / "server", config=scrape_config(exporter.url, out_of_order_s=600)
        ) as server,
    ):

        def has(expected):
            text = 'tf_worker_compute_tflops{worker="a"}[600s]'
            until(
                lambda: [series["values"] for series in query(server.url, text)] == [expected],
                what=f"the samples are {expected}",
            )

        has([[now_s, "10"]])
        show(folder, [shown("a", 7.0, 0.0, at_s=now_s - 300)])
        has([[now_s - 300, "7"], [now_s, "10"]])


def test_an_exporter_that_cannot_start_shows_its_log(tmp_path):
    (tmp_path / "port.new").mkdir()
    with pytest.raises(ServerError, match=r"the exporter ended[^$]*IsADirectoryError"):
        start_exporter(tmp_path, [])


def test_an_exporter_refuses_to_show_what_workers_do_not_have(tmp_path):
    with pytest.raises(ValueError, match="tf_worker_unknown"):
        show(
            tmp_path, [{"labels": worker_labels("n", "w", "a"), "values": {"tf_worker_unknown": 1}}]
        )
