"""Which numbers of a report are written, where, and why others are not."""

import pytest

from autoscaler.api.names import PREFIX
from autoscaler.applying.planning import ApplyRules, plan_of
from autoscaler.applying.rows import Outcome
from autoscaler.errors import ApiUnavailableError
from autoscaler.kube.resource import CRON_JOBS, DEPLOYMENTS, STATEFUL_SETS, WORKLOADS
from recommender.report.blocks import Severity
from recommender.report.items import AUTOSCALER
from tests.autoscaler.applying.reports import GIB, item, replica_item, report, vram_item
from tests.autoscaler.applying.team import (
    Team,
    generated,
    owner,
    standing,
    using_profile,
)


def planned(team, *items, **rules):
    return plan_of(team, report(*items), ApplyRules(**rules))


def fields(plan):
    """Return (object, field without prefix, before, after) of all that would be written."""
    return [
        (change.title, field.name.removeprefix(PREFIX), field.before, field.after)
        for change in plan.changes
        for field in change.fields
    ]


def reasons(plan):
    return [(str(row.number.side), str(row.outcome), row.reason) for row in plan.others]


def test_annotations_are_written_where_annotations_state_the_numbers():
    plan = planned(standing(), item(), vram_item())

    assert fields(plan) == [
        ("Deployment team/chat", "tflops-request", "40", "12"),
        ("Deployment team/chat", "tflops-limit", "80", "24"),
        ("Deployment team/chat", "vram-request", "24Gi", "16Gi"),
        ("Deployment team/chat", "vram-limit", "24Gi", "16Gi"),
    ]
    assert (plan.others, plan.unchanged) == ((), 0)
    [change] = plan.changes
    assert (change.consequence, change.pods) == ("a rollout of 3 pods", 3)


def test_amounts_are_written_as_quantities_rounded_up():
    plan = planned(standing(), item(request=(40.0, 4.5001), limit=(80.0, 9.9999)))

    assert [after for *_, after in fields(plan)] == ["4501m", "10"]


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ((40.0, 0.0), "the report recommends 0,"),
        ((40.0, -5.0), "the report recommends -5,"),
        ((40.0, 1e308), "the report recommends 1e+308,"),
        ((-5.0, 12.0), "the report saw -5,"),
    ],
)
def test_what_nobody_can_have_is_never_written(request_, told):
    plan = planned(standing(), item(request=request_, limit=(80.0, 60.0)))

    assert [after for *_, after in fields(plan)] == ["60"]
    [(side, outcome, reason)] = reasons(plan)
    assert (side, outcome) == ("request", "refused")
    assert reason.startswith(f"{told} which nobody can have; allowed: ")


def test_a_number_that_nobody_states_goes_beside_its_neighbour():
    team = Team()
    team.add(DEPLOYMENTS, owner(tflops_limit="80"))

    plan = planned(team, item(request=(80.0, 12.0)))

    assert fields(plan) == [
        ("Deployment team/chat", "tflops-request", None, "12"),
        ("Deployment team/chat", "tflops-limit", "80", "24"),
    ]


def test_the_first_statement_of_a_workload_goes_into_its_template():
    team = Team()
    team.add(DEPLOYMENTS, owner(vram_limit="24Gi"))

    plan = planned(team, item(request=(None, 12.0), limit=(None, 24.0), severity=Severity.UNSET))

    assert [before for _, _, before, _ in fields(plan)] == [None, None]


def test_a_profile_is_written_where_it_states_the_numbers_and_its_users_are_named():
    plan = planned(using_profile("chat", "search"), item(request=(40.0, 50.0), limit=(80.0, 90.0)))

    assert fields(plan) == [
        ("WorkloadProfile team/small", "resources.requests.tflops", "40", "50"),
        ("WorkloadProfile team/small", "resources.limits.tflops", "80", "90"),
    ]
    [change] = plan.changes
    assert change.consequence == "counts for all its users when their pods start: chat, search"
    assert change.pods == 0


def test_users_of_a_profile_get_the_highest_that_one_of_them_needs():
    plan = planned(
        using_profile("chat", "search"),
        item(),
        item(workload="search", owner="Deployment/search", request=(40.0, 20.0)),
    )

    assert [after for *_, after in fields(plan)] == ["20", "24"]


