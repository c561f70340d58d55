"""Whom a workload belongs to, and whose settings count."""

from itertools import permutations

import pytest

from autoscaler.api.names import API_VERSION, GENERATE_WORKLOAD
from autoscaler.workloads.generation.workload_owners import MOST_OWNERS, workload_owners
from tests.autoscaler.workloads.objects import TEAM, owned, worker, workload
from tests.autoscaler.workloads.owning import (
    deployment,
    finder,
    generated,
    of_kind,
    pod_of,
    reference,
    replica_set,
)

EARLY, LATE, LATEST = (f"2026-01-01T00:0{minute}:00Z" for minute in range(3))
WEB = deployment("web")
WEB_1, WEB_2 = replica_set(WEB, "1"), replica_set(WEB, "2")
API = deployment("api")
API_1 = replica_set(API)
CACHED = (WEB, WEB_1, WEB_2, API, API_1)
NO_WORKLOAD = {GENERATE_WORKLOAD: " False "}


def owners(*pods, present=None, cached=CACHED, name="web"):
    return workload_owners(present, (TEAM, name), pods, finder(*cached, *pods), {})


def names(found):
    return [each["name"] for each in found.references]


def test_a_workload_belongs_to_the_root_owner_and_follows_its_newest_pod():
    found = owners(pod_of(WEB_1, created=EARLY), pod_of(WEB_2, created=LATE))
    assert found.generated_from == "Deployment.apps/web"
    assert found.references == (reference(WEB),)
    assert found.first.newest["metadata"]["name"] == "web-2-a"
    assert (found.may_create, found.is_complete, found.conflict) == (True, True, "")


@pytest.mark.parametrize(
    "key", ["deployment.kubernetes.io/revision", "rollout.argoproj.io/revision"]
)
@pytest.mark.parametrize("lower", ["2", "", "many", "9" * 5000, "\u0663", None])
def test_of_pods_of_one_second_the_one_of_the_newest_template_is_followed(key, lower):
    """Names have random ends, and times whole seconds."""
    older = replica_set(WEB, "z", annotations={} if lower is None else {key: lower})
    newer = replica_set(WEB, "a", annotations={key: "10"})

    for pods in permutations((pod_of(older), pod_of(newer))):
        found = owners(*pods, cached=(WEB, older, newer))
        assert found.first.newest["metadata"]["name"] == "web-a-a"


def test_a_later_second_counts_more_than_a_newer_template():
    found = owners(pod_of(WEB_2, created=EARLY), pod_of(WEB_1, created=LATE))
    assert found.first.newest["metadata"]["name"] == "web-1-a"


def test_a_bare_pod_owns_its_workload_itself():
    pod = worker("job")
    found = owners(pod, name="job")
    assert found.generated_from == "Pod/job"
    assert found.references == (reference(pod),)


def test_an_owner_of_a_kind_that_is_not_cached_is_taken_from_the_pod():
    daemons = of_kind("DaemonSet", "web", api_version="apps/v1")
    found = owners(pod_of(daemons))
    assert found.references == (reference(daemons),)
    assert found.may_create


def test_a_pod_of_a_node_itself_is_owned_by_the_node():
    mirror = pod_of(of_kind("Node", "n1", api_version="v1"))
    assert owners(mirror).generated_from == "Node/n1"


def test_pods_that_end_or_go_are_not_followed_where_there_is_another_one():
    going = {"deletionTimestamp": LATEST}
    found = owners(
        pod_of(WEB_1, created=EARLY),
        pod_of(WEB_1, "b", created=LATE, phase="Failed"),
        pod_of(WEB_1, "c", created=LATEST, metadata=going),
    )
    assert found.first.newest["metadata"]["name"] == "web-1-a"


def test_nothing_is_made_for_pods_that_have_all_ended():
    found = owners(pod_of(WEB_1, phase="Succeeded"))
    assert not found.may_create
    assert found.first.newest is None


def test_nothing_is_made_for_an_owner_that_is_about_to_go():
    going = deployment("web", deletionTimestamp=LATE)
    found = owners(pod_of(WEB_1), cached=(going, WEB_1))
    assert not found.may_create


def test_pods_that_join_an_existing_workload_neither_make_nor_own_it():
    found = owners(pod_of(WEB_1, annotations=NO_WORKLOAD))
    assert found.references == ()
    assert not found.may_create
    assert [each.owner.name for each in found.of_pods] == ["web"]


