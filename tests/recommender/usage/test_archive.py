from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recommender.errors import CheckpointError
from recommender.usage.archive import packed, unpacked

MAGIC = b"test\0"


@given(
    st.binary(max_size=50),
    st.dictionaries(
        st.sampled_from(["a", "b", "c/d"]),
        hnp.arrays(st.sampled_from([np.float32, np.int64, np.bool_]), hnp.array_shapes(min_side=0)),
    ),
)
def test_what_was_packed_is_unpacked(header, arrays):
    data = packed(MAGIC, header, arrays)

    text, found = unpacked(MAGIC, data, "a test")

    assert text == header
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert packed(MAGIC, header, arrays) == data


def test_objects_are_refused():
    with pytest.raises(ValueError, match="pickle"):
        packed(MAGIC, b"", {"a": np.array([{}])})


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_one_changed_byte_is_noticed(where, change):
    data = bytearray(packed(MAGIC, b"header", {"a": np.arange(40)}))
    data[where % len(data)] ^= change

    with pytest.raises(CheckpointError):
        unpacked(MAGIC, bytes(data), "a test")


def test_bytes_of_something_else_are_told_by_name():
    with pytest.raises(CheckpointError, match="these 7 bytes are no checkpoint of a test"):
        unpacked(MAGIC, b"another", "a test")
