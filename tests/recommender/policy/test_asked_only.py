"""Workloads that enrol nothing but cron rules or an external scaler."""

import pytest

from recommender.policy.model import Dimension, Follows, Mode
from recommender.policy.parse import parse_auto_scaling_config

NIGHT = {"enable": True, "name": "night", "start": "0 22 * * *", "end": "0 6 * * *"}
MORE_TFLOPS = {**NIGHT, "desiredResources": {"requests": {"tflops": "60"}}}
MORE_REPLICAS = {**NIGHT, "desiredReplicas": 4}
EXTERNAL = {"enable": True, "url": "http://scaler.example"}


def followed(config):
    """Return what each layer follows, by layer and dimension; layers that are off are left out."""
    made = parse_auto_scaling_config(config)
    rules = {f"{side} {d}": rules[d] for d in Dimension
             for side, rules in (("requests", made.requests), ("limits", made.limits))}  # fmt: skip
    rules["replicas"] = made.replicas
    return {name: rule.follows for name, rule in rules.items() if rule.is_enrolled}


def test_a_rule_alone_acts_on_the_amounts_that_it_names():
    assert followed({"cronScalingRules": [MORE_TFLOPS]}) == {
        "requests compute": Follows.CRON,
        "limits compute": Follows.CRON,
    }


def test_a_rule_of_replicas_alone_acts_on_replicas():
    assert followed({"cronScalingRules": [MORE_REPLICAS]}) == {"replicas": Follows.CRON}


def test_an_external_scaler_alone_acts_on_all_amounts_and_on_no_replicas():
    assert followed({"externalScaler": EXTERNAL}) == {
        "requests compute": Follows.ANSWERS,
        "limits compute": Follows.ANSWERS,
        "requests vram": Follows.ANSWERS,
        "limits vram": Follows.ANSWERS,
    }


@pytest.mark.parametrize(
    "config",
    [
        {"cronScalingRules": [{**MORE_TFLOPS, "enable": False}]},
        {"cronScalingRules": [{**MORE_TFLOPS, "start": "0 0 30 2 *"}]},
        {"externalScaler": {**EXTERNAL, "enable": False}},
        {"externalScaler": {"enable": True}},
    ],
)
def test_what_is_off_or_faulty_enrols_nothing(config):
    assert followed(config) == {}


@pytest.mark.parametrize(
    ("block", "acting"),
    [
        (
            {"autoSetRequests": {"enable": True, "targetResource": "vram"}},
            {"requests vram": Follows.USE},
        ),
        (
            {"autoSetLimits": {"enable": True, "targetResource": "compute"}},
            {"limits compute": Follows.USE},
        ),
        ({"autoSetResources": {"enable": True}}, {}),
    ],
)
def test_a_block_that_is_on_bounds_what_rules_and_endpoint_may_change(block, acting):
    config = {**block, "cronScalingRules": [MORE_TFLOPS], "externalScaler": EXTERNAL}
    assert followed(config) == acting


def test_blocks_that_contradict_each_other_do_not_act_and_leave_the_rule_alone():
    both = {
        "autoSetResources": {"enable": True, "targetResource": "all"},
        "autoSetRequests": {"enable": True},
    }
    assert followed({**both, "cronScalingRules": [MORE_TFLOPS]}) == {
        "requests compute": Follows.CRON,
        "limits compute": Follows.CRON,
    }


def test_auto_replicas_beside_a_rule_follows_demand():
    config = {"autoSetReplicas": {"enable": True}, "cronScalingRules": [MORE_REPLICAS]}
    assert followed(config) == {"replicas": Follows.USE}


@pytest.mark.parametrize("mode", list(Mode))
def test_they_go_as_far_as_the_configuration_lets_them(mode):
    rule = {**MORE_TFLOPS, **MORE_REPLICAS}
    made = parse_auto_scaling_config({"mode": str(mode), "cronScalingRules": [rule]})
    assert made.requests[Dimension.COMPUTE].mode is mode
    assert made.limits[Dimension.COMPUTE].mode is mode
    assert made.replicas.mode is mode


def test_a_mode_that_cannot_be_read_lets_them_only_recommend():
    made = parse_auto_scaling_config({"mode": "fast", "cronScalingRules": [MORE_TFLOPS]})
    assert made.requests[Dimension.COMPUTE].mode is Mode.RECOMMEND


def test_where_they_were_enrolled_is_told():
    made = parse_auto_scaling_config({"externalScaler": EXTERNAL}, source="profile team/small")
    assert made.source_of("requests.vram.is_enrolled") == "profile team/small"
    cron = parse_auto_scaling_config({"cronScalingRules": [MORE_REPLICAS]}, source="pool rule a")
    assert cron.source_of("replicas.is_enrolled") == "pool rule a"
