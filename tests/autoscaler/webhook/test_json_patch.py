import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.webhook.json_patch import difference

KEYS = st.sampled_from(("a", "b", "a/b", "~", "~1", "", "name", "0", "-", "é"))
SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from((0.0, 1.0, "", "a"))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)
NAMED = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("abcde")}, optional={"value": SCALARS}),
    max_size=8,
)


def applied(document, patch):
    """Apply a patch by an independent reading of RFC 6902, for the three operations in use."""
    holder = {"root": copy.deepcopy(document)}
    for operation in patch:
        *way, last = ["root", *operation["path"].split("/")[1:]]
        place = holder
        for step in (part.replace("~1", "/").replace("~0", "~") for part in way):
            place = place[int(step) if isinstance(place, list) else step]
        last = last.replace("~1", "/").replace("~0", "~")
        match operation["op"], place:
            case "add", list():
                assert 0 <= int(last) <= len(place)
                place.insert(int(last), copy.deepcopy(operation["value"]))
            case "remove", list():
                del place[int(last)]
            case "replace", list():
                place[int(last)] = copy.deepcopy(operation["value"])
            case "add", dict():
                place[last] = copy.deepcopy(operation["value"])
            case "remove", dict():
                del place[last]
            case "replace", dict():
                assert last in place
                place[last] = copy.deepcopy(operation["value"])
    return holder["root"]


def exact(value):
    """Return the value such that 1, 1.0 and True differ."""
    match value:
        case dict():
            return {key: exact(item) for key, item in value.items()}
        case list():
            return [exact(item) for item in value]
    return (type(value).__name__, value)


@given(VALUES, VALUES)
def test_the_patch_turns_the_old_value_into_the_new_one(old, new):
    assert exact(applied(old, difference(old, new))) == exact(new)


@given(NAMED, NAMED)
def test_the_patch_turns_one_list_of_named_objects_into_another(old, new):
    assert exact(applied(old, difference(old, new))) == exact(new)


@given(VALUES)
def test_equal_values_need_no_operation(value):
    assert difference(value, copy.deepcopy(value)) == ()


@given(VALUES, VALUES)
def test_neither_value_is_changed(old, new):
    before = copy.deepcopy((old, new))

    difference(old, new)

    assert exact([old, new]) == exact(list(before))


def test_a_new_entry_before_named_ones_is_one_operation():
    old = [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]
    new = [{"name": "ours"}, *old]

    assert difference(old, new) == ({"op": "add", "path": "/0", "value": {"name": "ours"}},)


def test_a_change_within_a_named_object_touches_nothing_else():
    old = {"containers": [{"name": "a"}, {"name": "b", "env": [{"name": "X", "value": "1"}]}]}
    new = {
        "containers": [
            {"name": "new"},
            {"name": "a"},
            {"name": "b", "env": [{"name": "X", "value": "2"}]},
        ]
    }

    assert difference(old, new) == (
        {"op": "replace", "path": "/containers/1/env/0/value", "value": "2"},
        {"op": "add", "path": "/containers/0", "value": {"name": "new"}},
    )


def test_several_removed_items_are_removed_from_the_end():
    assert difference(["a", "b", "c", "d"], ["a"]) == (
        {"op": "remove", "path": "/3"},
        {"op": "remove", "path": "/2"},
        {"op": "remove", "path": "/1"},
    )


@pytest.mark.parametrize(
    ("key", "path"),
    [("tensor-fusion.ai/qos", "/tensor-fusion.ai~1qos"), ("~/", "/~0~1"), ("", "/")],
)
def test_keys_are_escaped(key, path):
    assert difference({}, {key: "high"}) == ({"op": "add", "path": path, "value": "high"},)


def test_a_flag_is_not_the_number_that_it_equals_in_python():
    assert difference({"x": 1}, {"x": True}) == ({"op": "replace", "path": "/x", "value": True},)


def test_a_list_whose_items_moved_is_replaced_whole():
    old, new = [{"name": "a"}, {"name": "b"}], [{"name": "b"}, {"name": "a"}]

    assert difference(old, new) == ({"op": "replace", "path": "", "value": new},)


class CountedName(str):  # noqa: SLOT000 - its counter is of the class
    """A name that counts how often it is looked up."""

    looks = 0

    def __hash__(self) -> int:
        CountedName.looks += 1
        return super().__hash__()


def test_names_that_repeat_cost_no_more_than_the_length_of_the_list():
    names = [CountedName("a" if index % 2 else "ours") for index in range(400)]
    old = [{"name": name} for name in names]
    new = [{"name": "first"}, *(item for item in old if item["name"] != "ours")]
    CountedName.looks = 0

    patch = difference(old, new)

    assert applied(old, patch) == new
    assert CountedName.looks <= 20 * len(old)


def test_very_long_lists_that_are_equal_need_no_operation():
    old = {"args": ["a"] * 100_000, "name": "x"}

    assert difference(old, old | {"name": "y"}) == (
        {"op": "replace", "path": "/name", "value": "y"},
    )
