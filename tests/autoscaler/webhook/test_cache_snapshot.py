from hypothesis import given
from hypothesis import strategies as st

from autoscaler.api.control import Control, ProcessMode
from autoscaler.api.object_key import ObjectKey
from autoscaler.webhook.cache_snapshot import CacheSnapshot, CompletedSnapshot, oldest_first
from tests.autoscaler.webhook.lookups import INSTALLATION, Changing


def key(kind, name, namespace=""):
    return ObjectKey("tensor-fusion.ai/v1", kind, namespace, name)


def pool(name, created="2026-01-01T00:00:00Z"):
    return {"metadata": {"name": name, "creationTimestamp": created}}


def test_a_snapshot_shows_what_the_caches_hold():
    lookups = Changing()
    lookups.objects[key("WorkloadProfile", "p", "team")] = {"spec": {}}
    lookups.switches = Control(mode=ProcessMode.APPLY)

    snapshot = CacheSnapshot(lookups)

    assert snapshot.installation is INSTALLATION
    assert snapshot.control.mode is ProcessMode.APPLY
    assert snapshot.find(key("WorkloadProfile", "p", "team")) == {"spec": {}}
    assert snapshot.find(key("WorkloadProfile", "p", "other")) is None


def test_the_same_question_has_the_same_answer_while_the_caches_change():
    lookups = Changing()
    snapshot = CacheSnapshot(lookups)
    asked = key("GPUPool", "p")

    def answers():
        return snapshot.find(asked), snapshot.control, snapshot.pools(), snapshot.quotas("team")

    before = answers()
    lookups.objects[asked] = pool("p")
    lookups.all_pools.append(pool("p"))
    lookups.all_quotas.append({"metadata": {"namespace": "team", "name": "q"}})
    lookups.switches = Control(is_paused=True)

    assert answers() == before
    assert CacheSnapshot(lookups).find(asked) == pool("p")


def test_pools_come_by_age_and_then_by_name():
    lookups = Changing()
    lookups.all_pools = [
        pool("new", "2026-05-01T00:00:00Z"),
        pool("b"),
        pool("a"),
    ]

    found = CacheSnapshot(lookups).pools()

    assert [each["metadata"]["name"] for each in found] == ["a", "b", "new"]


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_of_pools_does_not_depend_on_the_caches(names):
    assert oldest_first(map(pool, names)) == oldest_first(map(pool, sorted(names)))


def test_quotas_come_by_name():
    lookups = Changing()
    lookups.all_quotas = [{"metadata": {"namespace": "team", "name": name}} for name in "cab"]

    found = CacheSnapshot(lookups).quotas("team")

    assert [each["metadata"]["name"] for each in found] == ["a", "b", "c"]


def test_a_completed_snapshot_adds_what_was_looked_at():
    lookups = Changing()
    lookups.all_pools = [pool("new", "2026-05-01T00:00:00Z")]
    lookups.objects[key("GPUPool", "new")] = lookups.all_pools[0]
    added = {
        key("GPUPool", "old"): pool("old"),
        key("WorkloadProfile", "p", "team"): {"spec": {}},
    }

    completed = CompletedSnapshot(CacheSnapshot(lookups), added)

    assert completed.find(key("WorkloadProfile", "p", "team")) == {"spec": {}}
    assert completed.find(key("GPUPool", "new")) == lookups.all_pools[0]
    assert [each["metadata"]["name"] for each in completed.pools()] == ["old", "new"]
    assert completed.installation is INSTALLATION
    assert completed.control == Control()
    assert completed.quotas("team") == ()


def test_a_pool_that_was_looked_at_takes_the_place_of_the_cached_one():
    lookups = Changing()
    lookups.all_pools = [pool("p", "2026-01-01T00:00:00Z")]
    newer = pool("p", "2026-02-02T00:00:00Z")

    completed = CompletedSnapshot(CacheSnapshot(lookups), {key("GPUPool", "p"): newer})

    assert completed.pools() == (newer,)
