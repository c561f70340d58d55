"""A reflector before a real API server, with a proxy between them that misbehaves."""

from __future__ import annotations

import random
import threading
import time

import pytest

from autoscaler.kube.resource import CONFIG_MAPS
from autoscaler.kube.store import key_of
from tests.cluster.api_proxy import (
    ApiProxy,
    ended_at_once,
    error_event,
    hung_up,
    is_list,
    is_watch,
    late,
    refused,
)
from tests.cluster.reflecting import (
    DEADLINE_S,
    asking,
    config_map,
    gaps_s,
    reflecting,
    state,
    wait_for,
    wait_until_same,
)


@pytest.fixture
def proxy(control_plane, tmp_path):
    with ApiProxy(control_plane, tmp_path) as proxy:
        yield proxy


@pytest.fixture
def direct(control_plane):
    with asking(control_plane) as api:
        yield api


def test_it_follows_what_is_created_changed_and_deleted(proxy, direct, namespace):
    direct.create(CONFIG_MAPS, config_map(namespace, "a"))
    direct.create(CONFIG_MAPS, config_map(namespace, "b"))
    with reflecting(proxy, namespace, page=1) as reflector:
        assert reflector.wait_until_synced(DEADLINE_S)
        wait_until_same(reflector, direct, namespace)

        direct.create(CONFIG_MAPS, config_map(namespace, "c"))
        direct.merge_patch(CONFIG_MAPS, "a", {"data": {"v": "2"}}, namespace)
        direct.delete(CONFIG_MAPS, "b", namespace)

        wait_until_same(reflector, direct, namespace)
        assert (proxy.count(is_watch), reflector.snapshot().failures) == (1, 0)
        assert proxy.count(is_list) >= 2


def test_selectors_choose_what_is_followed(proxy, direct, namespace):
    direct.create(CONFIG_MAPS, config_map(namespace, "a", colour="red"))
    direct.create(CONFIG_MAPS, config_map(namespace, "b", colour="blue"))
    with reflecting(proxy, namespace, label_selector="colour=red") as reflector:
        reflector.wait_until_synced(DEADLINE_S)
        direct.create(CONFIG_MAPS, config_map(namespace, "c", colour="red"))
        wait_for(lambda: len(reflector.store) == 2, "the second red one is there")

        # One that is no longer chosen is deleted, as far as this store goes.
        direct.merge_patch(CONFIG_MAPS, "a", {"metadata": {"labels": {"colour": ""}}}, namespace)

        wait_for(lambda: list(state(reflector.store.items())) == [(namespace, "c")], "a is gone")


def test_metadata_alone_is_listed_and_watched(proxy, direct, namespace):
    direct.create(CONFIG_MAPS, config_map(namespace, "a"))
    with reflecting(proxy, namespace, is_metadata_only=True) as reflector:
        reflector.wait_until_synced(DEADLINE_S)
        direct.create(CONFIG_MAPS, config_map(namespace, "b"))
        wait_for(lambda: len(reflector.store) == 2, "both are there")

        found = reflector.store.sorted()

    assert [(obj["kind"], obj["metadata"]["name"]) for obj in found] == [
        ("ConfigMap", "a"),
        ("ConfigMap", "b"),
    ]
    assert ["data" in obj for obj in found] == [False, False]


def test_a_half_open_stream_is_given_up_within_the_read_timeout(proxy, direct, namespace):
    with reflecting(proxy, namespace, read_timeout_s=2.0) as reflector:
        reflector.wait_until_synced(DEADLINE_S)
        wait_for(lambda: proxy.count(is_watch) == 1, "it watches")
        proxy.freeze()
        direct.create(CONFIG_MAPS, config_map(namespace, "unheard"))
        wait_for(lambda: reflector.snapshot().failures >= 1, "the silence was noticed")
        during = reflector.snapshot()
        proxy.thaw()

        wait_until_same(reflector, direct, namespace)

    assert during.age_s >= 2.0
    assert "nothing came for 2 s" in during.last_error


def test_a_connection_that_is_cut_is_made_anew(proxy, direct, namespace):
    with reflecting(proxy, namespace) as reflector:
        reflector.wait_until_synced(DEADLINE_S)
        wait_for(lambda: proxy.count(is_watch) == 1, "it watches")
        proxy.cut()
        direct.create(CONFIG_MAPS, config_map(namespace, "after"))

        wait_until_same(reflector, direct, namespace)
        assert reflector.snapshot().relists == 0


@pytest.mark.parametrize("gone", [refused(410, reason="Expired"), error_event(410)])
def test_a_storm_of_410_is_met_by_lists_with_growing_waits(proxy, direct, namespace, gone):
    proxy.misbehave(gone, of=is_watch, times=5)
    with reflecting(proxy, namespace) as reflector:
        wait_for(lambda: proxy.count(is_watch) == 6, "the storm is over")
        direct.create(CONFIG_MAPS, config_map(namespace, "after"))

        wait_until_same(reflector, direct, namespace)
        assert reflector.snapshot().relists == 5

    # 0.05, 0.1, 0.2, 0.4 and 0.4 seconds, at the least.
    for gap_s, least_s in zip(gaps_s(proxy, is_watch), [0.05, 0.1, 0.2, 0.4, 0.4], strict=True):
        assert gap_s >= least_s