def test_a_profile_is_not_lowered_for_users_who_did_not_ask():
    plan = planned(using_profile("chat", "search"), item())

    assert plan.changes == ()
    assert [(side, outcome) for side, outcome, _ in reasons(plan)] == [
        ("request", "refused"),
        ("limit", "refused"),
    ]
    assert "search would get less from WorkloadProfile small too" in plan.others[0].reason
    assert "--write-to template changes this workload alone" in plan.others[0].reason


def test_users_that_state_a_number_themselves_do_not_count():
    team = using_profile("chat")
    team.add(DEPLOYMENTS, owner("search", workload_profile="small", tflops_request="40"))
    own = {"tflops-request": f"annotation {PREFIX}tflops-request"}
    team.add(WORKLOADS, generated("search", made_from="Deployment.apps/search", effective=own))

    plan = planned(team, item())

    assert [change.consequence for change in plan.changes] == [
        "counts for all its users when their pods start: chat"
    ]


def test_a_profile_is_left_alone_where_only_the_template_is_to_be_written():
    plan = planned(using_profile("chat", "search"), item(), is_template_only=True)

    assert fields(plan) == [
        ("Deployment team/chat", "tflops-request", None, "12"),
        ("Deployment team/chat", "tflops-limit", None, "24"),
    ]


def test_numbers_at_two_places_are_judged_together():
    team = using_profile("chat")
    team.add(DEPLOYMENTS, owner(workload_profile="small", tflops_request="40"))

    plan = planned(team, item(request=(40.0, 100.0), limit=(80.0, 120.0)))

    assert fields(plan) == [
        ("WorkloadProfile team/small", "resources.limits.tflops", "80", "120"),
        ("Deployment team/chat", "tflops-request", "40", "100"),
    ]


def test_nothing_is_written_after_which_pods_would_be_refused():
    plan = planned(standing(), item(request=(40.0, 100.0), limit=(80.0, None)))

    assert plan.changes == ()
    [(side, outcome, reason)] = reasons(plan)
    assert (side, outcome) == ("request", "refused")
    assert reason.startswith("pods would be refused: ")
    assert "is below tflops-request 100" in reason


def test_what_is_wrong_with_compute_says_nothing_of_vram():
    plan = planned(standing(), item(request=(40.0, 100.0), limit=(80.0, None)), vram_item())

    assert [name for _, name, _, _ in fields(plan)] == ["vram-request", "vram-limit"]


def test_a_profile_that_would_refuse_the_pods_of_a_user_stays_as_it_is():
    team = using_profile("chat")
    team.add(DEPLOYMENTS, owner(workload_profile="small", tflops_limit="80"))

    plan = planned(team, item(request=(40.0, 100.0), limit=(80.0, None)), vram_item())

    assert {title for title, *_ in fields(plan)} == {"WorkloadProfile team/small"}
    assert [name for _, name, _, _ in fields(plan)] == [
        "resources.requests.vram",
        "resources.limits.vram",
    ]
    [row] = plan.others
    assert row.reason.startswith("for team/chat: pods would be refused: ")


def test_what_is_unknown_is_never_written_and_says_so():
    plan = planned(standing(), item(severity=Severity.UNKNOWN, request=(40.0, None)))

    assert plan.changes == ()
    assert reasons(plan) == [("None", "skipped", "nothing is recommended: as a test says")]


def test_what_needs_no_change_is_counted():
    plan = planned(standing(), item(severity=Severity.OK), replica_item(severity=Severity.OK))

    assert (plan.changes, plan.others, plan.unchanged) == ((), (), 1)


def test_replicas_are_left_to_their_owner():
    plan = planned(standing(), replica_item())

    assert reasons(plan) == [
        ("None", "skipped", "replicas are the owner's own number: kubectl scale sets them")
    ]


def test_a_number_that_is_so_already_is_not_written_however_it_is_spelt():
    plan = planned(
        standing(tflops_request="40000m"), item(request=(40.0, 40.0), limit=(80.0, 50.0))
    )

    assert [name for _, name, _, _ in fields(plan)] == ["tflops-limit"]
    assert plan.unchanged == 1


