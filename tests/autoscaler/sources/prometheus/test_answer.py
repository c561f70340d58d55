import gc
import json
import math
import re
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.errors import AnswerError
from autoscaler.sources.prometheus import answer as decoding
from autoscaler.sources.prometheus.answer import PARSED_BYTES, decode
from autoscaler.sources.prometheus.sample_text import BLOCK_BYTES

TRAPS = [
    '"values":[[',
    '"]]',
    '\\"values\\":[[1,"2"]]',
    "]]",
    "run",
    '"run":0',
    "\\",
    "é\u2028",
    "",
]
LABELS = st.dictionaries(
    st.text(max_size=6) | st.sampled_from(TRAPS), st.text(max_size=6) | st.sampled_from(TRAPS)
)
STAMP = st.integers(-(10**12), 10**13).map(lambda milliseconds: milliseconds / 1000)
VALUE = st.floats()
SAMPLES = st.lists(st.tuples(STAMP, VALUE), max_size=5)
SERIES = st.lists(st.tuples(LABELS, SAMPLES), max_size=5)
SPACES = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t"), (",", ": ")])


def written(value):
    """Return a value as Prometheus writes it."""
    if math.isnan(value):
        return "NaN"
    return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, repr(value))


def pair(sample):
    return [sample[0], written(sample[1])]


def envelope(kind, result, **more):
    return {"status": "success", "data": {"resultType": kind, "result": result}, **more}


def encode(document, separators=(",", ":"), indent=None):
    return json.dumps(document, ensure_ascii=False, separators=separators, indent=indent).encode()


def matrix(series, **more):
    rows = [{"metric": labels, "values": [pair(s) for s in samples]} for labels, samples in series]
    return envelope("matrix", rows, **more)


def series_of(answer):
    """Return an answer as labels and samples, NaN as text so that it equals itself."""
    ends = np.cumsum(answer.length)
    return [
        (
            dict(labels),
            [
                (float(ts), written(float(value)))
                for ts, value in zip(
                    answer.ts[end - n : end], answer.value[end - n : end], strict=True
                )
            ],
        )
        for labels, n, end in zip(answer.labels, answer.length, ends, strict=True)
    ]


def plain(series):
    return [(labels, [(ts, written(value)) for ts, value in samples]) for labels, samples in series]


def shuffled(draw, value):
    """Return JSON with the keys of every object in another order; lists stay as they are."""
    if isinstance(value, dict):
        keys = draw(st.permutations(sorted(value)))
        return {key: shuffled(draw, value[key]) for key in keys}
    if isinstance(value, list):
        return [shuffled(draw, item) for item in value]
    return value


@given(SERIES)
def test_a_matrix_comes_back_as_it_was_written(series):
    assert series_of(decode(encode(matrix(series)))) == plain(series)


@given(SERIES, SPACES, st.sampled_from([None, 1]), st.data())
def test_neither_blanks_nor_the_order_of_keys_matter(series, separators, indent, data):
    document = shuffled(data.draw, matrix(series, warnings=["late"]))
    answer = decode(encode(document, separators, indent) + b"\n")
    assert series_of(answer) == plain(series)
    assert answer.warnings == ("late",)


@given(SERIES)
def test_blanks_within_one_run_of_samples_do_not_shift_the_others(series):
    first = {"metric": {"is": "first"}, "values": [[1.5, "2"]]}
    body = encode(matrix(series)).replace(
        b'"result":[', b'"result":[' + encode(first, (", ", ": ")) + (b"," if series else b""), 1
    )
    assert series_of(decode(body)) == [({"is": "first"}, [(1.5, "2.0")]), *plain(series)]


@given(st.lists(st.tuples(LABELS, STAMP, VALUE), max_size=5), SPACES)
def test_a_vector_is_one_sample_per_series(rows, separators):
    result = [{"metric": labels, "value": pair((ts, value))} for labels, ts, value in rows]
    answer = decode(encode(envelope("vector", result), separators))
    assert series_of(answer) == plain([(labels, [(ts, value)]) for labels, ts, value in rows])


def test_a_scalar_is_one_series_without_labels():
    answer = decode(encode(envelope("scalar", [1700000000.123, "42"])))
    assert series_of(answer) == [({}, [(1700000000.123, "42.0")])]


def test_labels_that_would_fill_the_memory_are_not_read():
    body = encode(matrix([({"a": "x" * PARSED_BYTES}, [(1, 2.0)])]))
    with pytest.raises(AnswerError, match=r"more than the 67108864 that are taken.*selector"):
        decode(body)


