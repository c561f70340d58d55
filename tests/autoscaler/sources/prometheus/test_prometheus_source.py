"""What a source asks where answers are too much, late or missing; real servers have their own."""

import numpy as np
import pytest

from autoscaler.errors import AnswerError, ClockError, QueryRejectedError, QueryTimeoutError
from autoscaler.sources.prometheus.answer import Answer
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.mappings import AGENT, DCGM
from autoscaler.sources.prometheus.prometheus_source import PrometheusSource
from autoscaler.sources.source import Metric

DAY_S = 86400
START_S = 1_772_323_200
WORKER = {"namespace": "team", "workload": "chat", "worker": "chat-0"}
POD = "ray-1-worker-gpu-x7k2p"


def answered(labels, ts, value=1.0):
    return Answer(
        labels=(labels,),
        length=np.array([len(ts)]),
        ts=np.asarray(ts, np.float64),
        value=np.full(len(ts), value),
        warnings=(),
    )


class OneWorker:
    """A server with four samples a minute of one worker; ``error(length_s)`` is what it refuses."""

    connection = Connection(url="http://prometheus.example")
    server_time_s = None

    def __init__(self, error=lambda _length_s: None):
        self.error = error
        self.asked_s = []

    def twin(self):
        return self

    def know(self, label_texts):
        self.known = label_texts

    def range(self, query, start_s, end_s, step_s):
        assert start_s <= end_s
        if query.startswith(("count", "max(")):
            return answered({}, [end_s], 40.0 if query.startswith("max(") else 1.0)
        length_s = end_s - start_s + step_s
        self.asked_s.append(length_s)
        if (error := self.error(length_s)) is not None:
            raise error
        return answered(WORKER, np.arange(start_s, end_s + 1, step_s))


def source_on(client, mapping=AGENT):
    return PrometheusSource(client, mapping, peak_tflops=lambda _labels: None)


@pytest.mark.parametrize(
    "error",
    [
        QueryTimeoutError("query timed out in expression evaluation"),
        AnswerError("the answer is larger than the bytes that are taken"),
        QueryRejectedError("query processing would load too many samples", http_status=422),
    ],
)
def test_what_is_too_much_for_a_server_is_asked_for_in_shorter_parts(error):
    client = OneWorker(lambda length_s: error if length_s > 7200 else None)
    source = source_on(client)

    samples = source.read(Metric.VRAM_BYTES, START_S, START_S + DAY_S, 60)
    first, client.asked_s = client.asked_s, []
    source.read(Metric.VRAM_BYTES, START_S, START_S + DAY_S, 60)

    assert samples.ts.tolist() == list(range(START_S, START_S + DAY_S, 60))
    assert set(first) == {43200, 21600, 7200}
    assert client.asked_s == [7200] * 12


def test_a_query_that_is_wrong_is_not_asked_again():
    client = OneWorker(lambda _length_s: QueryRejectedError("parse error", http_status=400))
    with pytest.raises(QueryRejectedError):
        source_on(client).read(Metric.VRAM_BYTES, START_S, START_S + DAY_S, 60)
    assert client.asked_s == [43200, 43200]


def test_a_fault_that_shorter_parts_do_not_mend_leaves_the_parts_as_long_as_they_were():
    client = OneWorker(lambda _length_s: AnswerError("a login page"))
    source = source_on(client)
    with pytest.raises(AnswerError):
        source.read(Metric.VRAM_BYTES, START_S, START_S + DAY_S, 60)
    client.error, client.asked_s = (lambda _length_s: None), []

    source.read(Metric.VRAM_BYTES, START_S, START_S + DAY_S, 60)

    assert client.asked_s == [43200, 43200]


def test_parts_hold_whole_blocks_however_long_they_are():
    client = OneWorker(lambda _length_s: QueryTimeoutError("too slow"))
    with pytest.raises(QueryTimeoutError):
        source_on(client).read(Metric.VRAM_BYTES, START_S, START_S + DAY_S, 3600)
    assert set(client.asked_s) == {43200, 21600, 7200, 3600}


def test_a_time_that_has_not_come_yet_on_the_server_is_not_read():
    client = OneWorker()
    client.server_time_s = START_S + 600
    source = source_on(client)

    assert len(source.read(Metric.VRAM_BYTES, START_S, START_S + 900, 60)) == 15
    with pytest.raises(ClockError, match="6 min"):
        source.read(Metric.VRAM_BYTES, START_S, START_S + 960, 60)


class OnePod:
    """A server with a pod of a custom kind, whose owner it tells where ``owner`` is set."""

    server_time_s = None

    def twin(self):
        return self

    def know(self, label_texts):
        self.known = label_texts

    def __init__(self):
        self.owner = None
        self.error = None

    def instant(self, query, at_s):
        if "kube_pod_owner" not in query:
            return answered({"namespace": "lab", "pod": POD, "UUID": "GPU-1"}, [at_s - 10])
        if self.error is not None:
            raise self.error
        owner = {"owner_kind": "RayCluster", "owner_name": self.owner or "<none>"}
        return answered({"namespace": "lab", "pod": POD if self.owner else "other"} | owner, [at_s])


def workload_at(source, at_s):
    samples = source.read(Metric.VRAM_BYTES, at_s - 60, at_s, 15)
    return [samples.labels[row].get("workload") for row in samples.series]


def test_a_pod_goes_by_its_name_until_the_server_knows_its_owner():
    client = OnePod()
    source = source_on(client, DCGM)

    before = workload_at(source, START_S)
    client.owner = "ray-1"
    after = workload_at(source, START_S + 300)
    table = source.read(Metric.VRAM_BYTES, START_S + 300, START_S + 360, 15).labels
    unchanged = source.read(Metric.VRAM_BYTES, START_S + 600, START_S + 660, 15).labels

    assert (before, after) == (["ray-1-worker-gpu"], ["ray-1"])
    assert unchanged is table


def test_owners_that_cannot_be_asked_for_hold_no_reading_that_goes_on():
    client = OnePod()
    client.owner = "ray-1"
    source = source_on(client, DCGM)
    assert workload_at(source, START_S) == ["ray-1"]
    client.error = QueryTimeoutError("kube_pod_owner took too long")

    ticks = [workload_at(source, START_S + 60 * minute) for minute in range(1, 61)]

    assert ticks == [["ray-1"]] * 60


def test_a_history_waits_for_the_owners_of_its_own_time():
    client = OnePod()
    client.error = QueryTimeoutError("kube_pod_owner took too long")
    source = source_on(client, DCGM)
    with pytest.raises(QueryTimeoutError):
        workload_at(source, START_S)
    client.error, client.owner = None, "ray-1"
    assert workload_at(source, START_S) == ["ray-1"]
    client.error = QueryTimeoutError("kube_pod_owner took too long")
    with pytest.raises(QueryTimeoutError):
        workload_at(source, START_S + DAY_S)