def test_an_enrolled_layer_needs_no_apply_and_the_other_layer_is_written():
    plan = planned(standing(auto_requests="true"), item(limit=(80.0, 50.0)))

    assert [name for _, name, _, _ in fields(plan)] == ["tflops-limit"]
    [row] = plan.others
    assert row.outcome is Outcome.SKIPPED
    assert row.reason.startswith("auto-requests is enrolled")


def test_an_enrolled_layer_is_written_where_that_is_asked_for():
    plan = planned(standing(auto_requests="true"), item(), has_enrolled=True)

    assert [name for _, name, _, _ in fields(plan)] == ["tflops-request", "tflops-limit"]


def test_a_rule_of_the_pool_enrols_too():
    team = standing()
    config = {"autoSetLimits": {"enable": True}}
    team.add(WORKLOADS, generated(autoScalingConfig=config))

    plan = planned(team, item())

    assert [name for _, name, _, _ in fields(plan)] == ["tflops-request"]


def test_a_number_that_somebody_changed_since_the_report_is_refused():
    plan = planned(standing(tflops_request="30"), item(limit=(80.0, 50.0)))

    assert [name for _, name, _, _ in fields(plan)] == ["tflops-limit"]
    [row] = plan.others
    assert (row.outcome, row.before, row.after) == (Outcome.REFUSED, "30", "12")
    assert row.reason == (
        "the report saw 40, and 30 is stated now: make a new report, or give --allow-changed"
    )


def test_a_changed_number_is_written_where_that_is_allowed():
    plan = planned(standing(tflops_request="30"), item(), has_changed=True)

    assert fields(plan)[0] == ("Deployment team/chat", "tflops-request", "30", "12")


def test_what_the_autoscaler_had_set_is_not_compared_with_what_is_stated():
    sources = {"request": AUTOSCALER, "limit": AUTOSCALER}

    plan = planned(standing(), item(request=(55.0, 12.0), sources=sources))

    assert [name for _, name, _, _ in fields(plan)] == ["tflops-request", "tflops-limit"]


def test_percent_stays_percent():
    team = Team()
    team.add(DEPLOYMENTS, owner(compute_percent_request="10", compute_percent_limit="20"))

    plan = planned(team, item(request=(31.2, 46.8), limit=(62.4, 93.6)))

    assert fields(plan) == [
        ("Deployment team/chat", "compute-percent-request", "10", "15"),
        ("Deployment team/chat", "compute-percent-limit", "20", "30"),
    ]


def test_percent_of_an_unknown_card_is_not_guessed():
    team = Team()
    team.add(DEPLOYMENTS, owner(compute_percent_request="10", compute_percent_limit="20"))

    plan = planned(team, item(gpu_model=None))

    assert {outcome for _, outcome, _ in reasons(plan)} == {"refused"}
    assert "the peak of its GPU (of an unknown model) is not known" in plan.others[0].reason


def test_workers_on_several_models_get_the_highest_of_them():
    plan = planned(
        standing(), item(), item(gpu_model="NVIDIA L4", request=(40.0, 18.0), limit=(80.0, 20.0))
    )

    assert [after for *_, after in fields(plan)] == ["18", "24"]


def test_one_model_of_which_nothing_is_known_holds_the_others_back():
    plan = planned(standing(), item(), item(gpu_model="NVIDIA L4", severity=Severity.UNKNOWN))

    assert plan.changes == ()


@pytest.mark.parametrize(
    ("team", "told"),
    [
        (Team(), "there is no Deployment team/chat"),
        (standing(workload_profile="gone"), "names the WorkloadProfile gone, which is missing"),
        (standing(declared_tflops_limit="80"), "declared-tflops-limit counts in place of"),
    ],
)
def test_a_workload_that_cannot_be_written_says_why(team, told):
    plan = planned(team, item())

    assert plan.changes == ()
    assert {row.outcome for row in plan.others} == {Outcome.REFUSED}
    assert told in plan.others[0].reason


