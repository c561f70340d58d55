from dataclasses import replace

import pytest

from autoscaler.errors import UsageError
from autoscaler.kube.certificate_secret import StoredCertificates
from autoscaler.kube.certificates import CLOCKS_DIFFER_S, KeyPair, new_authority_and_serving
from autoscaler.kube.rotation import (
    SOON_S,
    RotationRules,
    RotationState,
    Step,
    after,
    next_step,
)
from autoscaler.kube.rotation_action import Action

NAME = "webhook.system.svc"
NOW_S = 1_800_000_000.0
RULES = RotationRules(lifetime_s=9000, settle_s=60, overlap_s=500)
DUE_S = NOW_S - CLOCKS_DIFFER_S + 2 / 3 * (9000 + CLOCKS_DIFFER_S)


def issued(now_s=NOW_S, name=NAME):
    return new_authority_and_serving([name], now_s=now_s, lifetime_s=RULES.lifetime_s)


A, B = issued(), issued(DUE_S)
STEADY = RotationState(
    stored=StoredCertificates(authorities=(A.authority,), serving=A.serving, serving_since_s=NOW_S),
    server_name=NAME,
    carried=((A.authority,), (A.authority,)),
    carried_since_s=NOW_S,
    served=(A.serving.certificate, A.serving.certificate),
)
STAGED = replace(
    STEADY,
    stored=replace(STEADY.stored, authorities=(A.authority, B.authority), following=B.serving),
    carried_since_s=None,
)
BOTH = (A.authority, B.authority)
SPREAD = replace(STAGED, carried=(BOTH, BOTH), carried_since_s=DUE_S)
SWITCHED = replace(
    SPREAD,
    stored=StoredCertificates(authorities=BOTH, serving=B.serving, serving_since_s=DUE_S),
)
EMPTY = RotationState(stored=StoredCertificates(), server_name=NAME)


def step(state, now_s):
    return next_step(state, now_s, RULES)


def carried_out(state, now_s, issue=lambda: B):
    return after(step(state, now_s).action, state, issue, now_s)


@pytest.mark.parametrize(("lifetime_s", "share"), [(30, 0.3), (30, 0.9), (9000, 0.0), (9000, 1.0)])
def test_rules_by_which_a_new_certificate_is_renewed_at_once_or_never_are_refused(
    lifetime_s, share
):
    with pytest.raises(UsageError, match=r"certificate rotation: lifetime .*allowed: "):
        RotationRules(lifetime_s=lifetime_s, renew_at_share=share)


def test_an_empty_installation_gets_a_certificate_at_once():
    assert step(EMPTY, NOW_S).action is Action.ISSUE
    assert carried_out(EMPTY, NOW_S, lambda: A) == STEADY.stored


def test_nothing_happens_before_two_thirds_of_the_lifetime():
    at = step(STEADY, NOW_S)
    assert (at.action, at.look_again_s) == (Action.NOTHING, pytest.approx(DUE_S - NOW_S))
    assert step(STEADY, DUE_S - 1).action is Action.NOTHING
    assert carried_out(STEADY, DUE_S - 1) == STEADY.stored


def test_then_a_new_authority_joins_the_bundle_and_nothing_else_is_served():
    assert step(STEADY, DUE_S).action is Action.STAGE
    assert carried_out(STEADY, DUE_S) == STAGED.stored


def test_it_waits_until_every_entry_carries_both_authorities():
    for carried in (((A.authority,),) * 2, (BOTH, (A.authority,)), (BOTH, ())):
        state = replace(STAGED, carried=carried)
        assert step(state, DUE_S) == Step(
            action=Action.NOTHING,
            reason="the new authority is not in all webhook configurations yet",
            look_again_s=SOON_S,
        )


def test_it_waits_for_api_servers_that_learn_late():
    at = step(SPREAD, DUE_S + 59)
    assert (at.action, at.look_again_s) == (Action.NOTHING, 1.0)
    unseen = replace(SPREAD, carried_since_s=None)
    assert step(unseen, DUE_S + 1000).look_again_s == 60.0


def test_then_the_new_certificate_is_served():
    assert step(SPREAD, DUE_S + 60).action is Action.SWITCH
    assert carried_out(SPREAD, DUE_S) == SPREAD.stored
    assert carried_out(SPREAD, DUE_S + 60) == replace(SWITCHED.stored, serving_since_s=DUE_S + 60)