def test_samples_may_be_more_than_labels(monkeypatch):
    body = encode(matrix([({"a": "b"}, [(at, 2.0) for at in range(1000)])]))
    monkeypatch.setattr(decoding, "PARSED_BYTES", len(body) // 2)
    assert len(decode(body)) == 1000
    with pytest.raises(AnswerError, match="ask for fewer series"):
        decode(body.replace(b":[[", b": [["))
    with pytest.raises(AnswerError, match="not of the form"):
        decode(body.replace(b'"2.0"', b"2.0", 1))


def test_no_label_makes_an_answer_slow_to_read():
    """A place of samples is marked by a text that nobody can have written before."""
    labels = {"filler": "x" * 2**20, "long": "run" + "_" * 100_000}
    body = encode(matrix([(labels, [(1, 2.0)])]))
    before_s = time.process_time()
    assert series_of(decode(body)) == [(labels, [(1.0, "2.0")])]
    assert time.process_time() - before_s < 1


def test_columns_have_fixed_types_and_name_their_series():
    answer = decode(
        encode(matrix([({"a": "1"}, [(1, 2.0), (3, 4.0)]), ({}, []), ({}, [(5, 6.0)])]))
    )
    assert answer.series.tolist() == [0, 0, 2]
    assert [column.dtype for column in (answer.ts, answer.value, answer.length, answer.series)] == [
        np.float64,
        np.float64,
        np.int64,
        np.int32,
    ]
    assert answer.ts.flags.c_contiguous
    assert len(answer) == 3


def test_an_empty_result_is_an_answer_without_series():
    for kind in ("matrix", "vector"):
        answer = decode(encode(envelope(kind, [])))
        assert (answer.labels, len(answer), answer.warnings) == ((), 0, ())


def test_native_histograms_are_left_out():
    histogram = [1, {"count": "2", "sum": "3", "buckets": [[0, "1", "2", "3"]]}]
    rows = [
        {"metric": {"a": "both"}, "values": [[1, "2"]], "histograms": [histogram]},
        {"metric": {"a": "none"}, "histograms": [histogram]},
    ]
    answer = decode(encode(envelope("matrix", rows)))
    assert series_of(answer) == [({"a": "both"}, [(1.0, "2.0")]), ({"a": "none"}, [])]
    rows = [{"metric": {}, "histogram": histogram}]
    assert series_of(decode(encode(envelope("vector", rows)))) == [({}, [])]


def test_an_answer_of_many_megabytes_is_joined_in_order():
    series, samples = 4, 150_000
    runs = [
        b",".join(b'[%d,"%d.25"]' % (1_700_000_000 + i, row) for i in range(samples))
        for row in range(series)
    ]
    rows = b",".join(b'{"metric":{"row":"%d"},"values":[%b]}' % row for row in enumerate(runs))
    body = encode(envelope("matrix", [])).replace(b"[]", b"[" + rows + b"]")
    assert len(body) > BLOCK_BYTES
    answer = decode(body)
    assert [labels["row"] for labels in answer.labels] == ["0", "1", "2", "3"]
    assert np.array_equal(answer.value, answer.series + 0.25)
    assert np.array_equal(answer.ts, 1_700_000_000 + np.tile(np.arange(samples), series))


@pytest.mark.parametrize("value", ["1e400", "-0", "4.9e-324", "0.1", "123456789012345678901234567"])
def test_values_are_read_exactly(value):
    answer = decode(encode(envelope("scalar", [0, value])))
    assert answer.value[0] == float(value)


def test_samples_elsewhere_than_in_a_series_are_ignored():
    document = matrix([({}, [(1, 2.0)])])
    document["data"]["stats"] = {"values": [[9, "9"]]}
    document = {"data": document["data"], "status": "success"}
    assert series_of(decode(encode(document))) == [({}, [(1.0, "2.0")])]
    document["data"] = {"stats": {"values": [[9, "9"]]}, **document["data"]}
    assert series_of(decode(encode(document))) == [({}, [(1.0, "2.0")])]


def test_what_the_server_says_of_gaps_is_kept():
    answer = decode(encode(matrix([], warnings=["store 2 is away", "slow"], infos=["a counter?"])))
    assert answer.warnings == ("store 2 is away", "slow")
    assert answer.infos == ("a counter?",)
    answer = decode(encode(matrix([], isPartial=True)))
    assert answer.warnings == ("the server marks the answer as partial (isPartial)",)
    assert decode(encode(matrix([], isPartial=False, warnings=None))).warnings == ()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "the answer of 0 bytes is no JSON, or was cut short"),
        (b"<html></html>", "the answer of 13 bytes is no JSON, or was cut short"),
        (b"{nonsense}", "the answer of 10 bytes is no JSON, or was cut short"),
        (b'[{"status":"success"}', "is no JSON, or was cut short"),
        (encode({"status": "error", "error": "no"}), "the status of the answer is 'error'"),
        (encode({"data": {}}), "the status of the answer is None, not 'success'"),
        (encode({"status": "success"}), "the type of the result is None"),
        (encode(envelope("streams", [])), "the type of the result is 'streams'"),
        (encode(envelope(["matrix"], [])), "the type of the result is ['matrix']"),
        (encode(envelope({"matrix": 1}, [])), "the type of the result is {'matrix': 1}"),
        (encode(envelope("string", [1, "a"])), "matrix, vector and scalar can be read"),
        (encode(envelope("matrix", None)), "the result of type 'matrix' is no list"),
        (encode(envelope("matrix", [1])), "has no labels"),
        (encode(envelope("matrix", [{"values": []}])), "has no labels"),
        (encode(envelope("matrix", [{"metric": {"a": 1}, "values": []}])), "a label that is no"),
        (encode(envelope("matrix", [{"metric": {}}])), "has no samples"),
        (encode(envelope("matrix", [{"metric": {}, "values": 3}])), "are no list"),
        (encode(envelope("matrix", [{"metric": {}, "values": [[1, 2]]}])), "not of the form"),
        (encode(envelope("matrix", [{"metric": {}, "values": [["1", "2"]]}])), "not of the form"),
        (encode(envelope("matrix", [{"metric": {}, "values": [[1], ["2"]]}])), "not of the form"),
        (encode(envelope("matrix", [{"metric": {}, "values": [[]]}])), "not of the form"),
        (encode(envelope("matrix", [{"metric": {}, "values": [1, 2]}])), "not of the form"),
        (encode(envelope("matrix", [{"metric": {}, "values": [[1, "abc"]]}])), "not of the form"),
        (encode(envelope("matrix", [{"metric": {}, "values": [[1, "1_0"]]}])), "not of the form"),
        (encode(envelope("matrix", [{"metric": {}, "values": [[1, ""]]}])), "is no number"),
        (encode(envelope("matrix", [{"metric": {}, "values": [[1, "1e"]]}])), "is no number"),
        (encode(envelope("matrix", [{"metric": {}, "values": [[1, "1-1"]]}])), "is no number"),
        (encode(envelope("matrix", [{"metric": {}, "values": [[1, "2]]}"]]}])), "not of the form"),
        (encode(envelope("matrix", [{"metric": {}, "values": [[1, '2"]]}']]}])), "not of the form"),
        (encode(envelope("matrix", [{"metric": {}, "values": [[2**37, "1"]]}])), "no time"),
        (encode(envelope("matrix", [{"metric": {}, "values": [[-1e300, "1"]]}])), "no time"),
        (encode(envelope("vector", [{"metric": {}, "value": None}])), "not of the form"),
        (encode(envelope("scalar", None)), "not of the form"),
        (encode(envelope("matrix", [{"metric": {}, "values": [[math.nan, "2"]]}])), "is no JSON"),
    ],
)
def test_what_is_no_answer_is_an_error(body, problem):
    with pytest.raises(AnswerError) as caught:
        decode(body)
    assert problem in str(caught.value)


