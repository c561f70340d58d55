import threading
from contextlib import contextmanager

import pytest

from autoscaler.api.control import Control, ProcessMode
from autoscaler.api.names import CONTROL_CONFIG_MAP, NAMESPACE
from autoscaler.api.object_key import ObjectKey
from autoscaler.errors import NotFoundError
from autoscaler.kube.resource import (
    CONFIG_MAPS,
    JOBS,
    POOLS,
    PRIORITY_CLASSES,
    QUOTAS,
    REPLICA_SETS,
    STATEFUL_SETS,
    WORKLOAD_PROFILES,
    WORKLOADS,
)
from autoscaler.webhook.caches import Caches, owner, workload
from autoscaler.webhook.snapshot import Installation
from tests.autoscaler.webhook.listed_api import ListedApi, SilentStream
from tests.components.processes import until

INSTALLATION = Installation(limiter_image="limiter")
NOTHING = {
    resource: []
    for resource in (
        WORKLOAD_PROFILES,
        WORKLOADS,
        POOLS,
        QUOTAS,
        PRIORITY_CLASSES,
        REPLICA_SETS,
        STATEFUL_SETS,
        JOBS,
        CONFIG_MAPS,
    )
}


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
def filled(objects):
    api = ListedApi({**NOTHING, **objects})
    caches = Caches(api, installation=INSTALLATION, namespace=NAMESPACE)
    caches.start()
    try:
        until(lambda: not caches.problems(), what="all caches are filled", deadline_s=20.0)
        yield caches
    finally:
        caches.stop()


def key(resource, name, namespace="", api_version=None):
    return ObjectKey(api_version or resource.api_version, resource.kind, namespace, name)


def test_objects_are_found_by_kind_and_name():
    profile = stored(WORKLOAD_PROFILES, "p", "team", spec={"qos": "high"})
    with filled({WORKLOAD_PROFILES: [profile]}) as caches:
        assert caches.find(key(WORKLOAD_PROFILES, "p", "team")) == profile
        assert caches.find(key(WORKLOAD_PROFILES, "p", "other")) is None
        assert caches.find(key(WORKLOADS, "p", "team")) is None


def test_a_key_may_name_another_version_of_the_group():
    job = stored(JOBS, "train", "team")
    with filled({JOBS: [job]}) as caches:
        assert caches.find(key(JOBS, "train", "team", "batch/v1beta1")) == job


def test_a_kind_of_the_same_name_in_another_group_is_another_kind():
    with filled({JOBS: [stored(JOBS, "train", "team")]}) as caches:
        assert caches.find(key(JOBS, "train", "team", "volcano.sh/v1")) is None


def test_pools_and_quotas_are_listed():
    pools = [stored(POOLS, "a"), stored(POOLS, "b")]
    quotas = [stored(QUOTAS, "q", "team"), stored(QUOTAS, "r", "other")]
    with filled({POOLS: pools, QUOTAS: quotas}) as caches:
        assert [pool["metadata"]["name"] for pool in caches.pools()] == ["a", "b"]
        assert [quota["metadata"]["name"] for quota in caches.quotas("team")] == ["q"]
        assert list(caches.quotas("third")) == []


def test_the_switches_are_those_of_the_config_map():
    switches = stored(CONFIG_MAPS, CONTROL_CONFIG_MAP, NAMESPACE, data={"mode": "apply"})
    with filled({CONFIG_MAPS: [switches]}) as caches:
        assert caches.control() == Control(mode=ProcessMode.APPLY)


def test_without_the_config_map_nothing_is_applied():
    with filled({}) as caches:
        assert caches.control() == Control()


def test_of_secrets_and_config_maps_only_ours_is_asked_for():
    api = ListedApi(NOTHING)
    caches = Caches(api, installation=INSTALLATION, namespace="elsewhere")
    caches.start()
    until(lambda: not caches.problems(), what="all caches are filled", deadline_s=20.0)
    caches.stop()

    assert [asked for asked in api.asked if asked[0] == "configmaps"] == [
        ("configmaps", "elsewhere", f"metadata.name={CONTROL_CONFIG_MAP}", False)
    ]
    assert {asked[0] for asked in api.asked if asked[3]} == {
        "replicasets",
        "statefulsets",
        "jobs",
    }


