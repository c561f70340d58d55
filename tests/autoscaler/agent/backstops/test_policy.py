import pytest

from autoscaler.agent.accounting.finding import Finding, FindingKind
from autoscaler.agent.backstops.policy import (
    EVICTED_AGAIN_S,
    FROZEN_AGAIN_S,
    TOLD_AGAIN_S,
    Backstop,
    BackstopPolicy,
    Measure,
)


def _finding(kind=FindingKind.UNACCOUNTED, *, uid="a", uuid="GPU-a", pids=(7,)):
    return Finding(kind=kind, uid=uid, uuid=uuid, text="", pids=pids)


def _measures(policy, now_s, *findings):
    return [step.measure for step in policy.steps(findings or [_finding()], now_s)]


def test_nothing_is_done_when_backstops_are_off():
    assert _measures(BackstopPolicy(Backstop.OFF), 0.0) == []


@pytest.mark.parametrize(
    ("backstop", "measures"),
    [
        (Backstop.LOG, [Measure.TELL]),
        (Backstop.FREEZE, [Measure.TELL, Measure.FREEZE]),
        (Backstop.KILL, [Measure.TELL, Measure.KILL]),
        (Backstop.EVICT, [Measure.TELL, Measure.EVICT]),
    ],
)
def test_each_backstop_tells_and_does_what_it_is_named_for(backstop, measures):
    assert _measures(BackstopPolicy(backstop), 0.0) == measures


@pytest.mark.parametrize("backstop", Backstop)
def test_memory_alone_is_told_and_never_punished(backstop):
    measures = _measures(BackstopPolicy(backstop), 0.0, _finding(FindingKind.MEMORY))

    assert measures == ([] if backstop is Backstop.OFF else [Measure.TELL])


@pytest.mark.parametrize(
    ("backstop", "measure", "again_s"),
    [
        (Backstop.LOG, Measure.TELL, TOLD_AGAIN_S),
        (Backstop.FREEZE, Measure.FREEZE, FROZEN_AGAIN_S),
        (Backstop.EVICT, Measure.EVICT, EVICTED_AGAIN_S),
        (Backstop.KILL, Measure.KILL, 0.1),
    ],
)
def test_what_was_done_is_done_again_only_after_a_while(backstop, measure, again_s):
    policy = BackstopPolicy(backstop)
    policy.steps([_finding()], 0.0)

    just_before, due = _measures(policy, again_s * 0.99), _measures(policy, again_s)

    assert measure in due
    assert measure not in just_before or measure is Measure.KILL


def test_each_kind_of_finding_is_told_on_each_gpu():
    policy = BackstopPolicy(Backstop.LOG)
    findings = [_finding(), _finding(uuid="GPU-b"), _finding(FindingKind.OVER_SHARE)]

    assert _measures(policy, 0.0, *findings) == [Measure.TELL] * 3


def test_a_pod_is_frozen_once_for_all_its_findings_and_each_pod_for_its_own():
    policy = BackstopPolicy(Backstop.FREEZE)
    findings = [_finding(), _finding(uuid="GPU-b"), _finding(uid="b")]

    steps = policy.steps(findings, 0.0)

    frozen = [step.finding.uid for step in steps if step.measure is Measure.FREEZE]
    assert frozen == ["a", "b"]
