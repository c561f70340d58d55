"""Workloads are made from admitted pods and follow them; those of users are left alone."""

import pytest

from autoscaler.api.names import (
    GENERATE_WORKLOAD,
    GENERATED_FROM,
    MODE,
    POOL_LABEL,
    PREFIX,
    QOS,
    WORKLOAD_PROFILE,
)
from autoscaler.errors import AlreadyExistsError, ConflictError, InvalidError
from autoscaler.kube.resource import POOLS, WORKLOADS
from autoscaler.workloads.generation.ensuring import REFUSED_S
from tests.autoscaler.workloads.objects import TEAM, made, pool, worker, workload
from tests.autoscaler.workloads.owning import deployment, pod_of, reference, replica_set
from tests.autoscaler.workloads.workload_world import WorkloadWorld

WEB = deployment("web", replicas=3)
WEB_1, WEB_2 = replica_set(WEB, "1"), replica_set(WEB, "2")
EARLY, LATE = "2025-12-31T00:00:00Z", "2025-12-31T01:00:00Z"
ENROLLED = {"autoSetRequests": {"enable": True}}
WRITE_PATH = "/apis/tensor-fusion.ai/v1/namespaces/team/tensorfusionworkloads"


def world(*objects, **fields):
    return WorkloadWorld(WEB, WEB_1, WEB_2, *objects, **fields)


def pod(owner=WEB_1, suffix="a", *, created=EARLY, **fields):
    return pod_of(owner, suffix, created=created, **fields)


def profile(**spec):
    return made("WorkloadProfile", "small", spec=spec)


def declared(**amounts):
    """Return annotations of declared amounts, written with _ for -."""
    return {
        f"{PREFIX}declared-{key.replace('_', '-')}": quantity for key, quantity in amounts.items()
    }


def spec_writes(here):
    return [(method, path) for method, path in here.writes() if not path.endswith("/status")]


def test_the_workload_of_an_admitted_pod_is_made():
    here = world(pod())
    made_workload = here.look()
    metadata = made_workload["metadata"]
    assert metadata["annotations"] == {GENERATED_FROM: "Deployment.apps/web"}
    assert metadata["labels"] == {POOL_LABEL: "pool"}
    assert metadata["ownerReferences"] == [reference(WEB)]
    assert made_workload["spec"]["replicas"] == 3
    assert made_workload["spec"]["resources"]["requests"] == {"tflops": "10", "vram": "4Gi"}
    assert ("TensorFusionWorkload", "web", "WorkloadCreated") in [
        event[:3] for event in here.box.told()
    ]


def test_a_second_look_writes_nothing():
    here = world(pod())
    here.look()
    here.writes()
    here.look()
    assert here.writes() == []


def test_nothing_is_made_without_pods():
    here = world()
    assert here.look() is None
    assert here.writes() == []


def test_nothing_is_made_for_pods_that_join_an_existing_workload():
    here = world(pod(annotations={GENERATE_WORKLOAD: "false"}))
    assert here.look() is None


def test_a_cache_that_lags_makes_no_second_workload():
    here = world(pod())
    here.reconciler.reconcile(TEAM, "web")
    with pytest.raises(AlreadyExistsError):
        here.reconciler.reconcile(TEAM, "web")


def test_amounts_follow_the_newest_pod_and_only_what_changed_is_written():
    here = world(pod(created=EARLY))
    here.look()
    here.writes()
    bigger = declared(tflops_request="15", tflops_limit="20", vram_request="4Gi", vram_limit="8Gi")
    here.add(pod(WEB_2, created=LATE, annotations=bigger))
    here.look()
    [patch] = [body for _, path, body in here.api.requests if path == f"{WRITE_PATH}/web"]
    version = patch["metadata"].pop("resourceVersion")
    assert patch == {"metadata": {}, "spec": {"resources": {"requests": {"tflops": "15"}}}}
    assert version


def test_what_a_newer_pod_does_not_state_is_taken_away():
    here = world(pod(created=EARLY))
    here.look()
    here.add(pod(WEB_2, created=LATE, amounts={"vram-request": "2Gi"}))
    assert here.look()["spec"]["resources"] == {"requests": {"vram": "2Gi"}}


def test_a_change_under_our_hands_is_a_conflict_and_looked_at_again():
    here = world(pod(created=EARLY))
    here.look()
    here.add(pod(WEB_2, created=LATE, annotations={QOS: "high"}))
    here.api.edit(WORKLOADS, TEAM, "web", lambda obj: obj["metadata"]["labels"].update(a="b"))
    with pytest.raises(ConflictError):
        here.reconciler.reconcile(TEAM, "web")
    here.box.show()
    assert here.look()["spec"]["qos"] == "high"
    assert here.workload()["metadata"]["labels"]["a"] == "b"


