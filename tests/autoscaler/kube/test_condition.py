import pytest

from autoscaler.api.names import Condition
from autoscaler.kube.condition import condition

NOW_S = 1_767_225_600.9
BEFORE = "2025-12-31T00:00:00Z"


def shown_with(*conditions, generation=3):
    return {"metadata": {"generation": generation}, "status": {"conditions": list(conditions)}}


def ready(status, since=BEFORE):
    return {"type": "Ready", "status": status, "lastTransitionTime": since}


def test_a_new_condition_begins_now():
    assert condition(
        shown_with(), Condition.READY, is_true=True, reason="WorkersReady", now_s=NOW_S
    ) == {
        "type": "Ready",
        "status": "True",
        "reason": "WorkersReady",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 3,
    }


@pytest.mark.parametrize("is_true", [True, False, None])
def test_the_time_stays_while_the_status_does(is_true):
    status = {True: "True", False: "False", None: "Unknown"}[is_true]
    made = condition(
        shown_with(ready(status)),
        "Ready",
        is_true=is_true,
        reason="Other",
        message="other",
        now_s=NOW_S,
    )
    assert (made["status"], made["reason"], made["message"]) == (status, "Other", "other")
    assert made["lastTransitionTime"] == BEFORE


def test_the_time_is_new_when_the_status_changes():
    made = condition(shown_with(ready("True")), "Ready", is_true=False, reason="Lost", now_s=NOW_S)
    assert made["lastTransitionTime"] == "2026-01-01T00:00:00Z"


def test_the_time_of_another_type_does_not_matter():
    shown = shown_with({**ready("True"), "type": "Other"})
    made = condition(shown, "Ready", is_true=True, reason="Fine", now_s=NOW_S)
    assert made["lastTransitionTime"] == "2026-01-01T00:00:00Z"


def test_an_object_without_status_or_generation_gets_its_first_condition():
    made = condition({"metadata": {}}, "Ready", is_true=None, reason="Starting", now_s=NOW_S)
    assert (made["status"], "observedGeneration" in made) == ("Unknown", False)


@pytest.mark.parametrize("reason", ["A", "NoGPU", "A_b,c:d", "quota2"])
def test_reasons_that_the_api_takes_are_taken(reason):
    assert condition(shown_with(), "Ready", is_true=True, reason=reason, now_s=NOW_S)["reason"] == (
        reason
    )


@pytest.mark.parametrize("reason", ["", "2much", "no gpu", "Ends:", "NoGPU\n", "A" * 1025])
def test_other_reasons_are_a_defect(reason):
    with pytest.raises(ValueError, match=r"condition Ready: reason .*; allowed: up to 1024"):
        condition(shown_with(), "Ready", is_true=True, reason=reason, now_s=NOW_S)


def test_a_message_that_is_too_long_is_a_defect():
    with pytest.raises(ValueError, match=r"message of 32769 characters; allowed: up to 32768"):
        condition(shown_with(), "Ready", is_true=True, reason="A", message="x" * 32769, now_s=NOW_S)
