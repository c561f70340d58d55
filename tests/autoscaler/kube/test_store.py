import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.kube.store import Change, ChangeKind, Store, key_of

NAMES = st.sampled_from("abcd")
LABELS = st.lists(st.sampled_from(["red", "green", "blue"]), max_size=3)
OPERATIONS = st.lists(
    st.tuples(st.just("put"), NAMES, LABELS)
    | st.tuples(st.just("remake"), NAMES, LABELS)
    | st.tuples(st.just("remove"), NAMES, st.just([]))
    | st.tuples(st.just("replace"), st.sets(NAMES), LABELS),
    max_size=30,
)


def thing(name, version="1", *, uid="u", labels=(), namespace="ns"):
    metadata = {"namespace": namespace, "name": name, "uid": uid, "resourceVersion": version}
    return {"kind": "Thing", "metadata": metadata, "labels": list(labels)}


def by_label(obj):
    return obj["labels"]


def recorded(store):
    changes = []
    store.on_change(changes.append)
    return changes


def added(obj):
    return Change(kind=ChangeKind.ADDED, old=None, new=obj)


def modified(old, new):
    return Change(kind=ChangeKind.MODIFIED, old=old, new=new)


def deleted(obj):
    return Change(kind=ChangeKind.DELETED, old=obj, new=None)


def test_an_object_is_found_by_namespace_and_name():
    store = Store()
    store.put(thing("a"))

    assert store.get("ns", "a") == thing("a")
    assert store.get("other", "a") is None


def test_an_object_without_namespace_is_found_without_one():
    store = Store()
    node = {"metadata": {"name": "node-1", "resourceVersion": "1"}}
    store.put(node)

    assert (store.get(None, "node-1"), store.get("", "node-1")) == (node, node)


def test_listeners_hear_of_what_was_added_modified_and_deleted():
    store = Store()
    changes = recorded(store)
    old, new, last = thing("a", "1"), thing("a", "2"), thing("a", "3")

    store.put(old)
    store.put(new)
    store.remove(last)

    assert changes == [added(old), modified(old, new), deleted(last)]


def test_the_same_version_again_is_no_change():
    store = Store()
    store.put(thing("a"))
    changes = recorded(store)

    store.put(thing("a"))
    store.remove(thing("b"))

    assert changes == []


def test_an_object_that_was_made_anew_is_deleted_and_added():
    store = Store()
    old, new = thing("a", "1", uid="one"), thing("a", "5", uid="two")
    store.put(old)
    changes = recorded(store)

    store.put(new)

    assert changes == [deleted(old), added(new)]


def test_a_new_list_deletes_what_is_gone_in_the_state_that_was_last_seen():
    store = Store()
    kept, gone = thing("a"), thing("b")
    store.replace([kept, gone])
    changes = recorded(store)
    more = thing("c")

    store.replace([kept, more])

    assert changes == [added(more), deleted(gone)]
    assert store.sorted() == (kept, more)


def test_a_list_that_breaks_off_deletes_nothing():
    store = Store()
    store.put(thing("a"))

    def pages():
        yield thing("b")
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        store.replace(pages())

    assert [key_of(obj) for obj in store.sorted()] == [("ns", "a"), ("ns", "b")]


def test_an_index_finds_what_is_there_before_it_and_after():
    store = Store()
    store.put(thing("b", labels=["red"]))
    store.add_index("label", by_label)
    store.put(thing("a", labels=["red", "red", "blue"]))

    assert [obj["metadata"]["name"] for obj in store.indexed("label", "red")] == ["a", "b"]
    assert [obj["metadata"]["name"] for obj in store.indexed("label", "blue")] == ["a"]
    assert store.indexed("label", "green") == ()


def test_an_index_has_one_name_and_no_other():
    store = Store()
    store.add_index("label", by_label)

    with pytest.raises(ValueError, match="there is an index 'label' already"):
        store.add_index("label", by_label)
    with pytest.raises(KeyError):
        store.indexed("colour", "red")


def test_a_listener_that_fails_is_logged_and_counted_and_others_are_called(caplog):
    store = Store()

    def broken(_change):
        raise ZeroDivisionError("broken")

    store.on_change(broken)
    changes = recorded(store)

    with caplog.at_level(logging.ERROR):
        store.put(thing("a"))

    assert (store.failures, len(changes)) == (1, 1)
    assert "a listener to added failed on Thing ns/a" in caplog.text


def test_an_index_that_fails_on_an_object_does_not_hide_it(caplog):
    store = Store()
    store.add_index("label", lambda obj: obj["labels"] or 1 / 0)

    with caplog.at_level(logging.ERROR):
        store.put(thing("a"))
        store.put(thing("b", labels=["red"]))

    assert [obj["metadata"]["name"] for obj in store.sorted()] == ["a", "b"]
    assert "the index label failed on Thing ns/a" in caplog.text


@given(OPERATIONS)
def test_the_store_its_index_and_what_listeners_hear_always_agree(operations):
    store = Store()
    store.add_index("label", by_label)
    heard = {}

    def hear(change):
        key = key_of(change.obj)
        assert heard.get(key, change.old) == change.old or change.kind is ChangeKind.DELETED
        assert (key in heard) == (change.kind is not ChangeKind.ADDED)
        if change.new is None:
            del heard[key]
        else:
            heard[key] = change.new

    store.on_change(hear)
    truth = {}
    for version, (operation, names, labels) in enumerate(operations):
        if operation == "replace":
            truth = {("ns", n): thing(n, str(version), labels=labels) for n in names}
            store.replace(list(truth.values()))
        elif operation == "remove":
            store.remove(thing(names, str(version)))
            truth.pop(("ns", names), None)
        else:
            uid = str(version) if operation == "remake" else "u"
            truth["ns", names] = thing(names, str(version), uid=uid, labels=labels)
            store.put(truth["ns", names])

    assert store.failures == 0
    assert heard == truth
    assert {key_of(obj): obj for obj in store.items()} == truth
    assert len(store) == len(truth)
    for label in ("red", "green", "blue"):
        having = [obj for _, obj in sorted(truth.items()) if label in obj["labels"]]
        assert list(store.indexed("label", label)) == having
