"""Settings of several layers, written as one configuration that means the same."""

from dataclasses import replace

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.policy.model import Dimension, Mode
from recommender.policy.parse import parse_auto_scaling_config, policy_from
from recommender.policy.resolve import resolve
from recommender.policy.schema import auto_scaling_config_schema
from recommender.policy.settings import merged, read_settings
from recommender.policy.written import written_config
from recommender.quantities import parse_quantity
from tests.recommender.policy.layered_settings import THEMES, layered_settings

VALIDATOR = jsonschema.Draft202012Validator(auto_scaling_config_schema())
BOTH = {"enable": True, "targetResource": "all"}


def layers(*configs):
    """Return the settings of configurations above one another, the lowest precedence first."""
    return merged(
        *(
            read_settings(config, path=f"layer {rank}", source=f"layer {rank}", rank=rank)
            for rank, config in enumerate(configs, 1)
        )
    )


def written(*configs):
    return written_config(layers(*configs)).config


def effect(policy):
    """Return what a policy does; how far a layer that is not enrolled might go does nothing."""

    def acting(rule):
        return rule if rule.is_enrolled else replace(rule, mode=Mode.RECOMMEND)

    return (
        {dimension: acting(rule) for dimension, rule in policy.requests.items()},
        {dimension: acting(rule) for dimension, rule in policy.limits.items()},
        acting(policy.replicas),
        [rule for rule in policy.cron if rule.is_enabled and rule.problem is None],
        policy.external,
        policy.scale_to_zero,
    )


def sets(config, block, dimension):
    """Return whether a block sizes a dimension, as the rules of the API read it."""
    given = config.get(block, {})
    target = given.get("targetResource", "" if block == "autoSetResources" else "all")
    return given.get("enable", False) and target in {dimension, "all"}


# laws


WORKLOADS = st.fixed_dictionaries(
    {
        "qos": st.sampled_from(("medium", "critical")),
        "gpu_model": st.sampled_from(("", "A100")),
        "is_job": st.booleans(),
    }
)


@pytest.mark.parametrize("theme", THEMES)
@given(st.data(), WORKLOADS)
def test_one_configuration_means_the_same_as_all_layers(theme, data, about):
    settings = data.draw(layered_settings(theme))
    alone = parse_auto_scaling_config(written_config(settings).config, **about)
    assert effect(alone) == effect(policy_from(settings, **about))


@given(layered_settings())
def test_what_was_written_is_written_again_as_it_is(settings):
    config = written_config(settings).config
    assert written(config) == config


@given(layered_settings())
def test_what_is_written_is_valid_and_spelt_as_the_schema_wants_it(settings):
    config = written_config(settings).config
    VALIDATOR.validate(config)
    assert layers(config).problems == ()


@given(layered_settings())
def test_what_is_written_never_contradicts_itself(settings):
    config = written_config(settings).config
    for block in ("autoSetRequests", "autoSetLimits"):
        for dimension in Dimension:
            assert not (
                sets(config, block, dimension) and sets(config, "autoSetResources", dimension)
            )
        least, most = (config.get(block, {}).get(f"{side}Allowed", {}) for side in ("min", "max"))
        for name in least.keys() & most.keys():
            assert parse_quantity(least[name]) <= parse_quantity(most[name])
    replicas = config.get("autoSetReplicas", {})
    assert replicas.get("minReplicas", 1) <= replicas.get("maxReplicas", 100_000)


@given(layered_settings())
def test_every_value_has_a_source(settings):
    found = written_config(settings)
    assert set(found.sources) == set(layers(found.config).values)
    assert all(found.sources.values())


# examples


def test_nothing_is_written_of_nothing():
    found = written_config(layers(None, {}))
    assert (found.config, found.sources) == ({}, {})


