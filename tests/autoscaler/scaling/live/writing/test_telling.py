"""Which events follow from what a status shows now and did not before."""

import pytest

from autoscaler.api.names import Condition
from autoscaler.scaling.live.status.statement import Said, Shown
from autoscaler.scaling.live.writing.telling import differences

NOTHING = Shown()


def saying(kind, reason, message="text", *, is_true=True):
    return Shown(said={kind: Said(is_true=is_true, reason=reason, message=message)})


def told(before, after):
    return [(each.reason, each.type, each.note) for each in differences(before, after)]


STALE = saying(Condition.STALE_METRICS, "StaleMetrics")
HELD = saying(Condition.REPLICAS_NOT_SCALED, "OtherAutoscaler")
INVALID = saying(Condition.RESOURCE_UPDATE, "InvalidAutoScalingConfig", is_true=False)
FAILED = saying(Condition.EXTERNAL_SCALER, "Failed", is_true=False)
NOON = Shown(cron_rule={"name": "noon"})


@pytest.mark.parametrize(
    ("shown", "event"),
    [
        (STALE, "StaleMetrics"),
        (HELD, "ReplicasNotScaled"),
        (INVALID, "InvalidAutoScalingConfig"),
        (FAILED, "ExternalScalerFailed"),
    ],
)
def test_trouble_is_told_when_it_comes_and_not_while_it_stays_or_goes(shown, event):
    assert told(NOTHING, shown) == [(event, "Warning", "text")]
    assert told(shown, shown) == []
    assert told(shown, NOTHING) == []


def test_another_reason_for_replicas_that_are_left_is_told_again():
    forbidden = saying(Condition.REPLICAS_NOT_SCALED, "Forbidden")
    assert [each[0] for each in told(HELD, forbidden)] == ["ReplicasNotScaled"]


@pytest.mark.parametrize(
    "shown",
    [
        saying(Condition.RECOMMENDATION_PROVIDED, "NoSamples", is_true=False),
        saying(Condition.RESOURCE_UPDATE, "Held", is_true=False),
        saying(Condition.EXTERNAL_SCALER, "NotAskedYet", is_true=None),
        saying(Condition.EXTERNAL_SCALER, "Answered"),
    ],
)
def test_what_is_no_trouble_of_the_workload_is_not_told(shown):
    assert told(NOTHING, shown) == []


def test_windows_of_cron_rules_are_told_when_they_open_and_close():
    night = Shown(cron_rule={"name": "night"})
    assert told(NOTHING, NOON) == [
        ("CronRuleActive", "Normal", "the window of cron rule noon is open")
    ]
    assert [each[0] for each in told(NOON, night)] == ["CronRuleInactive", "CronRuleActive"]
    assert told(NOON, NOTHING) == [
        ("CronRuleInactive", "Normal", "the window of cron rule noon is over")
    ]