def test_where_no_entry_is_filled_nobody_is_waited_for():
    assert step(replace(STAGED, carried=()), DUE_S).action is Action.SWITCH


@pytest.mark.parametrize(
    ("passed_s", "served", "action"),
    [
        (499, (B, B), Action.NOTHING),
        (500, (B, A), Action.NOTHING),
        (500, (B, None), Action.NOTHING),
        (500, (), Action.NOTHING),
        (500, (B, B), Action.DROP),
    ],
)
def test_the_old_authority_leaves_when_a_day_has_passed_and_nothing_needs_it(
    passed_s, served, action
):
    certificates = tuple(new and new.serving.certificate for new in served)
    state = replace(SWITCHED, served=certificates)
    assert step(state, DUE_S + passed_s).action is action


def test_dropping_leaves_the_authority_of_what_is_served():
    served = (B.serving.certificate,) * 2
    dropped = carried_out(replace(SWITCHED, served=served), DUE_S + 500)
    assert dropped == replace(SWITCHED.stored, authorities=(B.authority,))


def test_a_rotation_that_could_not_end_does_not_hinder_the_next():
    stuck = replace(SWITCHED, served=(A.serving.certificate,))
    later_s = DUE_S + 6500
    assert step(stuck, later_s).action is Action.STAGE
    c = issued(later_s)
    staged = carried_out(stuck, later_s, lambda: c)
    assert staged.authorities == (B.authority, c.authority), "that of A has expired"


def test_a_lost_secret_is_replaced_beside_what_is_still_served():
    lost = replace(STEADY, stored=StoredCertificates(), carried_since_s=NOW_S)
    assert step(lost, NOW_S).action is Action.STAGE
    assert carried_out(lost, NOW_S) == StoredCertificates(
        authorities=(A.authority, B.authority), following=B.serving
    )


def test_a_lost_secret_is_replaced_at_once_where_nothing_is_served():
    for state in (replace(STEADY, served=(None, None)), replace(STEADY, carried=())):
        lost = replace(state, stored=StoredCertificates())
        assert step(lost, NOW_S).action is Action.ISSUE
        stored = carried_out(lost, NOW_S)
        assert stored.serving == B.serving
        assert {*stored.authorities} == {B.authority} | {
            authority for entry in state.carried for authority in entry
        }


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (KeyPair(certificate="x", key="y"), "is not a certificate with a private key"),
        (KeyPair(certificate=A.serving.certificate, key=B.serving.key), "does not belong"),
        (issued().serving, "is not verified"),
        (issued(name="old.system.svc").serving, "is not for the name"),
    ],
)
def test_an_unusable_certificate_is_replaced_and_the_reason_is_told(pair, words):
    broken = replace(STEADY, stored=replace(STEADY.stored, serving=pair))
    due = step(broken, NOW_S)
    assert (due.action, words in due.reason) == (Action.STAGE, True)


def test_an_expired_certificate_is_replaced_at_once_as_nothing_works_with_it():
    expired = replace(STEADY, served=(None, None))
    late_s = NOW_S + RULES.lifetime_s
    assert step(expired, late_s).action is Action.ISSUE
    assert carried_out(expired, late_s).authorities == (B.authority,)


def test_a_staged_certificate_helps_out_without_waiting_where_nothing_works():
    broken = replace(SPREAD, served=(None, None))
    assert step(broken, NOW_S + RULES.lifetime_s).action is Action.SWITCH


def test_a_staged_certificate_that_cannot_be_used_is_staged_anew():
    broken = replace(
        SPREAD, stored=replace(SPREAD.stored, following=KeyPair(certificate="x", key="y"))
    )
    assert step(broken, DUE_S + 60).action is Action.STAGE


def test_a_bundle_that_was_lost_is_restored_from_the_entries():
    lost = replace(STEADY, stored=replace(STEADY.stored, authorities=()))
    assert step(lost, NOW_S).action is Action.ADOPT
    assert carried_out(lost, NOW_S) == STEADY.stored


def test_a_usable_certificate_of_somebody_else_is_kept_and_overlaps():
    c = issued()
    theirs = StoredCertificates(authorities=(c.authority,), serving=c.serving)
    state = replace(STEADY, stored=theirs)
    assert step(state, NOW_S).action is Action.ADOPT
    assert carried_out(state, NOW_S) == StoredCertificates(
        authorities=(c.authority, A.authority), serving=c.serving, serving_since_s=NOW_S
    )