def test_values_keep_the_spelling_of_their_owner_under_the_current_name():
    config = {
        "autoSetResources": {
            "enable": "true",
            "targetResource": "TFLOPS",
            "targetTflopsPercentile": " 95% ",
            "historyLength": "2h",
            "marginFraction": 0.15,
        },
        "autoSetRequests": {"maxAllowed": {"tflops": 0.5, "vram": "4096Mi"}},
    }
    assert written(config) == {
        "autoSetResources": {
            "enable": True,
            "targetResource": "compute",
            "targetComputePercentile": "95%",
            "historyDataPeriod": "2h",
            "marginFraction": 0.15,
        },
        "autoSetRequests": {"maxAllowed": {"tflops": "500m", "vram": "4096Mi"}},
    }


def test_each_value_names_the_layer_that_it_comes_from():
    found = written_config(
        layers(
            {"autoSetLimits": {"enable": True, "scaleUpStep": 2}},
            {"autoSetLimits": {"scaleUpStep": 3}},
        )
    )
    assert found.config == {"autoSetLimits": {"enable": True, "scaleUpStep": 3}}
    assert found.sources == {
        "autoSetLimits.enable": "layer 1",
        "autoSetLimits.scaleUpStep": "layer 2",
    }


def test_the_generation_of_the_higher_layer_stays_enabled():
    requests, resources = {"autoSetRequests": {"enable": True}}, {"autoSetResources": BOTH}
    assert written(requests, resources) == {
        "autoSetRequests": {"enable": False},
        "autoSetResources": BOTH,
    }
    assert written(resources, requests) == {
        "autoSetRequests": {"enable": True},
        "autoSetResources": {"enable": False, "targetResource": "all"},
    }


def test_a_generation_that_wins_one_dimension_leaves_the_other_to_the_other():
    found = written_config(
        layers(
            {"autoSetResources": BOTH},
            {"autoSetLimits": {"enable": True, "targetResource": "vram"}},
        )
    )
    assert found.config == {
        "autoSetLimits": {"enable": True, "targetResource": "vram"},
        "autoSetResources": {"enable": True, "targetResource": "compute"},
    }
    assert found.sources["autoSetResources.targetResource"] == "layer 2"


def test_generations_that_contradict_each_other_in_one_layer_are_both_switched_off():
    config = {"autoSetRequests": {"enable": True}, "autoSetResources": BOTH}
    assert written(config) == {
        "autoSetRequests": {"enable": False},
        "autoSetResources": {"enable": False, "targetResource": "all"},
    }


@pytest.mark.parametrize(
    ("lower", "upper", "mode"),
    [
        ({"autoSetLimits": {"mode": "apply"}}, {"mode": "recommend"}, "recommend"),
        ({"mode": "recommend"}, {"autoSetLimits": {"mode": "apply"}}, "apply"),
    ],
)
def test_the_mode_of_the_higher_layer_is_that_of_the_block(lower, upper, mode):
    assert written(lower, upper)["autoSetLimits"] == {"mode": mode}


def test_a_mode_that_a_block_cannot_have_stays_that_of_everything():
    lower, upper = {"autoSetReplicas": {"enable": True, "mode": "apply"}}, {"mode": "initial"}
    assert written(lower, upper) == {"mode": "initial", "autoSetReplicas": {"enable": True}}


def test_a_block_with_a_wrong_bound_only_recommends():
    found = written_config(
        layers({"autoSetLimits": {"enable": True, "maxRatioToRequests": "many"}})
    )
    assert found.config == {"autoSetLimits": {"enable": True, "mode": "recommend"}}
    assert found.sources["autoSetLimits.mode"] == (
        "problem at layer 1.autoSetLimits.maxRatioToRequests"
    )


def test_a_wrong_mode_of_everything_recommends_whatever_the_blocks_say():
    config = {"mode": "go", "autoSetLimits": {"enable": True, "mode": "apply"}}
    assert written(config) == {
        "mode": "recommend",
        "autoSetLimits": {"enable": True, "mode": "recommend"},
    }


