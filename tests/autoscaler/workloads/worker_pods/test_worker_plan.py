"""Workers are replaced within the bounds of the rolling update, and it always ends."""

from hypothesis import assume, given
from hypothesis import strategies as st

from autoscaler.workloads.pod_state import is_serving
from autoscaler.workloads.worker_pods.rolling_update import RollingUpdate, read_rolling_update
from autoscaler.workloads.worker_pods.worker_plan import plan_workers

NEW, OLD = "new", "old"
SHARES = st.one_of(st.integers(0, 4), st.integers(0, 100).map(lambda share: f"{share}%"))
ROLLING = st.builds(RollingUpdate, max_surge=SHARES, max_unavailable=SHARES)
PODS = st.lists(st.tuples(st.sampled_from([NEW, OLD]), st.booleans()), max_size=12)


def worker(number, template_hash=NEW, *, ready=True, phase="Running"):
    return {
        "metadata": {
            "name": f"w{number}",
            "uid": f"uid-{number}",
            "creationTimestamp": f"2026-01-01T00:00:{number % 60:02}Z",
            "labels": {"pod-template-hash": template_hash},
        },
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def plan(pods, *, wanted, template_hash=NEW, rolling_update=None, **fields):
    return plan_workers(
        pods,
        wanted=wanted,
        template_hash=template_hash,
        rolling_update=rolling_update or RollingUpdate(),
        connections=fields.get("connections", lambda name: 0),
        is_failure_due=fields.get("is_failure_due", True),
    )


def deleted(made):
    return [each.pod["metadata"]["name"] for each in made.deletions]


@given(PODS, st.integers(0, 8), ROLLING)
def test_a_replacement_stays_within_its_bounds_and_ends_with_the_wanted_workers(
    found, wanted, rolling_update
):
    pods = [worker(i, each, ready=ready) for i, (each, ready) in enumerate(found)]
    number, most = len(pods), max(len(pods), wanted + rolling_update.surge(wanted))
    for _ in range(60):
        made = plan(pods, wanted=wanted, rolling_update=rolling_update)
        before = sum(map(is_serving, pods))
        pods = [pod for pod in pods if pod["metadata"]["name"] not in deleted(made)]
        after = sum(map(is_serving, pods))
        assert after >= min(before, wanted - rolling_update.unavailable(wanted))
        pods += [worker(number + i, ready=False) for i in range(made.created)]
        number += made.created
        assert len(pods) <= most
        if not made.created and not made.deletions and all(map(is_serving, pods)):
            break
        pods = [
            worker(int(pod["metadata"]["name"][1:]), pod["metadata"]["labels"]["pod-template-hash"])
            for pod in pods
        ]
    assert len(pods) == wanted
    assert {pod["metadata"]["labels"]["pod-template-hash"] for pod in pods} <= {NEW}


@given(PODS, st.integers(0, 8), ROLLING)
def test_no_pod_is_deleted_twice_and_a_settled_workload_is_left_alone(
    found, wanted, rolling_update
):
    pods = [worker(i, each, ready=ready) for i, (each, ready) in enumerate(found)]
    names = deleted(plan(pods, wanted=wanted, rolling_update=rolling_update))
    assert len(names) == len(set(names))
    settled = [worker(i) for i in range(wanted)]
    made = plan(settled, wanted=wanted, rolling_update=rolling_update)
    assert (made.created, made.deletions) == (0, ())


@given(PODS, st.integers(0, 8))
def test_without_a_template_nothing_is_made_or_replaced(found, wanted):
    assume(len(found) >= wanted)
    pods = [worker(i, each, ready=ready) for i, (each, ready) in enumerate(found)]
    made = plan(pods, wanted=wanted, template_hash="")
    assert made.created == 0
    assert len(made.deletions) == len(found) - wanted


def test_of_too_many_the_unready_go_first_then_the_least_used_then_the_youngest():
    pods = [worker(1), worker(2), worker(3), worker(4, ready=False)]
    connections = {"w1": 5, "w2": 0, "w3": 0, "w4": 9}.__getitem__
    gone = [
        set(deleted(plan(pods, wanted=wanted, connections=connections))) for wanted in (3, 2, 1)
    ]
    assert gone == [{"w4"}, {"w4", "w3"}, {"w4", "w3", "w2"}]


def test_a_failed_worker_keeps_its_place_until_it_is_due():
    pods = [worker(1), worker(2, phase="Failed", ready=False)]
    waiting = plan(pods, wanted=2, is_failure_due=False)
    assert (waiting.created, waiting.deletions) == (0, ())
    due = plan(pods, wanted=2)
    assert (due.created, deleted(due)) == (1, ["w2"])


def test_a_share_surges_upwards_and_is_missing_downwards():
    update = RollingUpdate(max_surge="25%", max_unavailable="25%")
    assert [(update.surge(n), update.unavailable(n)) for n in (0, 1, 4, 10)] == [
        (1, 0),
        (1, 0),
        (1, 1),
        (3, 2),
    ]


def test_two_zeros_would_replace_nothing_so_that_one_may_surge():
    assert RollingUpdate(max_surge=0, max_unavailable=0).surge(3) == 1


def test_a_strategy_that_cannot_be_read_is_named():
    strategy = {"rollingUpdate": {"maxSurge": "x", "maxUnavailable": -1}}
    _, problems = read_rolling_update(strategy, "s")
    allowed = "is not valid; allowed: a count such as 1, or a share such as '25%'"
    assert problems == (
        f"s.rollingUpdate.maxSurge: 'x' {allowed}",
        f"s.rollingUpdate.maxUnavailable: -1 {allowed}",
    )
    assert read_rolling_update({"type": "RollingUpdate"}, "")[0] == RollingUpdate()
    assert read_rolling_update("fast", "s")[1] == ("s: 'fast' is not valid; allowed: a mapping",)
