"""The controller's part of the status of a workload, as one look writes it."""

import json

from autoscaler.api.condition_reasons import AppliedReason
from autoscaler.api.names import GENERATE_WORKLOAD, MODE, PREFIX
from autoscaler.api.workload import TensorFusionWorkload
from autoscaler.workloads.adjusting.adjusted import Adjusted, AppliedState
from autoscaler.workloads.placement.shortage import Shortage
from autoscaler.workloads.worker_pods.worker_pods_result import WorkerPodsResult, WorkersProblem
from tests.autoscaler.workloads.objects import placed, workload
from tests.autoscaler.workloads.owning import deployment, of_kind, pod_of, replica_set
from tests.autoscaler.workloads.workload_world import WorkersDouble, WorkloadWorld

WEB = deployment("web", replicas=2)
WEB_1 = replica_set(WEB)
EARLY = "2025-12-31T00:00:00Z"


def world(*objects, **fields):
    return WorkloadWorld(WEB, WEB_1, *objects, **fields)


def pod(suffix="a", owner=WEB_1, **fields):
    return pod_of(owner, suffix, **{"created": EARLY, **fields})


def applied(**fields):
    state = AppliedState(is_true=False, reason=AppliedReason.CAPPED, message="1 of 2 workers")
    made = {"epoch": 1, "sequence": 2, "workers": 2, "capped": []}
    whole = {"applied": made, "state": state, "replicas_with_all": 1, "has_more": False}
    return Adjusted(**{**whole, **fields})


def test_the_status_says_all_that_is_known_and_is_valid():
    here = world(pod("a"), pod("b"))
    here.adjusting.answer = applied()
    shown = here.look()
    status = dict(shown["status"])
    effective, conditions = status.pop("effective"), status.pop("conditions")
    assert status == {
        "phase": "Pending",
        "observedGeneration": 1,
        "workerCount": 2,
        "readyWorkers": 0,
        "replicas": 2,
        "readyReplicas": 0,
        "workerStatuses": [
            {"workerName": "web-1-a", "workerPhase": "Pending"},
            {"workerName": "web-1-b", "workerPhase": "Pending"},
        ],
        "selector": "tensor-fusion.ai/component=worker,tensor-fusion.ai/workload=web",
        "owners": [
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": "web",
                "uid": "uid-of-deployment-web",
            }
        ],
        "applied": {"epoch": 1, "sequence": 2, "workers": 2, "capped": []},
        "appliedRecommendedReplicas": 1,
    }
    assert effective["tflops-request"]["value"] == "10"
    assert {each["type"] for each in conditions} == {"Ready", "Placed", "DesiredApplied"}
    assert TensorFusionWorkload.from_object(shown).to_object() == shown


def test_counts_of_zero_are_said_too():
    here = world(pod())
    here.look()
    here.edit("Deployment", "web", lambda obj: obj["spec"].update(replicas=0))
    here.remove("Pod", "web-1-a")
    status = here.look()["status"]
    assert (status["workerCount"], status["replicas"], status["readyReplicas"]) == (0, 0, 0)
    assert here.conditions()["Ready"][:2] == ("False", "ScaledToZero")
    assert "workerStatuses" not in status


def test_the_status_of_the_autoscaler_stays():
    here = world(pod())
    here.look()
    theirs = {"recommendation": {"requests": {"tflops": "5"}}, "guard": {"changesToday": 1}}
    here.edit("TensorFusionWorkload", "web", lambda obj: obj["status"].update(theirs))
    here.edit("Deployment", "web", lambda obj: obj["spec"].update(replicas=5))
    status = here.look()["status"]
    assert {key: status[key] for key in theirs} == theirs


def test_a_condition_keeps_its_time_while_its_status_does():
    here = world(pod())
    here.look()
    here.box.advance(3600)
    here.add(pod("b"))
    here.look()
    times = {each["lastTransitionTime"] for each in here.workload()["status"]["conditions"]}
    assert times == {"2026-01-01T00:00:00Z"}


def test_what_is_not_said_any_more_is_taken_away():
    here = world(pod())
    here.adjusting.answer = applied()
    here.look()
    here.adjusting.answer = applied(applied=None, state=None, replicas_with_all=None)
    status = here.look()["status"]
    assert {"applied", "appliedRecommendedReplicas"}.isdisjoint(status)
    assert "DesiredApplied" not in here.conditions()


