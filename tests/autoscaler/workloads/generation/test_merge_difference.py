"""The smallest merge patch between two mappings."""

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.workloads.generation.merge_difference import merge_difference
from tests.autoscaler.api_patches import merged

_SCALARS = st.booleans() | st.integers(0, 3) | st.sampled_from(("", "a"))
_KEYS = st.sampled_from(("a", "b", "c"))
_VALUES = st.recursive(
    _SCALARS | st.lists(_SCALARS, max_size=2),
    lambda inner: st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)
MAPPINGS = st.dictionaries(_KEYS, _VALUES, max_size=3)


@given(MAPPINGS, MAPPINGS)
def test_the_patch_makes_the_old_mapping_the_new_one(old, new):
    assert merged(old, merge_difference(old, new)) == new


@given(MAPPINGS)
def test_nothing_is_to_be_said_between_equals(mapping):
    assert merge_difference(mapping, mapping) == {}


def test_only_what_differs_is_said():
    old = {"a": {"b": 1, "c": 2}, "d": [1], "e": 3}
    new = {"a": {"b": 1, "c": 4}, "d": [1]}
    assert merge_difference(old, new) == {"a": {"c": 4}, "e": None}
