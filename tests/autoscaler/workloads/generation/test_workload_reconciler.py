"""One look at a workload."""

from dataclasses import replace

import pytest

from autoscaler.errors import ApiUnavailableError
from autoscaler.kube.lanes import Priority
from autoscaler.kube.writer import NotLeadingError
from autoscaler.workloads.adjusting.adjusted import Adjusted
from autoscaler.workloads.work import WorkKey, WorkKind
from tests.autoscaler.workloads.objects import TEAM, workload
from tests.autoscaler.workloads.owning import deployment, pod_of, replica_set
from tests.autoscaler.workloads.workload_world import WorkersDouble, WorkloadWorld

WEB = deployment("web")
WEB_1 = replica_set(WEB)
KEY = WorkKey(WorkKind.WORKLOAD, TEAM, "web")


def pod(suffix="a", **fields):
    return pod_of(WEB_1, suffix, created="2025-12-31T00:00:00Z", **fields)


def test_nothing_happens_where_there_is_neither_workload_nor_pod():
    here = WorkloadWorld()
    assert here.look() is None
    assert (here.writes(), here.adjusting.asked, here.box.work.added) == ([], [], [])


def test_workers_are_adjusted_by_the_workload_as_it_became():
    here = WorkloadWorld(WEB, WEB_1, pod())
    here.look()
    [(adjusted, pods)] = here.adjusting.asked
    assert adjusted["spec"]["poolName"] == "pool"
    assert [each["metadata"]["name"] for each in pods] == ["web-1-a"]


def test_where_workers_are_left_the_workload_is_looked_at_again_at_once():
    here = WorkloadWorld(WEB, WEB_1, pod())
    here.adjusting.answer = Adjusted(
        applied=None, state=None, replicas_with_all=None, has_more=True
    )
    here.look()
    assert here.box.work.added == [(KEY, Priority.RAISE)]


def test_what_is_said_of_raised_workers_waits_until_others_had_their_turn():
    here = WorkloadWorld(WEB, WEB_1, pod())
    here.look()
    before = here.workload()
    raised = Adjusted(
        applied={"epoch": 1, "sequence": 1, "workers": 1},
        state=None,
        replicas_with_all=1,
        has_more=False,
        has_raised=True,
    )
    here.adjusting.answer = raised
    here.look()
    assert here.box.work.added == [(KEY, Priority.STATUS)]
    assert here.workload() == before

    here.adjusting.answer = replace(raised, has_raised=False)
    assert here.look()["status"]["applied"] == raised.applied


def test_a_pod_whose_owner_is_not_shown_yet_is_looked_at_again():
    here = WorkloadWorld(pod())
    assert here.look() is None
    assert [key for key, _ in here.box.work.delayed] == [KEY]
    here.add(WEB, WEB_1)
    assert here.look()["metadata"]["ownerReferences"][0]["name"] == "web"


def test_a_workload_that_is_being_deleted_gets_its_status_and_nothing_else():
    here = WorkloadWorld(WEB, WEB_1, pod())
    here.look()
    here.adjusting.asked.clear()
    going = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    here.edit("TensorFusionWorkload", "web", lambda obj: obj["metadata"].update(going))
    here.edit("Deployment", "web", lambda obj: obj["spec"].update(replicas=7))
    here.writes()
    here.look()
    assert here.workload()["spec"]["replicas"] == 2
    assert here.adjusting.asked == []
    assert here.conditions()["Ready"][2] == "Ready workers: 0/7"


def test_embedded_workloads_have_no_worker_pods():
    workers = WorkersDouble(None)
    here = WorkloadWorld(WEB, WEB_1, pod(), workers=workers)
    here.look()
    assert workers.asked == []


def test_a_workload_that_was_deleted_by_mistake_is_made_again():
    here = WorkloadWorld(WEB, WEB_1, pod())
    here.look()
    here.remove("TensorFusionWorkload", "web")
    assert here.look()["spec"]["poolName"] == "pool"


def test_a_workload_of_a_user_without_pods_has_a_status():
    here = WorkloadWorld(workload("web"))
    assert here.look()["status"]["phase"] == "Pending"


def test_who_does_not_lead_writes_nothing():
    here = WorkloadWorld(WEB, WEB_1, pod())
    here.box.is_leader = False
    with pytest.raises(NotLeadingError):
        here.reconciler.reconcile(TEAM, "web")
    assert here.writes() == []


def test_an_api_server_that_does_not_answer_is_the_caller_s_to_retry():
    def fail(method, path):
        raise ApiUnavailableError("no answer in time")

    here = WorkloadWorld(WEB, WEB_1, pod())
    here.api.before = fail
    with pytest.raises(ApiUnavailableError):
        here.reconciler.reconcile(TEAM, "web")
