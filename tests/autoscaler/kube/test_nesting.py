import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.kube.nesting import MOST_LEVELS, cut, read_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=20,
)


def nested(levels, within="1"):
    return '{"a":' * levels + within + "}" * levels


def depth_of(value):
    levels = 0
    while isinstance(value, dict):
        value, levels = value["a"], levels + 1
    return levels, value


@given(VALUES)
def test_what_is_not_deep_is_read_as_it_is(value):
    assert read_json(json.dumps(value).encode()) == value
    assert cut(json.dumps(value).encode()) == json.dumps(value).encode()


@pytest.mark.parametrize("levels", [1100, 5000, 100_000])
def test_of_an_object_that_is_too_deep_the_upper_levels_are_read(levels):
    assert depth_of(read_json(nested(levels).encode())) == (MOST_LEVELS, None)


@given(VALUES, VALUES)
def test_what_stands_beside_it_is_read_whole(before, after):
    deep = nested(1500, within='"}]{[\\""')
    text = f"[{json.dumps(before)}, {deep}, {json.dumps(after)}]"

    first, second, third = read_json(text.encode())

    assert (first, third) == (before, after)
    assert depth_of(second) == (MOST_LEVELS - 1, None)


@pytest.mark.parametrize(
    "text", [b"", b"<html>", b'{"a": [}', b'{"a": "', b"{" * 5000, b"}" * 5000, b'"' * 5001]
)
def test_what_is_no_json_is_refused(text):
    with pytest.raises(orjson.JSONDecodeError):
        read_json(text)