def test_shortages_of_workers_are_told():
    here = world(pod())
    here.placements.shortages["uid-of-pod-web-1-a"] = Shortage(
        reason="NoGPUAvailable", message="pool pool has no GPUs", missing_gpus=1, gpu_model=""
    )
    here.look()
    assert here.conditions()["Placed"] == (
        "False",
        "NoGPUAvailable",
        "1 of 1 workers lack their GPUs: pool pool has no GPUs",
    )


def test_somebody_with_the_same_derived_name_is_told_once_and_is_no_owner():
    stateful = of_kind("StatefulSet", "web", api_version="apps/v1")
    other = deployment("web-statefulset")
    here = WorkloadWorld(other, replica_set(other), stateful)
    here.add(
        pod("a", replica_set(other), workload="web-statefulset"),
        pod("b", stateful, workload="web-statefulset", created="2025-12-31T05:00:00Z"),
    )
    here.look("web-statefulset")
    here.look("web-statefulset")
    status = here.workload("web-statefulset")["status"]
    assert [owner["kind"] for owner in status["owners"]] == ["Deployment"]
    assert status["workerCount"] == 2
    assert here.conditions("web-statefulset")["OwnerConflict"][:2] == ("True", "OwnerConflict")
    assert [event[2] for event in here.box.told()].count("OwnerConflict") == 1


def test_pods_that_join_a_workload_are_owned_by_somebody_who_is_listed():
    join = {GENERATE_WORKLOAD: "false"}
    here = world(pod(annotations=join), workload("web", replicas=1))
    assert [owner["name"] for owner in here.look()["status"]["owners"]] == ["web"]


def test_scaling_to_zero_is_kept_and_said_not_to_be_acted_on():
    freeze = {"scaleToZero": {"autoFreeze": [{"qos": "low", "enable": True}]}}
    here = world(pod(), workload("web", autoScalingConfig=freeze))
    here.look()
    assert here.conditions()["ScaleToZeroUnsupported"] == (
        "True",
        "NotActedOn",
        "autoScalingConfig.scaleToZero is kept and not acted on yet",
    )


def test_the_worker_pods_of_a_remote_workload_are_counted_against_what_is_wanted():
    workers = WorkersDouble(WorkerPodsResult(wanted=3, template_hash="abc"))
    client = pod(annotations={MODE: "remote"}, labels={f"{PREFIX}component": "client"}, gates=())
    here = world(client, workers=workers)
    status = here.look()["status"]
    assert workers.asked == ["web"]
    assert status["podTemplateHash"] == "abc"
    assert status["workerCount"] == 0
    assert here.conditions()["Ready"] == ("False", "WaitingForWorkers", "Ready workers: 0/3")
    assert "Placed" not in here.conditions()


def test_why_worker_pods_are_not_made_is_said():
    problem = WorkersProblem("WorkersNotCreated", "no image")
    result = WorkerPodsResult(wanted=3, template_hash="", problem=problem, again_s=30.0)
    here = world(pod(annotations={MODE: "remote"}), workers=WorkersDouble(result))
    here.look()
    assert here.conditions()["Ready"] == ("False", "WorkersNotCreated", "no image")
    assert [delay_s for _, delay_s in here.box.work.delayed] == [30.0]


def test_an_installation_without_worker_pods_says_so():
    client = pod(annotations={MODE: "remote"}, labels={f"{PREFIX}component": "client"}, gates=())
    here = world(client)
    here.look()
    text = "this installation runs no worker pods (--standalone-workers is off)"
    assert here.conditions()["Ready"] == ("False", "WorkersNotCreated", text)
    told = ("TensorFusionWorkload", "web", "WorkersNotCreated", text)
    assert told in here.box.told()


def test_the_status_of_a_large_workload_is_as_small_as_it_can_be():
    web = deployment("web", replicas=1000)
    pods = [
        placed(f"web-{i}", workload="web", metadata={"creationTimestamp": EARLY}) for i in range(20)
    ]
    here = WorkloadWorld(web, *pods)
    assert len(json.dumps(here.look()["status"])) < 8 * 1024
