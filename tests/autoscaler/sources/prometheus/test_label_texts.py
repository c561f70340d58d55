"""Label sets that are known are not read again, and mean what they meant."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.errors import AnswerError
from autoscaler.sources.prometheus.answer import decode
from autoscaler.sources.prometheus.label_texts import LabelTexts, are_label_sets, joined
from autoscaler.sources.prometheus.labels import SPARE_SETS, LabelTable
from autoscaler.sources.prometheus.mappings import AGENT

SETS = st.lists(st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=3), max_size=5)


def text_of(labels):
    return json.dumps(labels, ensure_ascii=False, separators=(",", ":")).encode()


def body_of(texts, *, samples=b'[[1,"2"]]'):
    series = b",".join(b'{"metric":' + text + b',"values":' + samples + b"}" for text in texts)
    data = b'{"resultType":"matrix","result":[' + series + b"]}"
    return b'{"status":"success","data":' + data + b"}"


def worker(number):
    return {"namespace": "team", "workload": "llm", "worker": f"llm-{number}", "uuid": "GPU-1"}


def texts_of(numbers):
    return LabelTexts([text_of(worker(number)) for number in numbers])


@given(SETS, st.data())
def test_an_answer_says_the_same_whatever_of_it_is_known(sets, data):
    texts = [text_of(labels) for labels in sets]
    known = data.draw(st.sets(st.sampled_from(texts))) if texts else set()

    answer = decode(body_of(texts), known)

    assert [dict(labels) for labels in answer.labels] == sets
    assert answer.value.tolist() == [2.0] * len(sets)


def test_what_is_known_is_not_read():
    text = b"no JSON at all"
    assert decode(body_of([text]), {text}).labels.texts == [text]


@pytest.mark.parametrize(
    "text",
    [b'{"a":1}', b"[]", b'{"a":"b"},"values":[[1,"3"]]', b'{"a":"b"},"histograms":[]', b'{"a"}'],
)
def test_what_is_no_label_set_is_found_where_it_is_not_known(text):
    assert not are_label_sets([text])
    try:
        answer = decode(body_of([text]))
    except AnswerError:
        return
    assert [dict(labels) for labels in answer.labels] == [{"a": "b"}]


@given(SETS, SETS)
def test_several_answers_are_joined_in_their_order(one, other):
    texts = [LabelTexts([text_of(labels) for labels in sets]) for sets in (one, other)]

    assert joined(texts) == tuple(one + other)
    assert joined([texts[0], tuple(other)]) == tuple(one + other)
    assert isinstance(joined(texts), LabelTexts)


def test_label_texts_are_a_sequence_of_label_sets():
    texts = texts_of(range(3))

    assert (texts[1], len(texts), list(texts[1:])) == (worker(1), 3, [worker(1), worker(2)])
    assert texts == texts_of(range(3))
    assert texts != texts_of(range(2))


def test_a_table_gives_a_text_the_row_of_its_label_set():
    table = LabelTable(AGENT)
    _, read = table.rows(tuple(worker(number) for number in range(3)))

    sets, rows = table.rows(texts_of((2, 0, 3)))

    assert rows.tolist() == [read[2], read[0], 3]
    assert [sets[row]["worker"] for row in rows] == ["llm-2", "llm-0", "llm-3"]
    assert text_of(worker(3)) in table.known_texts


def test_texts_of_workers_that_are_gone_are_forgotten():
    table = LabelTable(AGENT)
    table.rows(texts_of(range(2 * SPARE_SETS)))
    for _ in range(20):
        table.rows(texts_of((-1, -2)))

    sets, rows = table.rows(texts_of((-2, 5)))

    assert [sets[row]["worker"] for row in rows] == ["llm--2", "llm-5"]
    assert text_of(worker(1)) not in table.known_texts