def test_of_bounds_that_cross_the_smallest_is_left_out_and_the_block_only_recommends():
    lower = {"autoSetRequests": {"enable": True, "minAllowed": {"vram": "8Gi", "tflops": 1}}}
    upper = {"autoSetRequests": {"maxAllowed": {"vram": "4Gi"}}}
    assert written(lower, upper) == {
        "autoSetRequests": {
            "enable": True,
            "mode": "recommend",
            "minAllowed": {"tflops": "1"},
            "maxAllowed": {"vram": "4Gi"},
        }
    }


def test_fewest_replicas_are_never_more_than_the_most():
    lower, upper = {"autoSetReplicas": {"minReplicas": 5}}, {"autoSetReplicas": {"maxReplicas": 3}}
    assert written(lower, upper) == {
        "autoSetReplicas": {"minReplicas": 3, "maxReplicas": 3, "mode": "recommend"}
    }


def test_a_risk_target_and_what_it_replaces_do_not_stand_beside_each_other():
    risk = {"autoSetLimits": {"riskTarget": "1%"}}
    buffer = {"autoSetLimits": {"extraTFlopsBufferRatio": 0.3}}
    assert (written(risk, buffer), written(buffer, risk)) == (buffer, risk)


def test_a_buffer_that_counts_for_vram_stays_below_a_risk_target():
    risk = {"autoSetRequests": {"riskTarget": "1%"}}
    buffer = {"autoSetRequests": {"extraBufferRatio": 0.3}}
    both = {"autoSetRequests": {"extraBufferRatio": 0.3, "riskTarget": "1%"}}
    assert (written(risk, buffer), written(buffer, risk)) == (buffer, both)


def test_a_risk_target_of_a_block_that_comes_to_set_vram_alone_is_left_out():
    risk = {"autoSetLimits": {"enable": True, "riskTarget": "1%"}}
    vram = {"autoSetLimits": {"targetResource": "vram"}}
    assert written(risk, vram) == {"autoSetLimits": {"enable": True, "targetResource": "vram"}}


def test_a_rule_with_a_value_that_cannot_be_read_is_disabled_and_the_others_are_kept():
    night = {"enable": True, "name": "night", "start": "0 22 * * *", "end": "0 6 * * *"}
    rules = [{**night, "desiredReplicas": "many"}, {**night, "desiredReplicas": 2, "name": "day"}]
    assert written({"cronScalingRules": rules}) == {
        "cronScalingRules": [{**night, "enable": False}, rules[1]]
    }


def test_rules_of_all_layers_are_kept_with_their_amounts():
    first = {"name": "a", "desiredResources": {"limits": {"tflops": 30, "vram": "8192Mi"}}}
    found = written_config(
        layers({"cronScalingRules": [first]}, {"cronScalingRules": [{"name": "b"}]})
    )
    assert found.config == {
        "cronScalingRules": [
            {**first, "desiredResources": {"limits": {"tflops": "30", "vram": "8192Mi"}}},
            {"name": "b"},
        ]
    }
    assert found.sources == {"cronScalingRules": "layer 1 and layer 2"}


def test_an_external_scaler_is_that_of_one_layer_alone():
    lower = {"url": "https://a.example", "apiKeySecretRef": {"name": "key"}}
    upper = {"url": "https://b.example", "enable": True}
    assert written({"externalScaler": lower}, {"externalScaler": upper}) == {
        "externalScaler": upper
    }


def test_what_was_resolved_can_be_written():
    resolved = resolve(
        annotations={"tensor-fusion.ai/auto-limits": "true"},
        profile={"autoScalingConfig": {"autoSetLimits": {"mode": "initial"}}},
        profile_name="small",
    )
    found = written_config(resolved.settings)
    assert found.config == {"autoSetLimits": {"enable": True, "mode": "initial"}}
    assert found.sources == {
        "autoSetLimits.enable": "annotation tensor-fusion.ai/auto-limits",
        "autoSetLimits.mode": "profile small",
    }