def test_a_changed_profile_changes_the_settings_at_once_and_no_amount():
    here = world(profile(), pod(annotations={WORKLOAD_PROFILE: "small"}))
    here.look()
    changed = {"autoScalingConfig": ENROLLED, "resources": {"limits": {"tflops": "99"}}}
    here.edit("WorkloadProfile", "small", lambda obj: obj.update(spec=changed))
    spec = here.look()["spec"]
    assert spec["autoScalingConfig"] == ENROLLED
    assert spec["resources"]["limits"]["tflops"] == "20"


def test_settings_that_a_profile_no_longer_has_are_taken_away():
    here = world(profile(autoScalingConfig=ENROLLED), pod(annotations={WORKLOAD_PROFILE: "small"}))
    assert here.look()["spec"]["autoScalingConfig"] == ENROLLED
    here.edit("WorkloadProfile", "small", lambda obj: obj.update(spec={}))
    assert "autoScalingConfig" not in here.look()["spec"]


def test_when_its_profile_is_deleted_a_workload_keeps_its_settings_and_says_so():
    here = world(profile(autoScalingConfig=ENROLLED), pod(annotations={WORKLOAD_PROFILE: "small"}))
    here.look()
    here.remove("WorkloadProfile", "small")
    assert here.look()["spec"]["autoScalingConfig"] == ENROLLED
    problem = "there is no WorkloadProfile 'small' in its namespace"
    assert here.conditions()["Ready"][2].endswith(f"the spec stays as it is: {problem}")
    assert ("TensorFusionWorkload", "web", "InvalidWorker", problem) in here.box.told()


def test_what_of_a_profile_cannot_be_used_is_said_until_it_is_corrected():
    wrong = {"autoSetRequests": {"enable": True, "percentileForAutoRequests": "many"}}
    here = world(profile(autoScalingConfig=wrong), pod(annotations={WORKLOAD_PROFILE: "small"}))
    assert here.look()["spec"]["autoScalingConfig"] == ENROLLED
    here.look()
    path = "profile small spec.autoScalingConfig.autoSetRequests.percentileForAutoRequests"
    assert f"; not all settings are used: {path}: 'many' is not" in here.conditions()["Ready"][2]
    [told] = [note for *_, reason, note in here.box.told() if reason == "InvalidWorker"]
    assert told.startswith(f"{path}: 'many' is not valid")

    here.edit(
        "WorkloadProfile", "small", lambda obj: obj["spec"].update(autoScalingConfig=ENROLLED)
    )
    here.look()
    assert "not all settings" not in here.conditions()["Ready"][2]


def test_what_is_created_with_a_pod_may_be_shown_after_it():
    now = "2026-01-01T00:00:00Z"
    here = world(pod(annotations={WORKLOAD_PROFILE: "small"}, created=now))
    assert here.look() is None
    assert here.box.work.delayed
    here.add(profile(autoScalingConfig=ENROLLED))
    assert here.look()["spec"]["autoScalingConfig"] == ENROLLED
    assert [event[2] for event in here.box.told()] == ["WorkloadCreated"]


def test_a_workload_whose_pool_is_deleted_stays_as_it_is_and_says_so():
    here = world(pod())
    before = here.look()["spec"]
    here.api.remove(POOLS, None, "pool")
    here.box.show()
    assert here.look()["spec"] == before
    assert here.conditions()["Ready"][2].endswith("there is no GPUPool 'pool'")


def test_a_newest_pod_that_cannot_be_read_changes_nothing_and_is_told():
    here = world(pod(created=EARLY))
    before = here.look()["spec"]
    here.add(pod(WEB_2, created=LATE, annotations={QOS: "superb"}))
    assert here.look()["spec"] == before
    assert "'superb' is not valid" in here.conditions()["Ready"][2]
    assert here.workload()["status"]["effective"]["qos"]["value"] == "medium"


def test_the_number_of_a_local_workload_follows_its_owner_down_to_zero():
    here = world(pod())
    here.look()
    here.edit("Deployment", "web", lambda obj: obj["spec"].update(replicas=0))
    here.remove("Pod", "web-1-a")
    after = here.look()
    assert after["spec"]["replicas"] == 0
    assert after["metadata"]["ownerReferences"] == [reference(WEB)]


