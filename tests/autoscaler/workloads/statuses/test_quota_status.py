"""The status of a quota, for any use of its namespace."""

import pytest

from autoscaler.api.gpu_resource_quota import GPUResourceQuota
from autoscaler.kube.status_apply import is_new
from autoscaler.workloads.books.quota_use import QuotaUse
from autoscaler.workloads.statuses.quota_status import QUOTA_STATUS, quota_status
from tests.autoscaler.workloads.entries import amounts
from tests.autoscaler.workloads.objects import quota

NOW_S = 1_767_225_600.0
NOW = "2026-01-01T00:00:00Z"
USE = QuotaUse(requests=amounts(95, 8), limits=amounts(100, 16), workers=2)


def conditions(status):
    return {
        each["type"]: (each["status"], each["reason"], each["message"])
        for each in status["conditions"]
    }


def status_of(use=USE, **total):
    return quota_status(quota(total=total), use, now_s=NOW_S)


def test_what_is_in_use_is_told_and_what_is_far_from_its_maximum_is_not():
    assert status_of(requests={"tflops": 1000}) == {
        "observedGeneration": 1,
        "used": {
            "requests": {"tflops": "95", "vram": "8Gi"},
            "limits": {"tflops": "100", "vram": "16Gi"},
            "workers": 2,
        },
        "conditions": [
            {
                "type": kind,
                "status": "False",
                "reason": "WithinQuota",
                "message": "",
                "lastTransitionTime": NOW,
                "observedGeneration": 1,
            }
            for kind in ("AlertThresholdReached", "QuotaExceeded")
        ],
    }


def test_use_at_the_default_threshold_is_told():
    found = conditions(status_of(requests={"tflops": 100}, maxWorkers=3))
    assert found["AlertThresholdReached"] == (
        "True",
        "AlertThresholdReached",
        "95 % or more: spec.total.requests.tflops: 95 of 100 in use",
    )
    assert found["QuotaExceeded"] == ("False", "WithinQuota", "")


@pytest.mark.parametrize(("percent", "is_told"), [(94, "True"), (96, "False"), (0, "True")])
def test_a_threshold_of_its_own_counts(percent, is_told):
    found = conditions(status_of(requests={"tflops": 100}, alertThresholdPercent=percent))
    assert is_told == found["AlertThresholdReached"][0]


def test_nothing_in_use_reaches_no_threshold():
    found = conditions(status_of(QuotaUse(), maxWorkers=0, alertThresholdPercent=0))
    assert found["AlertThresholdReached"][0] == "False"


def test_more_in_use_than_a_lowered_quota_allows_is_told():
    found = conditions(status_of(requests={"tflops": 90}, limits={"vram": "15Gi"}))
    assert found["QuotaExceeded"] == (
        "True",
        "QuotaExceeded",
        "spec.total.requests.tflops: 95 of 90 in use; spec.total.limits.vram: 16Gi of 15Gi in use",
    )


def test_a_quota_that_cannot_be_read_leaves_open_whether_it_is_exceeded():
    found = conditions(status_of(requests={"tflops": "many"}, maxWorkers=2))
    status, reason, message = found["QuotaExceeded"]
    assert (status, reason) == ("Unknown", "InvalidQuota")
    assert message.startswith("spec.total.requests.tflops: 'many' is not valid; allowed: ")
    assert found["AlertThresholdReached"][0] == "True"


def test_a_maximum_that_is_exceeded_is_told_beside_one_that_cannot_be_read():
    status, _, message = conditions(status_of(requests={"tflops": "many"}, maxWorkers=1))[
        "QuotaExceeded"
    ]
    assert status == "True"
    assert message.startswith("spec.total.maxWorkers: 2 of 1 in use; spec.total.requests.tflops: ")


def test_a_status_that_is_shown_is_not_new():
    shown = quota(total={"maxWorkers": 1})
    shown["status"] = quota_status(shown, USE, now_s=NOW_S)
    assert not is_new(shown, quota_status(shown, USE, now_s=NOW_S + 60), QUOTA_STATUS)


def test_the_status_is_valid_for_the_kind():
    status = status_of(requests={"tflops": "many"}, maxWorkers=1)
    assert GPUResourceQuota.model_validate(quota() | {"status": status}).status is not None
