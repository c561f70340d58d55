import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.sources.prometheus.owners import (
    Owner,
    exact_owners,
    owner_of,
    owner_query,
    stated_owners,
    workload_by_name,
)
from autoscaler.sources.prometheus.promql import Matcher

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z]*[aeiou][a-z0-9]*){0,2}", fullmatch=True)
"""Names of workloads whose last part is a word: with a vowel, and so no suffix of Kubernetes."""
RANDOM = st.text(ALPHABET, min_size=5, max_size=5)
ORDINALS = st.integers(0, 999)
DUE_MINUTES = st.integers(27_000_000, 35_000_000)


def safe_encoded(text):
    """Encode as Kubernetes' ``SafeEncodeString`` does."""
    return "".join(ALPHABET[ord(char) % len(ALPHABET)] for char in text)


HASHES = st.integers(10**6, 2**32 - 1).map(str).map(safe_encoded)


def owned(namespace, pod, kind, name, **labels):
    return {
        "namespace": namespace,
        "pod": pod,
        "owner_kind": kind,
        "owner_name": name,
        "owner_is_controller": "true",
    } | labels


@given(NAMES, HASHES, RANDOM)
def test_a_pod_of_a_deployment_belongs_to_it(name, pod_hash, suffix):
    assert workload_by_name(f"{name}-{pod_hash}-{suffix}") == name


@given(NAMES, ORDINALS)
def test_a_pod_of_a_stateful_set_belongs_to_it(name, ordinal):
    assert workload_by_name(f"{name}-{ordinal}") == name


@given(NAMES, DUE_MINUTES, RANDOM)
def test_a_pod_of_a_cron_job_belongs_to_it(name, due_minutes, suffix):
    assert workload_by_name(f"{name}-{due_minutes}-{suffix}") == name


@given(NAMES, RANDOM)
def test_a_pod_of_a_job_or_daemon_set_belongs_to_it(name, suffix):
    assert workload_by_name(f"{name}-{suffix}") == name


@given(NAMES, ORDINALS, RANDOM)
def test_a_pod_of_an_indexed_job_belongs_to_it(name, index, suffix):
    assert workload_by_name(f"{name}-{index}-{suffix}") == name


@given(NAMES)
def test_a_bare_pod_is_its_own_workload(name):
    assert workload_by_name(name) == name


@pytest.mark.parametrize(
    "pod",
    [
        "llama-70b",
        "train-2024",
        "run-20240131",
        "whisper-large",
        "model-v1x2y",
        "5d7f9c8b64-abcde",
        "-x2k4z",
        "x2k4z",
        "0",
        "",
    ],
)
def test_a_name_that_fits_no_rule_is_left_alone(pod):
    assert workload_by_name(pod) == pod


@given(NAMES, HASHES, RANDOM)
def test_kube_state_metrics_and_the_name_agree_on_a_deployment(name, pod_hash, suffix):
    pod = f"{name}-{pod_hash}-{suffix}"
    exact = exact_owners([owned("a", pod, "ReplicaSet", f"{name}-{pod_hash}")])
    assert exact == {("a", pod): Owner(workload_by_name(pod), "Deployment")}


@pytest.mark.parametrize(
    ("kind", "owner", "expected"),
    [
        ("ReplicaSet", "web-5d7f9c8b64", Owner("web", "Deployment")),
        ("ReplicaSet", "web", Owner("web", "ReplicaSet")),
        ("ReplicaSet", "llama-70b", Owner("llama-70b", "ReplicaSet")),
        ("StatefulSet", "db-2", Owner("db-2", "StatefulSet")),
        ("Job", "nightly-28912345", Owner("nightly", "CronJob")),
        ("Job", "train-2024", Owner("train-2024", "Job")),
        ("DaemonSet", "probe", Owner("probe", "DaemonSet")),
        ("TensorFusionWorkload", "chat", Owner("chat", "TensorFusionWorkload")),
        ("Node", "gpu-node-7", Owner("pod-1", "Pod")),
        ("<none>", "<none>", Owner("pod-1", "Pod")),
        ("", "", Owner("pod-1", "Pod")),
    ],
)
def test_an_owner_is_followed_to_the_workload_and_its_kind(kind, owner, expected):
    assert exact_owners([owned("a", "pod-1", kind, owner)]) == {("a", "pod-1"): expected}


def test_an_owner_is_shown_with_its_kind_where_that_is_known():
    assert (str(Owner("chat", "Deployment")), str(Owner("chat"))) == ("Deployment/chat", "")


def test_of_several_owners_the_controller_counts():
    other = owned("a", "p", "Workflow", "other", owner_is_controller="false")
    real = owned("a", "p", "StatefulSet", "real")
    expected = {("a", "p"): Owner("real", "StatefulSet")}
    assert (exact_owners([other, real]), exact_owners([real, other])) == (expected, expected)


def test_labels_that_a_scrape_renamed_are_read():
    series = owned("monitoring", "kube-state-metrics-0", "Job", "train") | {
        "exported_namespace": "team",
        "exported_pod": "train-x2k4z",
    }
    assert exact_owners([series]) == {("team", "train-x2k4z"): Owner("train", "Job")}


def test_series_without_a_pod_say_nothing():
    assert exact_owners([{}, owned("", "p", "Job", "j"), owned("a", "", "Job", "j")]) == {}


def test_the_exact_owner_wins_over_the_name():
    known = {("a", "llm-0"): Owner("llm-of-a")}
    look_up = owner_of(known)
    assert (look_up("a", "llm-0"), look_up("b", "llm-0")) == ("llm-of-a", "llm")
    known["b", "llm-0"] = Owner("llm-of-b", "StatefulSet")
    assert look_up("b", "llm-0") == "llm-of-b"


def test_series_that_state_worker_and_workload_are_exact_too():
    whole = {"namespace": "a", "worker": "w-0", "workload": "w", "qos": "high"}
    found = stated_owners([whole, {"worker": "x"}, whole | {"workload": ""}])
    assert found == {("a", "w-0"): Owner("w")}


def test_owners_are_asked_for_all_pods_in_one_query():
    assert owner_query(86400, [Matcher("cluster", "prod")]) == (
        "max by (exported_namespace,namespace,exported_pod,pod,owner_kind,owner_name,"
        'owner_is_controller) (last_over_time(kube_pod_owner{cluster="prod"}[86400s] offset 1ms))'
    )
