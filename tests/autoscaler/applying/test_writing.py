"""Each object is written in one request, for what it was planned from."""

import pytest

from autoscaler.applying.planning import ApplyRules, plan_of
from autoscaler.applying.rows import Outcome
from autoscaler.applying.writing import write
from autoscaler.errors import ApiUnavailableError, ForbiddenError, InvalidError
from autoscaler.kube.resource import DEPLOYMENTS, WORKLOAD_PROFILES
from tests.autoscaler.applying.reports import item, report
from tests.autoscaler.applying.team import NAMESPACE, standing, using_profile

CHAT = DEPLOYMENTS.path(NAMESPACE, "chat")


def only_change(team):
    [change] = plan_of(team, report(item()), ApplyRules()).changes
    return change


def raising(error):
    def before(method, path):
        raise error

    return before


def test_a_write_changes_the_annotations_and_nothing_else():
    team = standing()

    done = write(team, only_change(team), is_dry_run=False)

    assert (done.outcome, done.version) == (Outcome.WRITTEN, "2")
    assert team.annotations() == {
        "tflops-request": "12",
        "tflops-limit": "24",
        "vram-request": "24Gi",
        "vram-limit": "24Gi",
    }


def test_a_profile_is_written_in_its_spec():
    team = using_profile("chat")

    write(team, only_change(team), is_dry_run=False)

    assert team.profile_amounts() == {
        "requests": {"tflops": "12", "vram": "24Gi"},
        "limits": {"tflops": "24", "vram": "24Gi"},
    }


def test_a_dry_run_changes_nothing():
    team = standing()

    done = write(team, only_change(team), is_dry_run=True)

    assert (done.outcome, done.version, team.writes) == (Outcome.PLANNED, "", [])


def test_writing_twice_writes_nothing_the_second_time():
    team = standing()
    write(team, only_change(team), is_dry_run=False)

    plan = plan_of(team, report(item()), ApplyRules(has_changed=True))

    assert (plan.changes, plan.unchanged) == ((), 2)


def test_a_status_that_changed_meanwhile_does_not_matter():
    team = standing()
    change = only_change(team)
    team.touch(DEPLOYMENTS, "chat", lambda obj: obj.update(status={"replicas": 3}))

    assert write(team, change, is_dry_run=False).outcome is Outcome.WRITTEN


def test_an_annotation_that_somebody_changed_meanwhile_is_kept():
    team = standing()
    change = only_change(team)
    team.touch(DEPLOYMENTS, "chat", lambda obj: _annotate(obj, "35"))

    done = write(team, change, is_dry_run=False)

    assert (done.outcome, done.message) == (Outcome.REFUSED, "somebody changed it meanwhile")
    assert (team.annotations()["tflops-request"], team.writes) == ("35", [])


def test_a_profile_that_somebody_changed_meanwhile_is_kept():
    team = using_profile("chat")
    change = only_change(team)
    team.touch(WORKLOAD_PROFILES, "small", lambda obj: obj["spec"].update(qos="high"))

    assert write(team, change, is_dry_run=False).outcome is Outcome.REFUSED


def test_an_object_that_is_made_anew_under_its_name_is_left_alone():
    team = standing()
    change = only_change(team)
    team.touch(DEPLOYMENTS, "chat", lambda obj: obj["metadata"].update(uid="2"))

    assert write(team, change, is_dry_run=False).outcome is Outcome.REFUSED


def test_an_object_that_never_stands_still_is_given_up():
    team = standing()
    change = only_change(team)
    team.before = lambda method, path: team.touch(DEPLOYMENTS, "chat")

    done = write(team, change, is_dry_run=False)

    assert (done.outcome, team.writes) == (Outcome.FAILED, [])


@pytest.mark.parametrize(
    "error",
    [
        ForbiddenError("403: no"),
        InvalidError("422: no"),
        ApiUnavailableError("no answer"),
    ],
)
def test_what_the_server_says_against_it_is_a_result(error):
    team = standing()
    change = only_change(team)
    team.before = raising(error)

    done = write(team, change, is_dry_run=False)

    assert (done.outcome, done.message) == (Outcome.FAILED, str(error))


def test_an_amount_that_admission_changes_is_not_taken_for_written():
    team = standing()
    change = only_change(team)
    team.admit = lambda obj: _annotate(obj, "13")

    done = write(team, change, is_dry_run=True)

    assert done.outcome is Outcome.FAILED
    assert done.message == "the server made '13' of tensor-fusion.ai/tflops-request 12"


def _annotate(obj, tflops):
    annotations = obj["spec"]["template"]["metadata"]["annotations"]
    annotations["tensor-fusion.ai/tflops-request"] = tflops
    return obj