def test_a_throttled_list_waits_as_long_as_the_server_says(proxy, direct, namespace):
    proxy.misbehave(refused(429, Retry_After="1"), of=is_list, times=2)
    direct.create(CONFIG_MAPS, config_map(namespace, "a"))
    with reflecting(proxy, namespace) as reflector:
        wait_until_same(reflector, direct, namespace)

    assert proxy.count(is_list) == 3
    assert min(gaps_s(proxy, is_list)) >= 1.0


def test_a_server_that_fails_is_asked_again_with_growing_waits(proxy, direct, namespace):
    proxy.misbehave(refused(500, reason="InternalError"), times=4)
    direct.create(CONFIG_MAPS, config_map(namespace, "a"))
    with reflecting(proxy, namespace) as reflector:
        wait_for(lambda: reflector.snapshot().failures >= 1, "the first list failed")
        assert (
            reflector.has_synced,
            "500 Internal Server Error" in reflector.snapshot().last_error,
        ) == (False, True)

        wait_until_same(reflector, direct, namespace)
        assert reflector.snapshot().failures == 4

    assert sum(gaps_s(proxy, is_list)) >= 0.05 + 0.1 + 0.2 + 0.4


@pytest.mark.parametrize("fault", [ended_at_once, hung_up])
def test_streams_that_end_at_once_do_not_make_it_spin(proxy, direct, namespace, fault):
    proxy.misbehave(fault, of=is_watch)
    with reflecting(proxy, namespace) as reflector:
        reflector.wait_until_synced(DEADLINE_S)
        wait_for(lambda: proxy.count(is_watch) == 6, "it tried six times")
        proxy.heal()
        direct.create(CONFIG_MAPS, config_map(namespace, "after"))

        wait_until_same(reflector, direct, namespace)

    least_s = [0.05, 0.1, 0.2, 0.4, 0.4]
    assert all(
        gap_s >= least for gap_s, least in zip(gaps_s(proxy, is_watch), least_s, strict=False)
    )


def test_a_slow_list_is_waited_for(proxy, direct, namespace):
    for name in "abc":
        direct.create(CONFIG_MAPS, config_map(namespace, name))
    proxy.misbehave(late(0.7), of=is_list)
    with reflecting(proxy, namespace, page=1) as reflector:
        wait_for(lambda: len(reflector.store) >= 1, "the first page is there")
        assert not reflector.has_synced

        wait_until_same(reflector, direct, namespace)
        assert reflector.snapshot().failures == 0


class Held:
    """Passes a request on when it is let go, or after so long that nobody should have waited."""

    def __init__(self):
        self.is_holding = False
        self.let_go = threading.Event()

    def __call__(self, _handler, honest):
        self.is_holding = True
        self.let_go.wait(DEADLINE_S)
        self.is_holding = False
        honest()


@pytest.mark.parametrize("of", [is_list, is_watch])
def test_stopping_does_not_wait_for_an_answer(proxy, namespace, of):
    held = Held()
    proxy.misbehave(held, of=of)
    with reflecting(proxy, namespace) as reflector:
        wait_for(lambda: held.is_holding, "it was asked")

        reflector.stop()

        assert held.is_holding
        held.let_go.set()


def test_stopping_does_not_wait_for_an_event(proxy, namespace):
    with reflecting(proxy, namespace) as reflector:
        wait_for(lambda: proxy.count(is_watch) == 1, "it watches")

        reflector.stop()

        wait_for(lambda: not reflector._thread.is_alive(), "the thread ended")


FAULTS = (
    lambda proxy: proxy.cut(),
    lambda proxy: proxy.misbehave(refused(410, reason="Expired"), of=is_watch, times=1),
    lambda proxy: proxy.misbehave(error_event(410), of=is_watch, times=1),
    lambda proxy: proxy.misbehave(refused(500), times=2),
    lambda proxy: proxy.misbehave(refused(429, Retry_After="1"), times=1),
    lambda proxy: proxy.misbehave(ended_at_once, of=is_watch, times=2),
    lambda proxy: proxy.misbehave(hung_up, times=2),
    lambda proxy: proxy.freeze(),
    lambda proxy: proxy.thaw(),
)


@pytest.mark.parametrize("seed", range(4))
def test_after_any_faults_the_store_equals_a_fresh_list(proxy, direct, namespace, seed):
    chance = random.Random(seed)
    heard = {}

    def hear(change):
        if change.new is None:
            del heard[key_of(change.old)]
        else:
            heard[key_of(change.new)] = change.new

    with reflecting(proxy, namespace, listener=hear, read_timeout_s=1.0, page=3) as reflector:
        present = set()
        for step in range(60):
            name = f"m{chance.randrange(8)}"
            if name not in present:
                direct.create(CONFIG_MAPS, config_map(namespace, name, str(step)))
                present.add(name)
            elif chance.random() < 0.5:
                direct.merge_patch(CONFIG_MAPS, name, {"data": {"v": str(step)}}, namespace)
            else:
                direct.delete(CONFIG_MAPS, name, namespace)
                present.remove(name)
            if chance.random() < 0.3:
                chance.choice(FAULTS)(proxy)
                # The change that follows comes during the fault, or during what it caused.
                time.sleep(chance.random() * 0.2)
        proxy.thaw()
        proxy.heal()

        wait_until_same(reflector, direct, namespace)
        assert {key_of(obj): obj for obj in reflector.store.items()} == heard
        # A watch a second at most because of the read timeout, and one after each wait.
        assert len(proxy.asked) < 200
