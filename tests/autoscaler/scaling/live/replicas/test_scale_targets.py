import pytest

from autoscaler.api.condition_reasons import ReplicasReason
from autoscaler.api.names import GENERATED_FROM
from autoscaler.errors import ApiUnavailableError, UsageError
from autoscaler.scaling.live.replicas.replica_state import Held
from autoscaler.scaling.live.replicas.scale_targets import ScaleTarget, ScaleTargets
from tests.autoscaler.scaling.live.live_objects import DEPLOYMENT, workload
from tests.autoscaler.scaling.live.live_world import SilentApi

ROLLOUT = "Rollout.argoproj.io"
ARGO, ARGO_V1 = "/apis/argoproj.io", "/apis/argoproj.io/v1alpha1"
SERVED = {
    ARGO: {"preferredVersion": {"version": "v1alpha1"}},
    ARGO_V1: {
        "resources": [
            {"name": "rollouts", "kind": "Rollout", "namespaced": True},
            {"name": "rollouts/scale", "kind": "Scale", "namespaced": True},
            {"name": "experiments", "kind": "Experiment", "namespaced": True},
        ]
    },
}


def targets(*scalable, answers=None):
    api = SilentApi()
    api.answers |= answers or {}
    return ScaleTargets(api, scalable=scalable), api


def owned_by(kind="Deployment", api_version="apps/v1", **fields):
    owner = {**DEPLOYMENT, "kind": kind, "apiVersion": api_version}
    return workload(owners=[owner], **fields)


ROLLED = owned_by("Rollout", "argoproj.io/v1alpha1")


def path(found):
    assert isinstance(found, ScaleTarget), found
    return found.path


def why(found):
    assert isinstance(found, Held), found
    return found.reason, found.text


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Deployment", "/apis/apps/v1/namespaces/team/deployments/chat/scale"),
        ("StatefulSet", "/apis/apps/v1/namespaces/team/statefulsets/chat/scale"),
    ],
)
def test_the_scale_of_the_owner_is_written(kind, expected):
    known, api = targets()
    assert path(known.target_of(owned_by(kind))) == expected
    assert api.asked == []


def test_in_remote_mode_the_own_scale_of_the_workload_is_written():
    remote = workload(isLocalGPU=False)
    expected = "/apis/tensor-fusion.ai/v1/namespaces/team/tensorfusionworkloads/chat/scale"
    assert path(targets()[0].target_of(remote)) == expected


def test_of_several_owners_none_is_scaled():
    other = {**DEPLOYMENT, "name": "web"}
    assert why(targets()[0].target_of(workload(owners=[DEPLOYMENT, other]))) == (
        ReplicasReason.SEVERAL_OWNERS,
        (
            "its workers belong to Deployment chat, Deployment web, and nobody can tell whose "
            "replicas to set"
        ),
    )


def test_of_many_owners_a_few_are_named():
    owners = [{**DEPLOYMENT, "name": f"d{i}"} for i in range(5)]
    _, text = why(targets()[0].target_of(workload(owners=owners)))
    assert "Deployment d2 and 2 more, " in text


def test_an_owner_that_is_not_known_yet_is_not_scaled():
    assert why(targets()[0].target_of(workload(owners=[]))) == (
        ReplicasReason.NO_SCALE,
        "the owner of its workers is not known yet",
    )


def test_a_kind_that_is_not_on_the_list_is_not_scaled():
    assert why(targets()[0].target_of(owned_by("DaemonSet"))) == (
        ReplicasReason.NO_SCALE,
        (
            "kind DaemonSet.apps of its owner DaemonSet chat is not on the list of kinds that are "
            "scaled: Deployment.apps, StatefulSet.apps"
        ),
    )


def test_a_kind_of_the_same_name_in_another_group_is_another_kind():
    assert why(targets()[0].target_of(owned_by("Deployment", "example.test/v1")))


def test_a_workload_that_its_user_wrote_does_not_follow_its_owner():
    own = owned_by(metadata={"annotations": {GENERATED_FROM: None}})
    reason, text = why(targets()[0].target_of(own))
    assert reason == ReplicasReason.NO_SCALE
    assert text.startswith("the workload was written by its user")


def test_a_further_kind_is_scaled_as_the_api_server_serves_it():
    known, _ = targets(ROLLOUT, answers=SERVED)
    _, text = why(known.target_of(ROLLED))
    assert text == "the API server was not asked yet for kind Rollout.argoproj.io"

    before = known.version
    known.refresh()

    expected = "/apis/argoproj.io/v1alpha1/namespaces/team/rollouts/chat/scale"
    assert path(known.target_of(ROLLED)) == expected
    assert known.version != before
    assert known.kinds == ("Deployment.apps", "StatefulSet.apps", ROLLOUT)


def test_asking_again_for_what_is_the_same_is_no_change():
    known, _ = targets(ROLLOUT, answers=SERVED)
    known.refresh()
    before = known.version
    known.refresh()
    assert known.version == before


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({}, "the API server knows no group argoproj.io of kind Rollout.argoproj.io"),
        (
            {**SERVED, ARGO_V1: {"resources": SERVED[ARGO_V1]["resources"][:1]}},
            "the API server serves no scale of kind Rollout.argoproj.io",
        ),
        (
            {ARGO: ApiUnavailableError("no answer")},
            "the API server did not say how kind Rollout.argoproj.io is scaled",
        ),
    ],
)
def test_a_further_kind_that_cannot_be_scaled_is_said(answers, expected):
    known, _ = targets(ROLLOUT, answers=answers)
    known.refresh()
    assert why(known.target_of(ROLLED)) == (ReplicasReason.NO_SCALE, expected)


def test_a_further_kind_that_does_not_exist_is_logged_once(caplog):
    known, _ = targets(ROLLOUT)

    known.refresh()
    known.refresh()

    assert caplog.messages == [
        (
            "--scalable: the API server knows no group argoproj.io of kind Rollout.argoproj.io, so "
            "that no such owner is scaled"
        )
    ]


def test_a_kind_that_was_known_stays_so_while_the_api_server_is_down():
    known, api = targets(ROLLOUT, answers=SERVED)
    known.refresh()
    api.answers[ARGO] = ApiUnavailableError("no answer")
    known.refresh()
    assert path(known.target_of(ROLLED))


def test_a_kind_that_is_gone_is_no_longer_scaled():
    known, api = targets(ROLLOUT, answers=SERVED)
    known.refresh()
    del api.answers[ARGO]
    known.refresh()
    assert why(known.target_of(ROLLED))


@pytest.mark.parametrize("text", ["Rollout", "", "rollouts/argoproj.io", "Rollout.Argo", ".x"])
def test_a_text_that_is_no_kind_is_refused(text):
    with pytest.raises(UsageError, match="is not valid; allowed: a kind and its group"):
        targets(text)
