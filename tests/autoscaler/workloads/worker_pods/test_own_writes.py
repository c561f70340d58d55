"""A process sees the pods that it made and deleted before its cache does, and not for ever."""

import pytest

from autoscaler.clock import VirtualClock
from autoscaler.kube.store import Store
from autoscaler.workloads.worker_pods.own_writes import LONGEST_S, OwnPodWrites
from tests.autoscaler.workloads.objects import TEAM, pod


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def clock():
    return VirtualClock(0)


@pytest.fixture
def own(store, clock):
    return OwnPodWrites(store, clock)


def names(own, store):
    return [each["metadata"]["name"] for each in own.seen(store.items(), TEAM)]


def is_going(own, store):
    return ["deletionTimestamp" in each["metadata"] for each in own.seen(store.items(), TEAM)]


def test_a_made_pod_is_seen_once_before_the_cache_shows_it_and_after(own, store):
    made = pod("a")
    own.made(made)
    assert names(own, store) == ["a"]
    store.put(made)
    assert names(own, store) == ["a"]
    store.remove(made)
    assert names(own, store) == []


def test_a_made_pod_that_the_cache_showed_before_the_answer_came_is_not_kept(own, store):
    made = pod("a")
    store.put(made)
    own.made(made)
    store.remove(made)
    assert names(own, store) == []


def test_a_deleted_pod_is_going_until_the_cache_says_it_itself(own, store):
    made = pod("a")
    store.put(made)
    own.deleted(made)
    assert is_going(own, store) == [True]
    store.remove(made)
    assert is_going(own, store) == []


def test_a_pod_that_was_made_and_deleted_is_gone_although_the_cache_never_showed_it(own, store):
    made = pod("a")
    own.made(made)
    own.deleted(made)
    assert names(own, store) == []


def test_pods_of_other_namespaces_are_left_out(own, store):
    own.made(pod("a", namespace="other"))
    assert names(own, store) == []


def test_what_the_cache_does_not_show_for_long_is_forgotten(own, store, clock):
    kept = pod("b")
    store.put(kept)
    own.made(pod("a"))
    own.deleted(kept)
    clock.advance_to(int(LONGEST_S))
    assert sorted(names(own, store)) == ["a", "b"]
    clock.advance_to(int(LONGEST_S) + 1)
    assert names(own, store) == ["b"]
    assert is_going(own, store) == [False]
