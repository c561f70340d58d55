"""Whatever a report asks for: pods are admitted after a write, and a second finds nothing to do."""

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.applying.live_workload import read_live
from autoscaler.applying.planning import ApplyRules, plan_of
from autoscaler.applying.rows import Outcome
from autoscaler.applying.writing import write
from autoscaler.kube.resource import DEPLOYMENTS, WORKLOAD_PROFILES, WORKLOADS
from tests.autoscaler.applying.reports import item, report
from tests.autoscaler.applying.team import NAMESPACE, Team, generated, owner, profile

NAMES = ("chat", "search")
AMOUNTS = st.one_of(st.none(), st.floats(0.5, 300.0))


@st.composite
def teams(draw):
    """Draw Deployments that state some amounts themselves and take others from one profile."""
    team = Team()
    team.add(
        WORKLOAD_PROFILES,
        profile(resources={"requests": {"tflops": "40"}, "limits": {"tflops": "80"}}),
    )
    for name in NAMES:
        own = draw(
            st.fixed_dictionaries(
                {}, optional={"tflops_request": st.just("40"), "tflops_limit": st.just("80")}
            )
        )
        team.add(DEPLOYMENTS, owner(name, workload_profile="small", **own))
        sources = {
            key: "annotation" if key.replace("-", "_") in own else "profile small"
            for key in ("tflops-request", "tflops-limit")
        }
        team.add(WORKLOADS, generated(name, made_from=f"Deployment.apps/{name}", effective=sources))
    return team


@st.composite
def wishes(draw):
    """Draw an item for some of the workloads."""
    return [
        item(
            workload=name,
            owner=f"Deployment/{name}",
            request=(40.0, draw(AMOUNTS)),
            limit=(80.0, draw(AMOUNTS)),
        )
        for name in NAMES
        if draw(st.booleans())
    ]


def errors(team):
    return [read_live(team, NAMESPACE, name, None).resolved().errors for name in NAMES]


@given(teams(), wishes(), st.booleans())
def test_every_pod_is_admitted_after_a_write(team, items, is_template_only):
    rules = ApplyRules(is_template_only=is_template_only)

    for change in plan_of(team, report(*items), rules).changes:
        assert write(team, change, is_dry_run=False).outcome is Outcome.WRITTEN

    assert errors(team) == [(), ()]


@given(teams(), wishes(), st.booleans())
def test_a_second_write_finds_nothing_to_do(team, items, is_template_only):
    rules = ApplyRules(is_template_only=is_template_only, has_changed=True)
    for change in plan_of(team, report(*items), rules).changes:
        write(team, change, is_dry_run=False)

    again = plan_of(team, report(*items), rules)

    refused = {row.number for row in again.others if row.outcome is Outcome.REFUSED}
    assert [
        row.number for change in again.changes for row in change.rows if row.number not in refused
    ] == []


@given(teams(), wishes())
def test_a_profile_is_lowered_only_where_all_its_users_ask_for_it(team, items):
    plan = plan_of(team, report(*items), ApplyRules())
    wished = {each.identity.workload for each in items}

    for change in plan.changes:
        if change.resource != WORKLOAD_PROFILES:
            continue
        for field in change.fields:
            key = "tflops-request" if "requests" in field.path else "tflops-limit"
            users = {
                obj["metadata"]["name"]
                for objects, _ in team.pages(WORKLOADS, namespace=NAMESPACE)
                for obj in objects
                if obj["status"]["effective"][key]["source"] == "profile small"
            }
            before = {"tflops-request": 40.0, "tflops-limit": 80.0}[key]
            is_raised = (
                float(field.after.removesuffix("m")) * (0.001 if field.after.endswith("m") else 1.0)
                >= before
            )
            assert is_raised or users <= wished
