"""Series as OpenMetrics text: exact, and readable for an independent parser."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.components.openmetrics import Family, Series, write_openmetrics

STAMPS_MS = st.lists(st.integers(0, 2**31 * 1000 - 1), unique=True, min_size=1, max_size=20).map(
    sorted
)
LABEL_VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"))


def series(ts_ms, value, **labels):
    return Series(labels=labels, ts_ms=np.array(ts_ms, np.int64), value=np.array(value, float))


def text_of(folder, *families):
    count = write_openmetrics(folder / "text.om", families)
    return count, (folder / "text.om").read_text(encoding="utf-8")


def test_a_text_has_types_samples_and_an_end(tmp_path):
    gauge = Family(
        name="use",
        kind="gauge",
        series=[series([1_000, 61_500], [0.25, 3.0], worker="a"), series([1_000], [7.0])],
    )
    counter = Family(name="waits_total", kind="counter", series=[series([2_000], [1e21])])

    count, text = text_of(tmp_path, gauge, counter)

    assert count == 4
    assert text.splitlines() == [
        "# TYPE use gauge",
        'use{worker="a"} 0.25 1',
        'use{worker="a"} 3.0 61.500',
        "use{} 7.0 1",
        "# TYPE waits counter",
        "waits_total{} 1e+21 2",
        "# EOF",
    ]


def test_what_is_not_finite_is_spelled_as_openmetrics_does(tmp_path):
    odd = series([1_000, 2_000, 3_000, 4_000], [np.nan, np.inf, -np.inf, 1.0])
    _, text = text_of(tmp_path, Family(name="use", kind="gauge", series=[odd]))

    assert [line.split()[1] for line in text.splitlines()[1:-1]] == ["NaN", "+Inf", "-Inf", "1.0"]


@given(ts_ms=STAMPS_MS, label=LABEL_VALUES, data=st.data())
def test_an_independent_parser_reads_what_was_written(tmp_path_factory, ts_ms, label, data):
    values = st.lists(st.floats(allow_nan=False), min_size=len(ts_ms), max_size=len(ts_ms))
    value = data.draw(values)
    family = Family(name="use", kind="gauge", series=[series(ts_ms, value, pool=label)])
    _, text = text_of(tmp_path_factory.mktemp("text"), family)

    (parsed,) = text_string_to_metric_families(text)

    assert [sample.labels for sample in parsed.samples] == [{"pool": label}] * len(ts_ms)
    assert [sample.value for sample in parsed.samples] == value
    assert [
        sample.timestamp.sec * 1000 + sample.timestamp.nsec // 10**6 for sample in parsed.samples
    ] == ts_ms


def test_series_with_the_same_stamps_and_others_do_not_mix(tmp_path):
    shared = np.array([1_000, 2_000])
    same = [
        Series(labels={"w": name}, ts_ms=stamps, value=np.arange(2.0))
        for name, stamps in (("a", shared), ("b", shared), ("c", shared + 500), ("d", shared))
    ]
    _, text = text_of(tmp_path, Family(name="use", kind="gauge", series=same))

    assert [line.split()[2] for line in text.splitlines()[1:-1]] == [
        *("1", "2"),
        *("1", "2"),
        *("1.500", "2.500"),
        *("1", "2"),
    ]


@pytest.mark.parametrize(
    ("name", "kind", "bad", "problem"),
    [
        ("waits", "counter", series([1], [1.0]), "has to end with _total"),
        ("use", "gauge", series([1, 1], [1.0, 2.0]), "rising stamps"),
        ("use", "gauge", series([1, 2], [1.0]), "one value for each of 2 rising stamps"),
    ],
)
def test_what_no_text_can_say_is_refused(tmp_path, name, kind, bad, problem):
    with pytest.raises(ValueError, match=problem):
        text_of(tmp_path, Family(name=name, kind=kind, series=[bad]))
