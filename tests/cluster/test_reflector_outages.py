"""A reflector while the API server restarts, stands still, loses its etcd or forgets."""

from __future__ import annotations

import urllib3

from autoscaler.errors import KubeError, NotFoundError
from autoscaler.kube.resource import CONFIG_MAPS
from tests.cluster.api_proxy import ApiProxy
from tests.cluster.reflecting import (
    DEADLINE_S,
    asking,
    config_map,
    reflecting,
    wait_for,
    wait_until_same,
)


def test_an_api_server_that_restarts_is_followed_again(own_control_plane, tmp_path):
    with (
        asking(own_control_plane) as api,
        ApiProxy(own_control_plane, tmp_path) as proxy,
        reflecting(proxy, "default") as reflector,
    ):
        reflector.wait_until_synced(DEADLINE_S)
        own_control_plane.stop_api_server()
        wait_for(lambda: reflector.snapshot().failures >= 2, "it noticed")
        own_control_plane.start_api_server()
        api.create(CONFIG_MAPS, config_map("default", "after"))

        wait_until_same(reflector, api, "default")


def test_what_a_paused_server_kept_back_arrives(own_control_plane, tmp_path):
    with (
        asking(own_control_plane) as api,
        ApiProxy(own_control_plane, tmp_path) as proxy,
        reflecting(proxy, "default", read_timeout_s=2.0) as reflector,
    ):
        reflector.wait_until_synced(DEADLINE_S)
        own_control_plane.pause_api_server()
        wait_for(lambda: reflector.snapshot().failures >= 1, "the pause was noticed")
        own_control_plane.resume_api_server()
        api.create(CONFIG_MAPS, config_map("default", "after"))

        wait_until_same(reflector, api, "default")


def test_what_happened_after_etcd_was_away_arrives(own_control_plane, tmp_path):
    with (
        asking(own_control_plane) as api,
        ApiProxy(own_control_plane, tmp_path) as proxy,
        reflecting(proxy, "default") as reflector,
    ):
        reflector.wait_until_synced(DEADLINE_S)
        own_control_plane.stop_etcd()
        proxy.cut()
        own_control_plane.start_etcd()
        wait_for(lambda: can_create(api, "after"), "the API server has its etcd back")

        wait_until_same(reflector, api, "default")


def can_create(api, name):
    try:
        api.get(CONFIG_MAPS, name, "default")
    except NotFoundError:
        api.create(CONFIG_MAPS, config_map("default", name))
    except KubeError:
        return False
    return True


def test_a_version_that_the_server_really_dropped_is_listed_anew(
    own_control_plane, tmp_path, caplog
):
    changes = []
    with (
        asking(own_control_plane) as api,
        ApiProxy(own_control_plane, tmp_path) as proxy,
        reflecting(proxy, "default", listener=changes.append) as reflector,
    ):
        api.create(CONFIG_MAPS, config_map("default", "gone"))
        wait_for(lambda: len(reflector.store) == 1, "it is known")
        proxy.freeze()
        proxy.cut()
        api.delete(CONFIG_MAPS, "gone", "default")
        newest = api.create(CONFIG_MAPS, config_map("default", "new"))
        compact(own_control_plane, int(newest["metadata"]["resourceVersion"]))
        # Its memory of what happened would answer in place of etcd.
        own_control_plane.stop_api_server()
        own_control_plane.start_api_server()
        proxy.thaw()

        wait_until_same(reflector, api, "default")
        assert reflector.snapshot().relists == 1
    deleted = [change.old["metadata"]["name"] for change in changes if change.new is None]
    assert deleted == ["gone"]
    assert "watch of configmaps: 410 Gone: too old resource version" in caplog.text


def compact(control_plane, revision):
    """Let etcd forget what was before a revision."""
    url = f"{control_plane.etcd_url}/v3/kv/compaction"
    answer = urllib3.request("POST", url, json={"revision": str(revision), "physical": True})
    assert answer.status == 200, answer.data
