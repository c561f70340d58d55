import pytest

from autoscaler.api.names import IS_DEFAULT_POOL
from autoscaler.webhook.admission import Admission
from tests.autoscaler.webhook.checking import checked, error_of, warnings_of
from tests.autoscaler.webhook.clusters import pool

DEFAULT = f"annotation {IS_DEFAULT_POOL}"
PERIOD = {"autoSetLimits": {"evaluationPeriod": "-5m"}}


def test_a_sound_pool_is_accepted_without_a_word():
    sound = pool(
        "gpus",
        is_default=False,
        nodeSelector={"nvidia.com/gpu.present": "true", "empty": ""},
        rules=[
            {
                "name": "inference",
                "podSelector": {
                    "matchLabels": {"app": "x"},
                    "matchExpressions": [
                        {"key": "example.com/team", "operator": "In", "values": ["a"]},
                        {"key": "batch", "operator": "DoesNotExist"},
                    ],
                },
                "autoScalingConfig": {"autoSetLimits": {"enable": True}},
            },
            {"name": "others", "podSelector": {}},
        ],
        qosConfig={"defaultQoS": "low"},
        placement={"mode": "LowLoadFirst"},
        capacityConfig={"oversubscription": {"tflopsOversellRatio": "500"}},
        componentConfig={"limiter": {"resources": {"limits": {"cpu": "1"}}}},
    )

    assert checked(sound) == Admission()


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (
            {"rules": [{"name": "a"}, {"name": "b"}, {"name": "a"}]},
            (
                "spec.rules[2].name: 'a' is also the name of spec.rules[0]; allowed: a name that "
                "no other rule has"
            ),
        ),
        (
            {"rules": [{"podSelector": {}}]},
            "spec.rules[0].name: not set; allowed: a name that no other rule has",
        ),
        (
            {"rules": [{"name": "a", "autoScalingConfig": PERIOD}]},
            "spec.rules[0].autoScalingConfig.autoSetLimits.evaluationPeriod: '-5m' is not valid; "
        ),
        (
            {"qosConfig": {"defaultQoS": "superb"}},
            (
                "spec.qosConfig.defaultQoS: 'superb' is not valid; allowed: low, medium, high, "
                "critical"
            ),
        ),
        (
            {"placement": {"mode": "Random"}},
            "spec.placement.mode: 'Random' is not valid; allowed: CompactFirst, LowLoadFirst",
        ),
        (
            {"placement": {"preemption": "Always"}},
            "spec.placement.preemption: 'Always' is not valid; allowed: Never, LowerQoS",
        ),
        (
            {"nodeSelector": {"gpu": "not a value"}},
            (
                "spec.nodeSelector[gpu]: 'not a value' is not valid; allowed: at most 63 letters, "
                "digits, '-', '_' and '.', with a letter or a digit at both ends"
            ),
        ),
    ],
)  # fmt: skip
def test_a_pool_that_cannot_be_meant_is_refused(spec, error):
    assert error_of(pool(**spec)).startswith(error)


@pytest.mark.parametrize("ratio", [99, "0", "-100", "much", "500%"])
def test_less_than_there_is_cannot_be_sold(ratio):
    spec = {"capacityConfig": {"oversubscription": {"tflopsOversellRatio": ratio}}}

    assert error_of(pool(**spec)) == (
        f"spec.capacityConfig.oversubscription.tflopsOversellRatio: {ratio!r} is not valid; "
        "allowed: a quantity of percent, 100 (as much as there is) or more"
    )


@pytest.mark.parametrize(
    ("requirement", "error"),
    [
        ({"key": "a", "operator": "In"}, "values: empty; allowed with In: at least one value"),
        (
            {"key": "a", "operator": "Exists", "values": ["b"]},
            "values: b; allowed with Exists: none",
        ),
        (
            {"key": "a", "operator": "Gt", "values": ["1"]},
            "operator: 'Gt' is not valid; allowed: In, NotIn, Exists, DoesNotExist",
        ),
        (
            {"key": "-", "operator": "Exists"},
            "key: '-' is not valid; allowed: a label key such as app or example.com/team",
        ),
    ],
)
def test_a_selector_that_kubernetes_would_refuse_is_refused(requirement, error):
    rules = [{"name": "a", "podSelector": {"matchExpressions": [requirement]}}]

    path = "spec.rules[0].podSelector.matchExpressions[0]"
    assert error_of(pool(rules=rules)) == f"{path}.{error}"


def test_the_name_of_a_pool_fits_into_a_label():
    assert error_of(pool("p" * 64, is_default=False)).startswith("metadata.name: ")


def test_a_second_default_pool_is_a_warning_that_says_which_counts():
    assert warnings_of(pool("another"), pool("first")) == (
        f"{DEFAULT}: several pools are the default one: another, first; the oldest counts: first",
    )


def test_an_older_pool_that_becomes_the_default_one_counts():
    pools = (pool("old", is_default=False), pool("new"))

    assert checked(pool("old"), *pools, old=pools[0]).warnings == (
        f"{DEFAULT}: several pools are the default one: new, old; the oldest counts: old",
    )


def test_the_only_default_pool_is_no_warning():
    assert warnings_of(pool("first"), pool("first"), pool("other", is_default=False)) == ()


def test_a_mark_of_the_default_pool_that_means_nothing_is_a_warning():
    odd = pool("p")
    odd["metadata"]["annotations"] = {IS_DEFAULT_POOL: "yes"}

    assert warnings_of(odd) == (f"{DEFAULT}: 'yes' has no effect; allowed: true, false",)


def test_requests_of_the_limiter_that_do_not_count_are_a_warning():
    resources = {"requests": {"cpu": "10m"}, "limits": {"cpu": "1"}}

    assert warnings_of(pool(componentConfig={"limiter": {"resources": resources}})) == (
        (
            "spec.componentConfig.limiter.resources.requests.cpu: 10m has no effect: the limit 1 "
            "counts for both, so that pods keep their QoS class"
        ),
    )
