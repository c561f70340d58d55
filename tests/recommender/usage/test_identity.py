from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recommender.usage.identity import RowIndex


def test_keys_get_rows_in_order_and_keep_them():
    index = RowIndex()
    assert index.rows(["a", "b"]).tolist() == [0, 1]
    assert index.rows(["b", "c", "a"]).tolist() == [1, 2, 0]
    assert len(index) == 3


def test_unknown_keys_have_no_row_and_get_none():
    index = RowIndex()
    assert index.known(["a"]).tolist() == [-1]
    assert len(index) == 0


def test_freed_rows_are_given_out_again_lowest_first():
    index = RowIndex()
    index.rows(["a", "b", "c", "d"])
    index.free([2, 0])
    assert index.keys == [None, "b", None, "d"]
    assert index.rows(["e", "f", "g"]).tolist() == [0, 2, 4]


def test_freeing_twice_is_freeing_once():
    index = RowIndex()
    index.rows(["a"])
    index.free([0])
    index.free([0])
    assert index.rows(["b", "c"]).tolist() == [0, 1]


_steps = st.lists(
    st.tuples(st.booleans(), st.lists(st.integers(0, 9), min_size=1, max_size=4)), max_size=12
)


@given(_steps, _steps)
def test_a_restored_index_goes_on_like_the_saved_one(before, after):
    saved = RowIndex()
    _walk(saved, before)
    restored = RowIndex()
    restored.restore(list(saved.keys))
    assert _walk(restored, after) == _walk(saved, after)
    assert restored.keys == saved.keys


def _walk(index, steps):
    seen = []
    for is_free, keys in steps:
        if is_free:
            index.free([row for row in index.known(keys) if row >= 0])
        else:
            seen.append(index.rows(keys).tolist())
    return seen


def test_a_renamed_row_is_found_by_its_new_key_alone():
    index = RowIndex()
    index.rows(["a", "b"])

    index.rename("a", "c")

    assert ("a" in index, "c" in index) == (False, True)
    assert index.rows(["c", "b", "a"]).tolist() == [0, 1, 2]
    assert index.keys == ["c", "b", "a"]
