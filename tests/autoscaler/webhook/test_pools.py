"""Which pool a pod gets, and which rule of it speaks for the pod."""

from autoscaler.api.names import PAUSED, PREFIX
from tests.autoscaler.webhook.asking import AMOUNTS, admitted, asking
from tests.autoscaler.webhook.clusters import (
    APPLY,
    MemorySnapshot,
    cluster,
    pool,
    profile,
    workload,
)

POOLS = (pool(), *(pool(name, is_default=False) for name in ("a", "b", "c")))


def pool_of(snapshot, **values):
    return admitted(asking(**AMOUNTS, **values), snapshot).annotations["gpupool"]


def test_annotation_then_workload_then_profile_then_the_default_pool():
    snapshot = cluster(*POOLS, profile(poolName="c"), workload("job", poolName="b"))
    assert pool_of(snapshot) == "default-pool"
    assert pool_of(snapshot, workload_profile="small") == "c"
    joined = {"workload_profile": "small", "generate_workload": "false"}
    assert pool_of(snapshot, **joined) == "b"
    assert pool_of(snapshot, gpupool="a", **joined) == "a"


def test_the_oldest_default_pool_wins():
    snapshot = MemorySnapshot(objects=(pool("old"), pool("new")))
    assert pool_of(snapshot) == "old"


def test_the_pool_is_a_label_too():
    assert admitted(asking(**AMOUNTS)).labels["gpupool"] == "default-pool"


def test_a_paused_pool_admits_pods():
    paused = pool()
    paused["metadata"]["annotations"][PAUSED] = "true"
    assert pool_of(cluster(paused)) == "default-pool"


def rule(name, selector=None, limit=None, **block):
    config = {"autoScalingConfig": {"autoSetLimits": {"enable": True, **block}}}
    return {"name": name, **({} if selector is None else {"podSelector": selector}), **config}


def limit_of(rules, labels):
    """Return the limit of a pod whose workload was raised to 30 TFLOPS."""
    snapshot = cluster(
        pool(rules=rules), workload("job", {"limits": {"tflops": "30"}}), control=APPLY
    )
    obj = asking(tflops_limit="20", labels=labels)
    return admitted(obj, snapshot).amounts()["tflops-limit"]


WEB = {"matchLabels": {"app": "web"}}


def test_a_rule_enrols_the_pods_that_it_selects():
    assert limit_of([rule("web", WEB)], {"app": "web"}) == "30"
    assert limit_of([rule("web", WEB)], {"app": "batch"}) == "20"


def test_the_first_rule_that_selects_a_pod_counts():
    held = rule("held", WEB, mode="recommend")
    assert limit_of([held, rule("all", {})], {"app": "web"}) == "20"
    assert limit_of([rule("all", {}), held], {"app": "web"}) == "30"


def test_a_rule_without_selector_is_for_every_pod():
    assert limit_of([rule("all")], {}) == "30"


def test_labels_of_the_system_select_nothing():
    by_pool = {"matchExpressions": [{"key": f"{PREFIX}gpupool", "operator": "Exists"}]}
    assert limit_of([rule("ours", by_pool)], {f"{PREFIX}gpupool": "default-pool"}) == "20"
