"""Several kinds kept by one process, before an API server that has what a test says."""

from contextlib import contextmanager

import pytest

from autoscaler.api.control import Control, ProcessMode
from autoscaler.api.names import CONTROL_CONFIG_MAP, NAMESPACE
from autoscaler.api.object_key import ObjectKey
from autoscaler.kube.cache_set import CachedKind, CacheSet, namespace_of
from autoscaler.kube.resource import CONFIG_MAPS, JOBS, NODES, PODS
from tests.autoscaler.webhook.listed_api import ListedApi
from tests.components.processes import until

DEADLINE_S = 20.0
WORKERS = "component=worker"


class SelectingApi(ListedApi):
    """Notes what is asked for by label."""

    def __init__(self, objects):
        super().__init__(objects)
        self.selectors = {}

    def pages(self, resource, *, label_selector="", **what):
        self.selectors[resource.plural] = label_selector
        return super().pages(resource, **what)


def named_only(obj):
    return {"kind": obj["kind"], "metadata": obj["metadata"]}


KINDS = (
    CachedKind(resource=PODS, label_selector=WORKERS),
    CachedKind(resource=NODES, keep=named_only),
    CachedKind(resource=JOBS, is_metadata_only=True),
)


def stored(resource, name, namespace=None, **fields):
    metadata = {"name": name, "uid": f"uid-{name}", "resourceVersion": "1"}
    if namespace is not None:
        metadata["namespace"] = namespace
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata,
        **fields,
    }


@contextmanager
def filling(objects):
    api = SelectingApi({PODS: [], NODES: [], JOBS: [], CONFIG_MAPS: [], **objects})
    caches = CacheSet(api, KINDS, namespace=NAMESPACE)
    caches.start()
    try:
        yield caches, api
    finally:
        caches.stop()


@contextmanager
def filled(**objects):
    by_kind = {PODS: "pods", NODES: "nodes", JOBS: "jobs", CONFIG_MAPS: "config_maps"}
    given = {kind: objects.get(name, []) for kind, name in by_kind.items()}
    with filling(given) as (caches, api):
        until(lambda: caches.has_synced, what="all caches are filled", deadline_s=DEADLINE_S)
        yield caches, api


def key(resource, name, namespace="", api_version=None):
    return ObjectKey(api_version or resource.api_version, resource.kind, namespace, name)


def test_objects_are_kept_as_their_kind_says():
    node = stored(NODES, "n1", spec={"taints": []})
    with filled(nodes=[node], pods=[stored(PODS, "p", "team")]) as (caches, _):
        assert caches.store(NODES).get(None, "n1") == named_only(node)
        assert len(caches.store(PODS)) == 1
        assert caches.problems() == ()


def test_an_object_is_found_whichever_version_of_its_group_is_named():
    job = stored(JOBS, "train", "team")
    with filled(jobs=[job]) as (caches, _):
        assert caches.find(key(JOBS, "train", "team", "batch/v1beta1")) == job
        assert caches.find(key(JOBS, "train", "team", "volcano.sh/v1")) is None
        assert caches.find(key(JOBS, "train", "other")) is None


def test_only_what_a_selector_chooses_is_asked_for():
    with filled() as (_, api):
        assert api.selectors == {"pods": WORKERS, "nodes": "", "jobs": "", "configmaps": ""}
        assert [asked[0] for asked in api.asked if asked[3]] == ["jobs"]


def test_the_switches_are_those_of_the_installation():
    switches = stored(CONFIG_MAPS, CONTROL_CONFIG_MAP, NAMESPACE, data={"mode": "apply"})
    with filled(config_maps=[switches]) as (caches, api):
        assert caches.control() == Control(mode=ProcessMode.APPLY)
        assert len(caches.controls) == 1
        of_switches = [asked for asked in api.asked if asked[0] == "configmaps"]
        assert of_switches == [
            ("configmaps", NAMESPACE, f"metadata.name={CONTROL_CONFIG_MAP}", False)
        ]


def test_without_switches_nothing_is_applied():
    with filled() as (caches, _):
        assert caches.control() == Control()


def test_a_kind_that_the_server_lacks_is_named():
    api = ListedApi({PODS: [], NODES: [], CONFIG_MAPS: []})
    caches = CacheSet(api, KINDS, namespace=NAMESPACE)
    caches.start()
    try:
        problem = "jobs is no kind of this server; is this kind installed?"
        expected = (f"jobs.batch are not listed yet: {problem}",)
        until(lambda: caches.problems() == expected, what="one is missing", deadline_s=DEADLINE_S)
        assert not caches.has_synced
    finally:
        caches.stop()


def test_each_cache_is_counted():
    with filled(pods=[stored(PODS, "a", "team"), stored(PODS, "b", "team")]) as (caches, _):
        objects = {each.resource: each.objects for each in caches.counts()}
        assert objects == {"pods": 2, "nodes": 0, "jobs.batch": 0, "configmaps": 0}


def test_a_kind_that_is_not_kept_has_no_store():
    caches = CacheSet(ListedApi({}), KINDS, namespace=NAMESPACE)
    with pytest.raises(KeyError):
        caches.store(CONFIG_MAPS)
    assert caches.kind_of(key(CONFIG_MAPS, "c", "team")) is None
    assert caches.find(key(CONFIG_MAPS, "c", "team")) is None


def test_an_object_without_namespace_is_of_the_empty_one():
    assert namespace_of(stored(NODES, "n1")) == ("",)
    assert namespace_of(stored(PODS, "p", "team")) == ("team",)
