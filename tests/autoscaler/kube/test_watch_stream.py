import json
import threading

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.errors import ApiUnavailableError
from autoscaler.kube.resource import PODS
from autoscaler.kube.transport import Question
from autoscaler.kube.watch_stream import WatchStream

QUESTION = Question(method="GET", path="/api/v1/pods", query={"watch": "true"})
EVENTS = [
    {"type": "ADDED", "object": {"metadata": {"name": "ä" * 40}}},
    {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}},
    {"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "code": 410}},
]
WIRE = b"".join(json.dumps(event, ensure_ascii=False).encode() + b"\n" for event in EVENTS)


class Wire:
    """In place of a transport and its answer: gives pieces, then ends or breaks."""

    def __init__(self, *pieces, end=b""):
        self._pieces = list(pieces)
        self._end = end
        self.is_shut = threading.Event()
        self.was_closed = False

    def open(self, _question, *, read_timeout_s):
        return self

    def failed(self, question, error, _read_timeout_s):
        return ApiUnavailableError(f"{question}: {error}")

    def read1(self, _size):
        if self._pieces:
            return self._pieces.pop(0)
        if self._end == "records":
            self.is_shut.wait(10)
            return b"\x17\x03\x03\x04\xfc}\n"
        if self._end == "wait":
            self.is_shut.wait(10)
            raise urllib3.exceptions.ProtocolError("shut down")
        if isinstance(self._end, Exception):
            raise self._end
        return self._end

    def shutdown(self):
        self.is_shut.set()

    def close(self):
        self.was_closed = True


def stream_of(wire):
    return WatchStream(wire, PODS, QUESTION, read_timeout_s=1)


@given(st.lists(st.integers(1, len(WIRE) - 1), unique=True).map(sorted))
def test_events_are_the_same_however_their_bytes_are_cut(cuts):
    pieces = [WIRE[i:j] for i, j in zip([0, *cuts], [*cuts, len(WIRE)], strict=True)]
    wire = Wire(*pieces)

    found = list(stream_of(wire))

    assert [event["type"] for event in found] == ["ADDED", "BOOKMARK", "ERROR"]
    assert found[0]["object"]["metadata"] == {"name": "ä" * 40}
    assert wire.was_closed


def test_objects_say_their_kind_and_an_error_stays_a_status():
    kinds = [event["object"].get("kind") for event in stream_of(Wire(WIRE))]

    assert kinds == ["Pod", "Pod", "Status"]


def test_a_line_that_the_end_cut_off_is_no_event():
    assert len(list(stream_of(Wire(WIRE, b'{"type": "ADD')))) == len(EVENTS)


@pytest.mark.parametrize("line", [b"nonsense\n", b"[]\n", b'{"type": "ADDED"}\n', b"\xff\n"])
def test_what_is_no_event_is_an_error(line):
    wire = Wire(line)

    with pytest.raises(ApiUnavailableError, match=r"GET /api/v1/pods: a line of \d+ bytes"):
        list(stream_of(wire))
    assert wire.was_closed


def test_a_connection_that_breaks_is_an_error_after_the_events_before_it():
    stream = stream_of(Wire(WIRE, end=urllib3.exceptions.ProtocolError("broken")))
    found = [next(stream)["type"] for _ in EVENTS]

    with pytest.raises(ApiUnavailableError, match="GET /api/v1/pods: broken"):
        next(stream)
    assert found == ["ADDED", "BOOKMARK", "ERROR"]


@pytest.mark.parametrize("end", ["wait", "records"])
def test_closing_ends_a_stream_that_another_thread_waits_for(end):
    stream = stream_of(Wire(end=end))
    found = []
    reader = threading.Thread(target=lambda: found.append(list(stream)))
    reader.start()

    stream.close()
    reader.join(5)

    assert found == [[]]


def test_a_closed_stream_stays_ended():
    stream = stream_of(Wire(WIRE))

    stream.close()
    stream.close()

    assert list(stream) == []


def test_a_stream_that_is_left_early_keeps_no_connection():
    wire = Wire(WIRE, end="wait")
    stream = stream_of(wire)
    next(stream)

    stream.close()

    assert wire.is_shut.is_set()
    assert wire.was_closed