def test_a_kind_that_the_server_lacks_keeps_the_process_from_being_ready():
    objects = {resource: [] for resource in NOTHING if resource is not POOLS}
    caches = Caches(ListedApi(objects), installation=INSTALLATION, namespace=NAMESPACE)
    caches.start()
    try:
        problem = "gpupools is no kind of this server; is this kind installed?"
        expected = (f"gpupools.tensor-fusion.ai are not listed yet: {problem}",)
        until(lambda: caches.problems() == expected, what="one cache is missing", deadline_s=20.0)
    finally:
        caches.stop()


def test_of_a_workload_only_what_is_desired_is_kept_of_its_status():
    desired = {"epoch": 3, "requests": {"tflops": "10"}}
    full = stored(
        WORKLOADS,
        "w",
        "team",
        spec={"replicas": 2},
        status={"desiredResources": desired, "recommendation": {"large": "x" * 1000}},
    )
    full["metadata"]["managedFields"] = [{"manager": "x"}]

    assert workload(full) == stored(
        WORKLOADS, "w", "team", spec={"replicas": 2}, status={"desiredResources": desired}
    )


@pytest.mark.parametrize("status", [None, {}, {"phase": "Running"}])
def test_a_workload_without_anything_desired_has_no_status(status):
    assert "status" not in workload(stored(WORKLOADS, "w", "team", status=status))


def test_of_an_owner_only_who_owns_it_is_kept():
    owners = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat", "controller": True}]
    full = stored(REPLICA_SETS, "chat-7d5", "team")
    full["metadata"] |= {"ownerReferences": owners, "labels": {"a": "b"}, "annotations": {"c": "d"}}

    kept = owner(full)

    assert kept["kind"] == "ReplicaSet"
    assert kept["metadata"] == {
        "name": "chat-7d5",
        "namespace": "team",
        "uid": "uid-chat-7d5",
        "resourceVersion": "1",
        "ownerReferences": owners,
    }


def test_a_live_look_gives_what_a_cache_would_hold():
    full = stored(WORKLOADS, "w", "team", spec={}, status={"phase": "Running"})
    api = ListedApi({WORKLOADS: [full]})
    caches = Caches(api, installation=INSTALLATION, namespace=NAMESPACE)

    assert caches.look(key(WORKLOADS, "w", "team"), 0.4) == stored(WORKLOADS, "w", "team", spec={})


def test_of_an_owner_only_metadata_is_looked_at():
    api = ListedApi({JOBS: [stored(JOBS, "train", "team")]})
    caches = Caches(api, installation=INSTALLATION, namespace=NAMESPACE)

    caches.look(key(JOBS, "train", "team"), 0.4)

    assert api.asked == [("jobs", "team", "train", True)]


def test_a_kind_that_is_not_cached_is_not_looked_at():
    api = ListedApi({})
    caches = Caches(api, installation=INSTALLATION, namespace=NAMESPACE)

    with pytest.raises(NotFoundError, match=r"Rollout of argoproj\.io/v1alpha1 is not looked at"):
        caches.look(ObjectKey("argoproj.io/v1alpha1", "Rollout", "team", "r"), 0.4)
    assert api.asked == []


def test_caches_are_stopped_beside_one_another():
    """Each may wait for a thread that still connects, and the process has not much time to end."""
    all_stop = threading.Barrier(len(NOTHING))

    class MeetingStream(SilentStream):
        def __iter__(self):
            read.append(self)
            return self

        def close(self):
            if not threading.current_thread().name.startswith("reflector-"):
                # One that nobody joins is broken, and raises.
                all_stop.wait(20.0)
            super().close()

    class MeetingApi(ListedApi):
        def watch(self, _resource, **_):
            return MeetingStream()

    read = []
    caches = Caches(MeetingApi(NOTHING), installation=INSTALLATION, namespace=NAMESPACE)
    caches.start()
    until(lambda: len(read) == len(NOTHING), what="all streams are read")

    caches.stop()