def test_a_template_that_admission_does_not_look_at_is_refused():
    team = Team()
    team.add(DEPLOYMENTS, owner(labels={}, tflops_request="40"))

    assert "lacks the label tensor-fusion.ai/enabled" in planned(team, item()).others[0].reason


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("Pod", "a bare pod has no template to patch"),
        ("Job", "can be changed only while the Job is suspended"),
        ("RayCluster", "where a RayCluster keeps its pod template is not known"),
    ],
)
def test_owners_without_a_template_to_change_say_what_to_do(kind, told):
    plan = planned(standing(), item(owner=f"{kind}/chat"))

    assert told in plan.others[0].reason


def test_the_cluster_knows_the_owner_better_than_the_report():
    team = Team()
    team.add(STATEFUL_SETS, owner("llm", tflops_request="40", tflops_limit="80"))
    team.add(WORKLOADS, generated(made_from="StatefulSet.apps/llm"))

    plan = planned(team, item(owner=None))

    assert {title for title, *_ in fields(plan)} == {"StatefulSet team/llm"}


def test_a_workload_of_several_owners_is_not_guessed_at():
    team = standing()
    owners = ({"kind": "Deployment", "name": "chat"}, {"kind": "Deployment", "name": "chat-2"})
    team.add(WORKLOADS, generated(owners=owners))

    assert "(Deployment chat, Deployment chat-2)" in planned(team, item()).others[0].reason


def test_a_cron_job_has_its_template_further_down():
    team = Team()
    template = owner("nightly", tflops_request="40", tflops_limit="80")["spec"]["template"]
    nightly = {
        "metadata": {"name": "nightly"},
        "spec": {"jobTemplate": {"spec": {"template": template}}},
    }
    team.add(CRON_JOBS, nightly)

    [change] = planned(team, item(owner="CronJob/nightly")).changes

    assert change.fields[0].path[:3] == ("spec", "jobTemplate", "spec")
    assert (change.consequence, change.pods) == ("counts from its next run on", 0)


@pytest.mark.parametrize(
    ("spec", "replicas", "consequence"),
    [
        ({}, 1, "a rollout of 1 pod"),
        ({}, 0, "no pod runs now"),
        ({"paused": True}, 3, "a rollout, once it is no longer paused"),
        (
            {"updateStrategy": {"type": "OnDelete"}},
            3,
            "counts for pods that are made anew; running ones stay as they are",
        ),
    ],
)
def test_the_consequence_of_a_template_is_said(spec, replicas, consequence):
    team = Team()
    amounts = {"tflops_request": "40", "tflops_limit": "80"}
    team.add(DEPLOYMENTS, owner(replicas=replicas, spec=spec, **amounts))

    [change] = planned(team, item()).changes

    assert change.consequence == consequence


def test_a_tool_that_would_put_it_back_is_named():
    team = Team()
    kept = {"annotations": {"argocd.argoproj.io/tracking-id": "app:apps/Deployment:team/chat"}}
    amounts = {"tflops_request": "40", "tflops_limit": "80"}
    team.add(DEPLOYMENTS, owner(metadata=kept, **amounts))

    [change] = planned(team, item()).changes

    assert change.notes[0].startswith("kept by Argo CD, which may put it back")


def test_what_may_not_be_read_is_a_row_that_failed_and_the_others_go_on():
    team = standing()
    team.add(DEPLOYMENTS, owner("search", tflops_request="40", tflops_limit="80"))

    def forbid(method, path):
        team.forbidden = {"GET"} if path.endswith("/chat") else set()

    team.before = forbid

    plan = planned(team, item(), item(workload="search", owner="Deployment/search"))

    assert {title for title, *_ in fields(plan)} == {"Deployment team/search"}
    assert {row.outcome for row in plan.others} == {Outcome.FAILED}


def test_a_cluster_that_does_not_answer_ends_the_planning():
    team = standing()

    def fail(method, path):
        raise ApiUnavailableError("connection refused")

    team.before = fail

    with pytest.raises(ApiUnavailableError):
        planned(team, item())


def test_vram_counts_in_whole_mebibytes():
    plan = planned(standing(), vram_item(request=(24 * GIB, 16 * GIB + 1), limit=(24 * GIB, None)))

    assert fields(plan) == [("Deployment team/chat", "vram-request", "24Gi", "16385Mi")]
