import pytest

from autoscaler.cli.backtest_selection import selected_rows
from autoscaler.errors import UsageError

KEYS = [("batch", "train"), ("default", "one"), ("team", "chat"), ("team", "chat-2"), ("x", "a[1]")]


def rows(*workloads, namespaces=()):
    return selected_rows(KEYS, namespaces=namespaces, workloads=workloads)


def test_no_choice_keeps_everything():
    assert rows() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (["team/chat"], [2]),
        (["team/chat*"], [2, 3]),
        (["one"], [1]),
        (["*/train", "team/chat"], [0, 2]),
        (["x/a[1]"], [4]),
        (["team/chat", "team/*"], [2, 3]),
    ],
)
def test_workloads_are_chosen_by_name_or_glob(chosen, expected):
    assert rows(*chosen) == expected


def test_namespaces_are_globs_and_both_choices_hold():
    assert rows(namespaces=["t*", "batch"]) == [0, 2, 3]
    assert rows("*/chat", namespaces=["t*"]) == [2]


def test_every_name_that_is_not_there_is_named_with_those_like_it():
    with pytest.raises(UsageError) as error:
        rows("team/chaat", "batch/*x", namespaces=["teams"])
    namespace, name, glob = str(error.value).splitlines()
    assert namespace == "--namespace: 'teams' matches no measured namespace; did you mean team?"
    assert name.startswith("--workload: no measured workload 'team/chaat'; did you mean team/chat")
    assert glob.startswith("--workload: no measured workload 'batch/*x'")


def test_choices_that_exclude_each_other_are_named():
    with pytest.raises(UsageError, match=r"--namespace batch and named team/chat"):
        rows("team/chat", namespaces=["batch"])