@given(SERIES, SPACES, st.data())
def test_an_answer_that_was_cut_short_is_an_error(series, separators, data):
    body = encode(matrix(series), separators)
    kept = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(AnswerError):
        decode(body[:kept])


RUN = re.compile(rb'\[([^\[\]",{}]*),"([^"\\]*)"\]')


def strict(body):
    """Return the series of a matrix by the JSON parser of Python, stamps in any form of number."""
    text = RUN.sub(lambda run: b'[%r,"%b"]' % (float(run[1]), run[2]), body)
    rows = json.loads(text)["data"]["result"]
    return [
        (
            row["metric"],
            [(float(ts), written(float(value))) for ts, value in row.get("values", [])],
        )
        for row in rows
    ]


@given(
    st.lists(st.tuples(LABELS, st.lists(st.tuples(STAMP, VALUE), min_size=1)), min_size=1),
    st.data(),
)
def test_a_damaged_answer_is_an_error_or_means_what_it_says(series, data):
    body = bytearray(encode(matrix(series)))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place : place + data.draw(st.integers(0, 3))] = data.draw(
        st.sampled_from([b"", b"1", b'"', b"]", b"[", b",", b"\\", b"-", b"e", b"{", b"}", b" "])
    )
    try:
        answer = decode(bytes(body))
    except AnswerError:
        return
    assert series_of(answer) == strict(bytes(body))


@pytest.mark.parametrize("is_enabled", [True, False])
@pytest.mark.parametrize("body", [encode(matrix([({}, [(1, 2.0)])])), b'{"status":}'])
def test_the_collector_of_cycles_is_left_as_it_was(is_enabled, body):
    before = gc.isenabled()
    try:
        gc.enable() if is_enabled else gc.disable()
        try:
            decode(body)
        except AnswerError:
            assert body == b'{"status":}'
        assert gc.isenabled() == is_enabled
    finally:
        gc.enable() if before else gc.disable()


def test_a_byte_array_is_decoded_like_bytes():
    body = encode(matrix([({"a": "b"}, [(1, 2.0)])]))
    assert series_of(decode(bytearray(body))) == series_of(decode(body))
