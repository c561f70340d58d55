import json

import pytest

from autoscaler.cli.leave_table import SCHEMA, render_json, render_table
from autoscaler.kube.resource import MUTATING_CONFIGURATIONS, PODS
from autoscaler.workloads.leaving.leaving import Action, Outcome, Step, Taken
from autoscaler.workloads.leaving.remaining import Remaining

STAYS = [
    Remaining(what="running workers", names=("team/a", "team/b")),
    Remaining(what="GPUPool", names=()),
]


def taken(**fields):
    step = {
        "action": Action.DELETE,
        "resource": PODS,
        "namespace": "team",
        "name": "web-1",
        "uid": "1",
    }
    outcome = {key: fields.pop(key) for key in ("outcome", "message") if key in fields}
    return Taken(step=Step(**step | fields), **{"outcome": Outcome.DONE, **outcome})


EMPTIED = taken(action=Action.EMPTY, resource=MUTATING_CONFIGURATIONS, namespace="", name="ours")


def test_without_a_terminal_it_must_be_told_to_go_on(tfa):
    ended = tfa("leave")

    assert (ended.code, ended.out) == (2, "")
    assert "give --yes, or --dry-run" in ended.err


def test_a_missing_kubeconfig_is_named(tfa, tmp_path):
    ended = tfa("leave", "--dry-run", "--kubeconfig", tmp_path / "none")

    assert (ended.code, ended.out) == (2, "")
    assert f"{tmp_path / 'none'}: there is no such file" in ended.err


@pytest.mark.parametrize("words", [("--namespace",), ("--output", "yaml"), ("now",)])
def test_wrong_arguments_are_refused(tfa, words):
    assert tfa("leave", "--yes", *words).code == 2


def test_the_table_has_a_line_for_each_step_and_counts_what_stays():
    failed = taken(outcome=Outcome.FAILED, message="403: forbidden")

    assert render_table([EMPTIED, failed], STAYS).splitlines() == [
        "ACTION  KIND                          OBJECT      OUTCOME",
        "empty   MutatingWebhookConfiguration  ours        done",
        "delete  Pod                           team/web-1  failed: 403: forbidden",
        "",
        "STAYS            COUNT",
        "running workers  2",
        "GPUPool          0",
    ]


def test_a_table_without_steps_says_so():
    assert render_table([], STAYS).splitlines()[:3] == [
        "Nothing to do.",
        "",
        "STAYS            COUNT",
    ]


def test_what_a_server_says_does_not_move_the_cursor():
    failed = taken(outcome=Outcome.FAILED, message="bad\x1b[2J\nnews")

    assert "\x1b" not in render_table([failed], STAYS)
    assert len(render_table([failed], STAYS).splitlines()) == 6


def test_json_has_every_name():
    document = json.loads(render_json([EMPTIED], STAYS))

    assert document == {
        "schema": SCHEMA,
        "steps": [
            {
                "action": "empty",
                "kind": "MutatingWebhookConfiguration",
                "namespace": "",
                "name": "ours",
                "outcome": "done",
                "message": "",
            }
        ],
        "stays": [
            {"what": "running workers", "names": ["team/a", "team/b"]},
            {"what": "GPUPool", "names": []},
        ],
    }