def test_worker_pods_of_the_controller_do_not_own_their_workload():
    made_for = of_kind("TensorFusionWorkload", "web", api_version=API_VERSION)
    found = owners(owned(worker("web-tf-worker-1", workload="web"), made_for))
    assert (found.of_pods, found.references, found.is_complete) == ((), (), True)


def test_a_second_owner_that_names_the_workload_is_listed_and_changes_nothing():
    found = owners(
        pod_of(API_1, created=LATE), pod_of(WEB_1, created=EARLY), present=generated("web", WEB)
    )
    assert names(found) == ["web", "api"]
    assert found.generated_from == "Deployment.apps/web"
    assert found.first.owner.name == "web"
    assert found.conflict == ""


def test_of_several_owners_of_a_new_workload_the_one_with_the_oldest_pod_is_the_first():
    found = owners(pod_of(API_1, created=LATE), pod_of(WEB_1, created=EARLY), name="shared")
    assert names(found) == ["web", "api"]


def test_the_first_owner_stays_the_first_without_pods():
    """A Deployment that is scaled to zero comes back."""
    found = owners(pod_of(API_1), present=generated("web", WEB))
    assert found.generated_from == "Deployment.apps/web"
    assert found.first is None
    assert names(found) == ["web", "api"]


def test_when_the_first_owner_is_gone_the_next_one_is_followed():
    found = owners(pod_of(API_1), present=generated("web", WEB), cached=(API, API_1))
    assert found.generated_from == "Deployment.apps/api"
    assert found.first.owner.name == "api"
    assert names(found) == ["api"]


def test_when_all_owners_are_gone_their_references_stay_so_that_the_workload_goes_too():
    found = owners(present=generated("web", WEB), cached=())
    assert found.references == (reference(WEB),)
    assert not found.may_create


def test_an_owner_that_was_made_anew_is_followed_under_its_new_uid():
    anew = deployment("web", uid="another")
    found = owners(
        pod_of(replica_set(anew), created=LATE),
        present=generated("web", WEB),
        cached=(anew, replica_set(anew)),
    )
    assert found.references == (reference(anew),)
    assert found.first.owner.uid == "another"


def test_while_an_owner_is_not_shown_yet_nothing_is_dropped_and_nothing_is_made():
    found = owners(pod_of(WEB_1), cached=())
    assert (found.is_complete, found.may_create, found.references) == (False, False, ())
    found = owners(pod_of(API_1), pod_of(WEB_1), present=generated("web", WEB), cached=(API, API_1))
    assert not found.is_complete
    assert names(found) == ["api", "web"]


def test_a_pod_whose_owner_s_owner_is_not_shown_yet_waits_too():
    assert not owners(pod_of(WEB_1), cached=(WEB_1,)).is_complete


def test_an_owner_whose_workload_has_this_name_by_chance_owns_nothing():
    """A StatefulSet ``web`` gives ``web-statefulset``, as a Deployment of that name does."""
    first = deployment("web-statefulset")
    first_1 = replica_set(first)
    stranger = of_kind("StatefulSet", "web", api_version="apps/v1")
    found = owners(
        pod_of(first_1, created=EARLY),
        pod_of(stranger, created=LATE),
        cached=(first, first_1, stranger),
        name="web-statefulset",
    )
    assert names(found) == ["web-statefulset"]
    assert found.conflict == (
        "the settings of Deployment web-statefulset count; pods of StatefulSet web, whose "
        "workload happens to be called web-statefulset too, are counted here and change nothing: "
        "name another workload in annotation tensor-fusion.ai/workload of their template"
    )


def test_a_workload_that_a_user_wrote_belongs_to_whom_its_user_says():
    own = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "1"}]
    found = owners(pod_of(WEB_1), present=workload("web", metadata={"ownerReferences": own}))
    assert found.references == tuple(own)
    assert (found.first, found.generated_from) == (None, "")
    assert [each.owner.name for each in found.of_pods] == ["web"]


def test_the_order_of_pods_changes_nothing():
    pods = (pod_of(WEB_1), pod_of(API_1), pod_of(WEB_2, "b"), worker("bare", workload="web"))
    assert owners(*pods) == owners(*reversed(pods))


def test_not_more_owners_are_written_down_than_a_workload_may_have():
    pods = [worker(f"bare-{number}", workload="web") for number in range(MOST_OWNERS + 5)]
    found = owners(*pods)
    assert len(found.references) == MOST_OWNERS
