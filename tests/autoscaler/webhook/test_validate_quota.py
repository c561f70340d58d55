import pytest

from autoscaler.webhook.admission import Admission
from tests.autoscaler.webhook.checking import checked, error_of, warnings_of
from tests.autoscaler.webhook.clusters import made, quota


def test_a_sound_quota_is_accepted_without_a_word():
    sound = made(
        "GPUResourceQuota",
        "gold",
        spec={
            "total": {
                "requests": {"tflops": "100", "vram": "200Gi"},
                "limits": {"tflops": 300},
                "maxWorkers": 20,
                "alertThresholdPercent": 95,
            },
            "single": {
                "maxRequests": {"tflops": "20", "vram": "40Gi"},
                "maxLimits": {"tflops": "40"},
                "maxGPUCount": 8,
                "defaultRequests": {"tflops": "20"},
                "defaultLimits": {"tflops": "40"},
            },
            "allowedQoS": ["low", "critical"],
        },
    )

    assert checked(sound) == Admission()


@pytest.mark.parametrize(
    ("single", "error"),
    [
        (
            {"defaultRequests": {"tflops": 20}, "maxRequests": {"tflops": 10}},
            (
                "spec.single.defaultRequests.tflops: 20 is above spec.single.maxRequests.tflops; "
                "allowed: at most 10"
            ),
        ),
        (
            {"defaultLimits": {"vram": "2Gi"}, "maxLimits": {"vram": "1Gi"}},
            (
                "spec.single.defaultLimits.vram: 2Gi is above spec.single.maxLimits.vram; "
                "allowed: at most 1Gi"
            ),
        ),
        (
            {"defaultRequests": {"compute": 60}, "defaultLimits": {"compute": 50}},
            (
                "spec.single.defaultRequests.compute: 60 is above "
                "spec.single.defaultLimits.compute; allowed: at most 50"
            ),
        ),
        (
            {"maxRequests": {"tflops": "-3"}},
            "spec.single.maxRequests.tflops: '-3' is negative; allowed: 0 or more",
        ),
        (
            {"maxGPUCount": 129},
            "spec.single.maxGPUCount: 129 is not valid; allowed: a whole number from 1 to 128",
        ),
        (
            {"maxGPUCount": True},
            "spec.single.maxGPUCount: True is not valid; allowed: a whole number from 1 to 128",
        ),
    ],
)
def test_a_quota_that_contradicts_itself_is_refused(single, error):
    assert error_of(quota(**single)) == error


@pytest.mark.parametrize(
    ("total", "error"),
    [
        (
            {"limits": {"vram": "lots"}},
            (
                "spec.total.limits.vram: 'lots' is not valid; allowed: a Kubernetes quantity such "
                "as 500m, 12, 1.5k or 16Gi: a number with one of the suffixes n u m k M G T P E Ki "
                "Mi Gi Ti Pi Ei, or with an exponent such as 2e3; no blanks"
            ),
        ),
        (
            {"alertThresholdPercent": 101},
            (
                "spec.total.alertThresholdPercent: 101 is not valid; allowed: a whole number from "
                "0 to 100"
            ),
        ),
        (
            {"maxWorkers": -1},
            (
                "spec.total.maxWorkers: -1 is not valid; allowed: a whole number from 0 to "
                "2147483647"
            ),
        ),
    ],
)
def test_totals_of_a_quota_are_checked(total, error):
    assert error_of(made("GPUResourceQuota", "gold", spec={"total": total})) == error


def test_only_known_levels_may_be_allowed():
    assert error_of(quota(allowed_qos=["low", "superb"])) == (
        "spec.allowedQoS[1]: 'superb' is not valid; allowed: low, medium, high, critical"
    )


def test_what_a_quota_says_in_vain_is_a_warning():
    vain = made(
        "GPUResourceQuota",
        "gold",
        spec={
            "total": {"requests": {"tflops": 10}},
            "single": {"maxRequests": {"tflops": 20}, "maxLimits": {"vram": 0}},
            "allowedQoS": [],
        },
    )

    assert warnings_of(vain) == (
        "spec.allowedQoS: an empty list counts as not set: low, medium, high are allowed",
        "spec.single.maxRequests.tflops: 20 is out of reach: spec.total.requests.tflops is 10",
        "spec.single.maxLimits.vram: 0 sets no maximum",
    )


def test_a_default_limit_that_no_request_may_reach_is_a_warning():
    single = {"defaultLimits": {"tflops": 20}, "maxRequests": {"tflops": 10}}

    assert warnings_of(quota(**single)) == (
        (
            "spec.single.defaultLimits.tflops: 20 is also the request of workloads that state "
            "none, and spec.single.maxRequests.tflops 10 refuses it; set "
            "spec.single.defaultRequests.tflops"
        ),
    )
    assert warnings_of(quota(**single, defaultRequests={"tflops": 5})) == ()


def test_defaults_behind_those_of_another_quota_are_a_warning():
    defaults = {"defaultRequests": {"tflops": 5}}

    assert warnings_of(quota("b", **defaults), quota("a")) == (
        (
            "spec.single: its defaults have no effect: those of GPUResourceQuota a, the first by "
            "name in this namespace, count"
        ),
    )
    assert warnings_of(quota("b", **defaults), quota("c"), quota("b")) == ()
