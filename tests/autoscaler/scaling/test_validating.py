from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.scaling.cluster import Change, amounts
from autoscaler.scaling.planning import Effect, PlannedChange
from autoscaler.scaling.validating import Rejection, rejection_counts, validate
from recommender.decision import Layer
from recommender.resources import GIB
from tests.autoscaler.scaling.builders import policy, view

CHAT = view("chat", "auto-requests", "auto-limits", "auto-replicas")


def _plan(layer=Layer.LIMITS, resource="tflops", before=80.0, after=100.0, row=0, **more):
    kind = {Layer.REQUESTS: "request", Layer.LIMITS: "limit"}.get(layer)
    amount = {kind: amounts({resource: after})} if kind else {"replicas": int(after)}
    change = Change(namespace="team", workload="chat", uid=more.pop("uid", CHAT.uid), **amount)
    effect = Effect(
        layer=layer, resource=resource, before=before, after=after, reason="", code=None, **more
    )
    return PlannedChange(row=row, change=change, effects=(effect,))


def _reason(plan, now, decided_from=CHAT):
    validated = validate([plan], [decided_from], [] if now is None else [now])
    assert len(validated.accepted) + len(validated.rejected) == 1
    return validated.rejected[0].reason if validated.rejected else None


def test_a_change_whose_premises_hold_is_accepted():
    assert _reason(_plan(), CHAT) is None


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (None, Rejection.GONE),
        (replace(CHAT, uid="team-chat-2"), Rejection.RECREATED),
        (replace(CHAT, is_paused=True), Rejection.PAUSED),
        (replace(CHAT, policy=policy("auto-requests")), Rejection.NOT_ENROLLED),
        (
            replace(CHAT, stated_limit=amounts({"tflops": 90.0, "vram_bytes": 16 * GIB})),
            Rejection.STATED_CHANGED,
        ),
        (
            replace(CHAT, limit=amounts({"tflops": 81.0, "vram_bytes": 16 * GIB})),
            Rejection.IN_FORCE_CHANGED,
        ),
        (replace(CHAT, card=amounts({"tflops": 99.0})), Rejection.ABOVE_CARD),
    ],
)
def test_a_change_is_dropped_with_the_reason_why_it_no_longer_holds(now, expected):
    assert _reason(_plan(), now) is expected


def test_a_request_above_the_limit_in_force_is_dropped():
    plan = _plan(Layer.REQUESTS, before=40.0, after=90.0)

    assert _reason(plan, CHAT) is Rejection.REQUEST_ABOVE_LIMIT


def test_replicas_that_somebody_else_set_are_left_alone():
    plan = _plan(Layer.REPLICAS, "replicas", before=1.0, after=2.0)

    assert _reason(plan, replace(CHAT, replicas=4)) is Rejection.IN_FORCE_CHANGED


def test_a_change_of_another_number_does_not_matter():
    now = replace(CHAT, replicas=7, request=amounts({"tflops": 41.0, "vram_bytes": 10 * GIB}))

    assert _reason(_plan(), now) is None


def test_each_gpu_model_of_a_workload_is_compared_with_itself():
    other = replace(CHAT, gpu_model="H100", limit=amounts({"tflops": 90.0}))
    plan = _plan(row=1, before=90.0)

    validated = validate([_plan(), plan], [CHAT, other], [other, CHAT])

    assert validated.accepted == (_plan(), plan)


def test_a_gpu_model_that_no_worker_runs_on_any_more_is_told_from_a_workload_that_is_gone():
    assert _reason(_plan(), replace(CHAT, gpu_model="H100")) is Rejection.MOVED


def test_replicas_that_are_held_meanwhile_are_left_alone_and_amounts_are_not():
    held = replace(CHAT, replicas_held="HorizontalPodAutoscaler team/chat sets its replicas")
    scaling = _plan(Layer.REPLICAS, "replicas", before=1.0, after=2.0)

    assert _reason(scaling, held) is Rejection.REPLICAS_HELD
    assert _reason(_plan(), held) is None


@pytest.mark.parametrize(
    ("stated", "before", "expected"),
    [
        ({}, 16 * GIB, None),
        ({"vram_bytes": 12 * GIB}, 12 * GIB, None),
        ({"vram_bytes": 12 * GIB}, 16 * GIB, Rejection.IN_FORCE_CHANGED),
    ],
)
def test_an_amount_at_a_start_replaces_what_was_stated_for_starts(stated, before, expected):
    plan = _plan(resource="vram_bytes", before=before, after=14 * GIB, is_at_start=True)

    assert _reason(plan, replace(CHAT, start_limit=amounts(stated))) is expected


def test_one_bad_change_does_not_cost_the_others():
    good, bad = _plan(), _plan(uid="another")

    validated = validate([bad, good], [CHAT], [CHAT])

    assert validated.accepted == (good,)
    assert rejection_counts(validated.rejected) == {Rejection.RECREATED: 1}
