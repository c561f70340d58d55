"""``tfa apply`` before it reaches a cluster, and how its result is shown."""

import json

import pytest

from autoscaler.applying.planning import ApplyRules, plan_of
from autoscaler.applying.rows import Outcome
from autoscaler.applying.writing import Done
from autoscaler.cli.apply import DryRun
from autoscaler.cli.apply_audit import SCHEMA as AUDIT_SCHEMA
from autoscaler.cli.apply_audit import Audit
from autoscaler.cli.apply_run import code_of_result
from autoscaler.cli.apply_table import SCHEMA, Result, question, render_json, render_table
from autoscaler.cli.exits import ExitCode
from autoscaler.clock import SystemClock, VirtualClock
from autoscaler.errors import UsageError
from autoscaler.kube.resource import DEPLOYMENTS
from recommender.report.blocks import Severity
from recommender.report.jsonform import render_json as report_json
from tests.autoscaler.applying.reports import NOW_S, item, replica_item, report, vram_item
from tests.autoscaler.applying.team import owner, standing
from tests.autoscaler.kube.kubeconfigs import kubeconfig

REPLICAS = "replicas are the owner's own number: kubectl scale sets them"


@pytest.fixture
def saved(tmp_path):
    """Write a report that was made so many seconds ago."""

    def saved(age_s=0):
        path = tmp_path / "report.json"
        made = report(item(), generated_s=SystemClock().now_s() - age_s)
        path.write_text(report_json(made))
        return path

    return saved


@pytest.fixture
def nowhere(tmp_path):
    """Return a kubeconfig of a cluster that does not answer."""
    return kubeconfig(tmp_path / "config", token="t")


def result(*items, team=None, outcome=Outcome.WRITTEN, message="", dry_run=DryRun.NONE):
    plan = plan_of(team or standing(), report(*items), ApplyRules())
    done = [Done(change=each, outcome=outcome, message=message) for each in plan.changes]
    return Result(
        cluster="https://cluster.example",
        dry_run=dry_run,
        report=report(*items).meta,
        plan=plan,
        done=done,
    )


def code(shown):
    return code_of_result(shown.plan, shown.done)


def test_without_a_terminal_it_must_be_told_to_go_on(tfa, saved, nowhere):
    ended = tfa("apply", "--from", saved(), "--kubeconfig", nowhere)

    assert (ended.code, ended.out) == (2, "")
    assert "give --yes, or --dry-run" in ended.err


def test_an_old_report_is_refused_before_anything_is_asked(tfa, saved, nowhere):
    path = saved(age_s=3 * 86_400)

    ended = tfa("apply", "--from", path, "--yes", "--kubeconfig", nowhere)

    assert (ended.code, ended.out) == (2, "")
    assert "ago; allowed: at most 24h (--max-age)" in ended.err


def test_an_old_report_is_taken_where_that_is_said(tfa, saved, nowhere):
    path = saved(age_s=3 * 86_400)

    ended = tfa("apply", "--from", path, "--yes", "--max-age", "7d", "--kubeconfig", nowhere)

    assert ended.code == 3
    assert "no answer of https://127.0.0.1:1" in ended.err


@pytest.mark.parametrize("age", ["soon", "-1h", ""])
def test_an_age_that_is_none_is_refused(tfa, saved, nowhere, age):
    ended = tfa("apply", "--from", saved(), "--yes", f"--max-age={age}", "--kubeconfig", nowhere)

    assert ended.code == 2
    assert "--max-age" in ended.err


@pytest.mark.parametrize("other", ["--prometheus-url", "--autoscaler"])
def test_a_report_and_a_server_exclude_each_other(tfa, saved, other):
    ended = tfa("apply", "--from", saved(), other, "http://server.example")

    assert ended.code == 2
    assert "give either --from REPORT.json, or a Prometheus or --autoscaler" in ended.err


def test_a_file_that_is_no_report_is_named(tfa, tmp_path, nowhere):
    path = tmp_path / "report.json"
    path.write_text("{}")

    ended = tfa("apply", "--from", path, "--yes", "--kubeconfig", nowhere)

    assert ended.code == 3
    assert f"{path}: no usable report" in ended.err


@pytest.mark.parametrize(
    "words",
    [
        ("--dry-run", "maybe"),
        ("--write-to", "status"),
        ("-o", "html"),
        ("--min-change", "many", "--yes"),
    ],
)
def test_wrong_arguments_are_refused(tfa, saved, nowhere, words):
    assert tfa("apply", "--from", saved(), "--kubeconfig", nowhere, *words).code == 2


def test_a_selection_that_selects_nothing_says_so_and_writes_nothing(tfa, saved, nowhere):
    ended = tfa(
        "apply", "other/*", "--from", saved(), "--dry-run", "client", "--kubeconfig", nowhere
    )

    assert (ended.code, ended.out) == (0, "nothing to write (dry run: client)\n")
    assert "no item that is selected (workload other/*)" in ended.err


