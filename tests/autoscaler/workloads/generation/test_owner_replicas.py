"""How many replicas the owners of a workload ask for."""

from autoscaler.api.root_owner import owners_of
from autoscaler.workloads.generation.owner_replicas import owner_replicas
from autoscaler.workloads.generation.pod_owners import pods_by_owner
from tests.autoscaler.workloads.objects import TEAM, worker
from tests.autoscaler.workloads.owning import (
    deployment,
    finder,
    of_kind,
    pod_of,
    reference,
    replica_set,
)

WEB = deployment("web", replicas=5)
WEB_1 = replica_set(WEB)


def replicas(*pods, cached=(WEB, WEB_1), without_pods=()):
    find = finder(*cached, *pods)
    groups, _ = pods_by_owner(pods, find, {})
    further = owners_of({"metadata": {"ownerReferences": list(map(reference, without_pods))}})
    return owner_replicas(groups, further, TEAM, find)


def test_a_deployment_says_its_own_number_however_many_pods_there_are():
    assert replicas(pod_of(WEB_1), pod_of(WEB_1, "b")) == 5


def test_a_deployment_without_a_number_has_one_replica():
    web = deployment("web", replicas=None)
    assert replicas(pod_of(replica_set(web)), cached=(web, replica_set(web))) == 1


def test_of_a_job_and_of_bare_pods_those_that_live_are_counted():
    job = of_kind("Job", "train", spec={"parallelism": 7})
    pods = (
        pod_of(job),
        pod_of(job, "b", phase="Succeeded"),
        pod_of(job, "c", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
        worker("bare", workload="web"),
    )
    assert replicas(*pods, cached=(job,)) == 2


def test_owners_that_share_a_workload_are_added_up():
    stateful = of_kind("StatefulSet", "db", api_version="apps/v1", spec={"replicas": 3})
    pods = (pod_of(WEB_1), pod_of(stateful), worker("bare", workload="web"))
    assert replicas(*pods, cached=(WEB, WEB_1, stateful)) == 9


def test_an_owner_without_pods_counts_once_and_one_that_is_gone_not_at_all():
    assert replicas(without_pods=(WEB,)) == 5
    assert replicas(pod_of(WEB_1), without_pods=(WEB,)) == 5
    assert replicas(without_pods=(deployment("web", uid="former"),)) == 0