def test_fields_labels_and_annotations_of_others_stay():
    def extend(obj):
        obj["spec"]["gangScheduling"] = {"minMembers": 2}
        obj["metadata"]["labels"]["team"] = "a"
        obj["metadata"]["annotations"]["note"] = "b"

    here = world(pod())
    here.look()
    here.edit("TensorFusionWorkload", "web", extend)
    here.edit("Deployment", "web", lambda obj: obj["spec"].update(replicas=4))
    after = here.look()
    assert after["spec"]["gangScheduling"] == {"minMembers": 2}
    assert after["metadata"]["labels"] == {POOL_LABEL: "pool", "team": "a"}
    assert after["metadata"]["annotations"]["note"] == "b"


def test_a_value_that_somebody_changed_comes_back():
    here = world(pod())
    here.look()
    here.edit("TensorFusionWorkload", "web", lambda obj: obj["spec"].update(qos="low"))
    assert here.look()["spec"]["qos"] == "medium"


def test_in_remote_mode_the_autoscaler_s_number_stays():
    annotations = {MODE: "remote", f"{PREFIX}replicas": "2", f"{PREFIX}auto-replicas": "true"}
    here = world(pod(annotations=annotations))
    assert here.look()["spec"]["replicas"] == 2
    here.edit("TensorFusionWorkload", "web", lambda obj: obj["spec"].update(replicas=7))
    assert here.look()["spec"]["replicas"] == 7


def test_a_workload_of_a_user_is_never_changed():
    own = workload("web", qos="low", replicas=1, resources={"requests": {"tflops": "1"}})
    here = world(pod(), own)
    after = here.look()
    assert after["spec"] == own["spec"]
    assert after["metadata"].get("ownerReferences") is None
    assert spec_writes(here) == []


def test_a_workload_of_a_user_gets_the_owner_s_number_where_it_has_none():
    here = world(pod(annotations={GENERATE_WORKLOAD: "false"}), workload("web", isLocalGPU=True))
    after = here.look()
    assert after["spec"] == {"poolName": "pool", "isLocalGPU": True, "replicas": 3}


def test_the_settings_of_a_user_s_workload_are_shown_as_its_own():
    own = workload("web", qos="low", replicas=1, autoScalingConfig=ENROLLED)
    here = world(pod(), own)
    effective = here.look()["status"]["effective"]
    assert effective["qos"] == {"value": "low", "source": "workload web"}
    assert effective["autoScalingConfig.autoSetRequests.enable"]["source"] == "workload web"


def test_a_refused_workload_is_told_on_the_pod_and_tried_again_later():
    def refuse(method, path):
        if (method, path) == ("POST", WRITE_PATH):
            raise InvalidError("spec.qos: Unsupported value", http_status=422, reason="Invalid")

    here = world(pod())
    here.api.before = refuse
    assert here.look() is None
    assert here.box.work.delayed == [(("workload", TEAM, "web"), REFUSED_S)]
    assert here.box.told() == [
        (
            "Pod",
            "web-1-a",
            "InvalidWorker",
            "TensorFusionWorkload web cannot be made: spec.qos: Unsupported value",
        )
    ]


def test_a_refused_change_is_told_and_the_old_spec_stays():
    def refuse(method, path):
        if (method, path) == ("PATCH", f"{WRITE_PATH}/web"):
            raise InvalidError("spec.qos: Unsupported value", http_status=422, reason="Invalid")

    here = world(pod(created=EARLY))
    before = here.look()["spec"]
    here.add(pod(WEB_2, created=LATE, annotations={QOS: "high"}))
    here.api.before = refuse
    assert here.look()["spec"] == before
    assert here.box.work.delayed == [(("workload", TEAM, "web"), REFUSED_S)]
    assert here.conditions()["Ready"][2].endswith(
        "the API server refuses the spec of its pods: spec.qos: Unsupported value"
    )


def test_two_pools_of_one_workload_follow_the_newest_pod():
    here = world(pod(created=EARLY), pools=(pool(), pool("other")))
    here.look()
    here.add(pod(WEB_2, created=LATE, pool="other"))
    after = here.look()
    assert after["spec"]["poolName"] == "other"
    assert after["metadata"]["labels"][POOL_LABEL] == "other"


def test_a_bare_pod_and_its_successor_of_the_same_name_have_one_workload():
    first = worker("job", metadata={"creationTimestamp": EARLY})
    here = WorkloadWorld(first)
    assert here.look("job")["metadata"]["ownerReferences"] == [reference(first)]
    here.remove("Pod", "job")
    second = worker("job", metadata={"creationTimestamp": LATE, "uid": "another"})
    here.add(second)
    assert here.look("job")["metadata"]["ownerReferences"] == [reference(second)]