def test_a_workload_that_the_report_lacks_is_a_wrong_argument_and_close_ones_are_named(
    tfa, saved, nowhere
):
    ended = tfa(
        "apply", "team/chatt", "--from", saved(), "--dry-run", "client", "--kubeconfig", nowhere
    )

    assert (ended.code, ended.out) == (2, "")
    assert "no workload 'team/chatt' in the report; did you mean team/chat?" in ended.err


def test_the_table_shows_each_field_and_what_is_not_written():
    shown = result(item(), replica_item(), vram_item(severity=Severity.OK))

    assert render_table(shown).splitlines() == [
        "Deployment team/chat: a rollout of 3 pods (written)",
        "  - tensor-fusion.ai/tflops-request: 40",
        "  + tensor-fusion.ai/tflops-request: 12",
        "  - tensor-fusion.ai/tflops-limit: 80",
        "  + tensor-fusion.ai/tflops-limit: 24",
        "",
        "Not written:",
        f"  team/chat replicas: skipped, {REPLICAS}",
        "",
        "1 object written, 1 number skipped, 1 number needs no change",
    ]


def test_what_a_person_agrees_to_has_the_pods_that_are_made_anew():
    changes = result(item()).plan.changes

    assert question(changes).splitlines()[-1] == (
        "1 object would be written, and 3 pods made anew."
    )


def test_a_refused_number_shows_both_values_and_the_reason():
    shown = result(item(), team=standing(tflops_request="30", tflops_limit="90"))

    assert (
        "  team/chat tflops request 30 -> 12: refused, the report saw 40, and 30 is stated now"
    ) in render_table(shown)


def test_what_a_server_says_does_not_move_the_cursor():
    shown = result(item(), outcome=Outcome.FAILED, message="bad\x1b[2J\nnews")

    assert "\x1b" not in render_table(shown)


def test_json_has_the_objects_and_every_number():
    document = json.loads(render_json(result(item(), outcome=Outcome.FAILED, message="403")))

    assert (document["schema"], document["dryRun"], document["unchanged"]) == (SCHEMA, "none", 0)
    [written] = document["objects"]
    assert (written["kind"], written["name"], written["pods"]) == ("Deployment", "chat", 3)
    assert (written["outcome"], written["message"]) == ("failed", "403")
    assert written["fields"][0] == {
        "field": "tensor-fusion.ai/tflops-request",
        "before": "40",
        "after": "12",
    }
    assert [(each["side"], each["outcome"]) for each in written["numbers"]] == [
        ("request", "failed"),
        ("limit", "failed"),
    ]


def test_the_exit_code_tells_what_became_of_it():
    refused = standing(tflops_request="30", tflops_limit="80")
    both = result(item(), vram_item(), team=refused)

    assert code(result(item())) is ExitCode.OK
    assert code(result(item(severity=Severity.UNKNOWN))) is ExitCode.OK
    assert code(result(item(), outcome=Outcome.PLANNED)) is ExitCode.OK
    assert code(both) is ExitCode.PARTIAL
    assert code(result(item(), outcome=Outcome.REFUSED)) is ExitCode.PARTIAL
    assert code(result(item(), outcome=Outcome.FAILED)) is ExitCode.CANNOT_WORK


def test_each_write_leaves_a_line_for_people_and_one_for_machines(tmp_path):
    path = tmp_path / "audit.jsonl"
    [done] = result(item()).done

    with Audit(
        path,
        user="alice",
        cluster="https://cluster.example",
        report=report(item()).meta,
        clock=VirtualClock(NOW_S),
    ) as audit:
        told = [audit.tell(done), audit.tell(done)]

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert told[0] == (
        "2026-09-21T14:13:20Z alice wrote Deployment team/chat: tensor-fusion.ai/tflops-request "
        "40 -> 12, tensor-fusion.ai/tflops-limit 80 -> 24"
    )
    assert len(lines) == 2
    assert (lines[0]["schema"], lines[0]["user"], lines[0]["outcome"]) == (
        AUDIT_SCHEMA,
        "alice",
        "written",
    )
    assert (lines[0]["uid"], lines[0]["workloads"]) == ("1", ["team/chat"])


def test_an_audit_file_that_cannot_be_written_ends_the_command_before_it_writes(tmp_path):
    with pytest.raises(UsageError, match=r"--audit-file: .* cannot be written"):
        Audit(tmp_path, user="", cluster="", report=report().meta)


def test_two_deployments_are_two_objects():
    team = standing()
    team.add(DEPLOYMENTS, owner("search", tflops_request="40", tflops_limit="80"))

    shown = result(item(), item(workload="search", owner="Deployment/search"), team=team)

    assert render_table(shown).splitlines()[-1] == "2 objects written"
