"""Relations between settings: generations, modes, bounds, cron rules, and all problems at once."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.policy.field import Kind
from recommender.policy.fields import FIELDS, children_of
from recommender.policy.model import Buffer, Dimension, LimitBasis, Mode
from recommender.policy.parse import parse_auto_scaling_config as parse
from recommender.policy.table import policy_table
from recommender.resources import TFLOPS, VRAM
from tests.builders import policy as built

COMPUTE, MEMORY = Dimension.COMPUTE, Dimension.VRAM
MIB, GIB = 2**20, 2**30
NIGHT = {"enable": True, "name": "night", "start": "0 22 * * *", "end": "0 6 * * *"}


def errors(policy):
    return [str(problem) for problem in policy.problems if not problem.is_warning]


def warnings(policy):
    return [str(problem) for problem in policy.problems if problem.is_warning]


def acting(policy):
    """(layer, dimension) of everything that may change something."""
    rules = [("requests", d, r) for d, r in policy.requests.items()]
    rules += [("limits", d, r) for d, r in policy.limits.items()]
    found = {(name, d.value) for name, d, r in rules if r.is_enrolled and r.mode is Mode.APPLY}
    replicas = policy.replicas
    return found | ({"replicas"} if replicas.is_enrolled and replicas.mode is Mode.APPLY else set())


# defaults


@pytest.mark.parametrize("empty", [None, {}, "", {"autoSetRequests": None, "mode": ""}])
def test_nothing_written_changes_nothing(empty):
    policy = parse(empty)
    assert (acting(policy), policy.problems, dict(policy.sources)) == (set(), (), {})


def test_requests_default_to_the_load_weighted_p95_with_15_percent():
    rule = parse({}).requests[COMPUTE]
    assert (rule.percentile, rule.is_load_weighted, rule.buffer) == (0.95, True, Buffer(1.15))


def test_vram_requests_default_to_the_highest_peak_and_10_percent_or_512_mib():
    rule = parse({}).requests[MEMORY]
    assert (rule.percentile, rule.upper_percentile, rule.buffer) == (
        1.0,
        1.0,
        Buffer(1.10, 512.0 * MIB),
    )


def test_the_requests_histogram_forgets_half_within_24_hours():
    table = policy_table([parse({})], [TFLOPS, VRAM])
    assert table.requests.half_life_s.tolist() == [[86400, 86400]]


def test_limits_default_to_20_percent_and_five_times_the_request():
    rule = parse({}).limits[COMPUTE]
    assert (rule.buffer, rule.ignored_delta, rule.scale_up_step, rule.max_ratio_to_requests) == (
        Buffer(1.2),
        0.1,
        1.2,
        5.0,
    )


def test_replicas_default_to_70_percent_of_the_stated_limit():
    rule = parse({}).replicas
    assert (rule.target_of_limit, rule.tolerance_up, rule.tolerance_down) == (0.7, 0.1, 0.1)
    assert (rule.scale_up_cooldown_s, rule.scale_down_cooldown_s) == (0, 300)
    assert (rule.min_replicas, rule.max_replicas) == (1, None)


def test_an_explicit_percentile_is_over_time_as_documented():
    rule = parse({"autoSetRequests": {"percentileForAutoRequests": 0.95}}).requests[COMPUTE]
    assert (rule.percentile, rule.is_load_weighted) == (0.95, False)


def test_percentiles_of_jobs_are_over_time():
    assert not parse({}, is_job=True).requests[COMPUTE].is_load_weighted


def test_a_buffer_that_is_set_governs_vram_too():
    rules = parse({"autoSetRequests": {"extraBufferRatio": "20%"}}).requests
    assert {rule.buffer for rule in rules.values()} == {Buffer(1.2)}


def test_a_percentile_above_the_upper_one_raises_that():
    rule = parse({"autoSetRequests": {"percentileForAutoRequests": "99.9%"}}).requests[COMPUTE]
    assert (rule.percentile, rule.upper_percentile) == (0.999, 0.999)


# enrolment and modes


def test_an_enabled_block_without_target_sets_all_resources():
    policy = parse({"autoSetRequests": {"enable": True}})
    assert acting(policy) == {("requests", "compute"), ("requests", "vram")}


@pytest.mark.parametrize("word", ["tflops", "compute"])
def test_enrolment_is_per_resource(word):
    policy = parse({"autoSetLimits": {"enable": True, "targetResource": word}})
    assert acting(policy) == {("limits", "compute")}


def test_auto_set_resources_without_target_only_recommends():
    policy = parse({"autoSetResources": {"enable": True, "targetComputePercentile": 0.8}})
    assert acting(policy) == set()
    assert policy.requests[COMPUTE].percentile == 0.8


def test_auto_set_resources_sets_requests_and_limits_of_its_target_only():
    policy = parse({"autoSetResources": {"enable": True, "targetResource": "vram"}})
    assert acting(policy) == {("requests", "vram"), ("limits", "vram")}
    assert policy.limits[MEMORY].basis is LimitBasis.UPPER_PERCENTILE
    assert policy.limits[COMPUTE].basis is LimitBasis.BURST


def test_the_mode_of_all_blocks_is_overridden_by_a_block():
    policy = built({"mode": "recommend"}, is_enrolled=True)
    assert acting(policy) == set()
    config = {"mode": "recommend", "autoSetReplicas": {"enable": True, "mode": "apply"}}
    assert acting(built(config, is_enrolled=True)) == {"replicas"}


@pytest.mark.parametrize(
    "bound",
    [
        {"mode": "aply"},
        {"targetResource": "vrm"},
        {"maxAllowed": {"tflops": "1OO"}},
        {"maxAllowed": "100"},
        {"maxAlowed": {"tflops": 100}},
        {"minAllowed": {"vram": "2Gi"}, "maxAllowed": {"vram": "1Gi"}},
    ],
)
def test_a_block_with_a_wrong_bound_only_recommends_and_says_so(bound):
    config = {"autoSetRequests": {"enable": True} | bound, "autoSetLimits": {"enable": True}}
    policy = parse(config)
    assert acting(policy) == {("limits", "compute"), ("limits", "vram")}
    assert "nothing is changed by autoSetRequests" in errors(policy)[0]
    assert policy.source_of("requests.compute.mode").startswith("problem at ")


def test_a_wrong_mode_of_everything_lets_everything_recommend():
    assert acting(built({"mode": "off"}, is_enrolled=True)) == set()


def test_fewer_most_than_least_replicas_hold_the_block():
    policy = parse({"autoSetReplicas": {"enable": True, "minReplicas": 5, "maxReplicas": 3}})
    assert acting(policy) == set()
    assert (policy.replicas.min_replicas, policy.replicas.max_replicas) == (3, 3)


def test_a_scale_down_step_of_one_is_refused_because_it_removes_nothing():
    policy = parse({"autoSetReplicas": {"enable": True, "scaleDownStep": 1}})
    assert acting(policy) == set()
    assert "would never remove a replica" in errors(policy)[0]


# the two generations


def test_both_generations_for_one_resource_are_named_and_neither_acts_on_it():
    policy = parse(
        {
            "autoSetRequests": {"enable": True},
            "autoSetResources": {"enable": True, "targetResource": "compute"},
        },
        path="spec.autoScalingConfig",
    )
    (error,) = errors(policy)
    assert "spec.autoScalingConfig.autoSetRequests.enable" in error
    assert "spec.autoScalingConfig.autoSetResources.enable" in error
    assert acting(policy) == {("requests", "vram")}


def test_both_generations_for_different_resources_are_fine():
    policy = parse(
        {
            "autoSetLimits": {"enable": True, "targetResource": "vram"},
            "autoSetResources": {"enable": True, "targetResource": "compute"},
        }
    )
    assert errors(policy) == []
    assert acting(policy) == {("limits", "vram"), ("requests", "compute"), ("limits", "compute")}


def test_the_limit_of_the_current_generation_is_its_upper_percentile():
    rule = parse({"autoSetResources": {"enable": True, "targetResource": "all"}}).limits[COMPUTE]
    assert (rule.percentile, rule.buffer, rule.min_ratio, rule.max_ratio) == (
        0.99,
        Buffer(1.15),
        0.1,
        10.0,
    )
    assert rule.max_ratio_to_requests == math.inf


def test_critical_workloads_request_the_upper_percentile():
    config = {"autoSetResources": {"enable": True, "targetResource": "all"}}
    policy = parse(config, qos="critical")
    assert policy.requests[COMPUTE].percentile == 0.99
    assert policy.source_of("requests.compute.percentile") == "QoS critical"
    assert parse(config, qos="high").requests[COMPUTE].percentile == 0.95


def test_a_default_threshold_gives_way_to_a_smaller_margin():
    policy = parse({"autoSetResources": {"targetResource": "all", "marginFraction": 0.05}})
    assert policy.requests[COMPUTE].update_threshold == 0.05
    assert policy.problems == ()


def test_a_threshold_above_the_margin_is_a_problem():
    policy = parse({"autoSetResources": {"updateThreshold": 0.3, "marginFraction": 0.2}})
    (error,) = errors(policy)
    assert "autoSetResources.updateThreshold" in error
    assert "autoSetResources.marginFraction" in error
    assert policy.requests[COMPUTE].update_threshold == 0.2


def test_percentiles_out_of_order_are_a_problem_and_the_target_stands():
    policy = parse(
        {"autoSetResources": {"targetComputePercentile": 0.4, "lowerBoundComputePercentile": 0.6}}
    )
    rule = policy.requests[COMPUTE]
    assert (rule.lower_percentile, rule.percentile) == (0.4, 0.4)
    assert len(errors(policy)) == 1


# riskTarget


def test_a_risk_target_replaces_percentile_and_buffer():
    rule = parse({"autoSetRequests": {"riskTarget": 0.05}}).requests[COMPUTE]
    assert (rule.percentile, rule.buffer, rule.is_load_weighted) == (0.95, Buffer(1.0), False)


@pytest.mark.parametrize(
    ("target", "effect"), [("all", "counts for VRAM only"), ("compute", "has no effect")]
)
def test_a_percentile_beside_a_risk_target_is_no_longer_of_tflops(target, effect):
    block = {"riskTarget": 0.05, "percentileForAutoRequests": 0.9, "targetResource": target}
    policy = parse({"autoSetRequests": block})
    assert policy.requests[COMPUTE].percentile == 0.95
    assert policy.requests[MEMORY].percentile == 0.9
    assert f"autoSetRequests.percentileForAutoRequests: {effect}" in warnings(policy)[0]


@pytest.mark.parametrize("block", ["autoSetRequests", "autoSetLimits"])
def test_a_risk_target_leaves_the_rules_of_vram_alone(block):
    without, policy = (
        parse({block: {"enable": True}}),
        parse({block: {"enable": True, "riskTarget": "1%"}}),
    )
    assert policy.requests[MEMORY] == without.requests[MEMORY]
    assert policy.limits[MEMORY] == without.limits[MEMORY]


@pytest.mark.parametrize("block", ["autoSetRequests", "autoSetLimits"])
def test_a_risk_target_in_a_block_of_vram_alone_is_a_problem(block):
    policy = parse({block: {"enable": True, "targetResource": "vram", "riskTarget": "1%"}})
    [problem] = errors(policy)
    assert f"autoScalingConfig.{block}.riskTarget: has no effect" in problem
    assert "a risk is of TFLOPS only" in problem
    rules = policy.requests if block == "autoSetRequests" else policy.limits
    assert [rules[dimension].risk_target for dimension in (COMPUTE, MEMORY)] == [None, None]


@pytest.mark.parametrize("risk", [0, 0.5, "50%", 0.9, -0.1, "0%", math.nan, math.inf, "nan"])
def test_a_risk_is_above_zero_and_below_one_half(risk):
    policy = parse({"autoSetLimits": {"riskTarget": risk}})
    assert "above 0% and below 50%" in errors(policy)[0]
    assert policy.limits[COMPUTE].risk_target is None


# problems


def test_all_problems_are_found_at_once_with_their_paths():
    policy = parse(
        {
            "autoSetRequest": {"enable": True},
            "autoSetLimits": {"enable": "maybe", "scaleUpStep": "20%", "evaluationPeriod": 5},
            "autoSetReplicas": [1],
            "cronScalingRules": [{"enable": True, "name": "a"}, 7],
            "externalScaler": {"enable": True, "url": "ftp://x"},
        },
        path="spec.autoScalingConfig",
    )
    paths = [problem.path.removeprefix("spec.autoScalingConfig.") for problem in policy.problems]
    assert paths == [
        "autoSetRequest",
        "autoSetLimits.enable",
        "autoSetLimits.scaleUpStep",
        "autoSetLimits.evaluationPeriod",
        "autoSetReplicas",
        "cronScalingRules[1]",
        "externalScaler.url",
        "cronScalingRules[0].start",
        "cronScalingRules[0].end",
        "cronScalingRules[0]",
        "externalScaler.enable",
    ]


def test_an_unknown_setting_is_answered_with_the_one_that_was_meant():
    policy = parse({"autoSetRequests": {"percentilForAutoRequest": 0.9}})
    assert "did you mean percentileForAutoRequests?" in errors(policy)[0]


def test_an_unknown_setting_that_resembles_nothing_lists_what_is_known():
    assert "known: mode, autoSetRequests, autoSetLimits" in errors(parse({"zzz": 1}))[0]


def test_a_problem_says_which_value_is_used_instead():
    policy = parse({"autoSetLimits": {"scaleUpStep": "x"}})
    assert errors(policy)[0].endswith("used instead: 1.2 (TFLOPS beside a riskTarget: 1)")
    assert policy.limits[COMPUTE].scale_up_step == 1.2


@pytest.mark.parametrize(("written", "effective"), [({}, 1.0), ({"scaleUpStep": 1.4}, 1.4)])
def test_beside_a_risk_target_raises_are_as_small_as_they_are_unless_somebody_says(
    written, effective
):
    policy = parse({"autoSetLimits": {"enable": True, "riskTarget": "1%", **written}})
    assert policy.limits[COMPUTE].scale_up_step == effective
    assert policy.limits[Dimension.VRAM].scale_up_step == written.get("scaleUpStep", 1.2)


def test_a_block_that_is_true_is_answered_with_how_to_enable_it():
    assert "autoSetLimits: {enable: true}" in errors(parse({"autoSetLimits": True}))[0]


def test_two_names_of_one_setting_with_different_values_are_named_both():
    block = {"targetComputePercentile": 0.8, "targetTflopsPercentile": 0.9}
    policy = parse({"autoSetResources": block})
    assert policy.requests[COMPUTE].percentile == 0.8
    assert "targetTflopsPercentile" in errors(policy)[0]
    assert "autoSetResources.targetComputePercentile" in errors(policy)[0]


@pytest.mark.parametrize("config", [3, "enable", [1], True, 1.5])
def test_a_configuration_that_is_no_mapping_is_a_problem(config):
    assert "allowed: a mapping" in errors(parse(config))[0]


# cron, external scaler, scale to zero


def test_a_cron_rule_asks_for_amounts_and_replicas_in_its_zone():
    resources = {"requests": {"tflops": "44", "vram": "5Gi"}, "limits": {"tflops": "99"}}
    rule = {"desiredResources": resources, "desiredReplicas": 3, "timeZone": "Europe/Berlin"}
    (made,) = parse({"cronScalingRules": [NIGHT | rule]}).cron
    assert (dict(made.requests), dict(made.limits), made.replicas) == (
        {COMPUTE: 44.0, MEMORY: 5.0 * GIB},
        {COMPUTE: 99.0},
        3,
    )
    assert (made.name, made.is_enabled, made.time_zone, made.problem) == (
        "night",
        True,
        "Europe/Berlin",
        None,
    )


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"start": "0 0 30 2 *"}, "cronScalingRules[1].start"),
        ({"end": "0 6 * *"}, "cronScalingRules[1].end"),
        ({"end": "0 22 * * *"}, "cronScalingRules[1].end"),
        ({"timeZone": "Mars/Olympus"}, "cronScalingRules[1].timeZone"),
        ({"desiredReplicas": 0}, "cronScalingRules[1].desiredReplicas"),
        ({"desiredResources": {"requests": {"vram": "5GB"}}}, "requests.vram"),
        ({"desiredResources": {"requests": {"compute": 50}}}, "requests.compute"),
        ({"desiredResources": {"requests": {"tflops": 5}, "limits": {"tflops": 4}}}, "limits"),
        ({"desiredReplica": 3}, "did you mean desiredReplicas?"),
        ({"name": "night"}, "is the name of an earlier rule"),
    ],
)
def test_a_bad_cron_rule_is_kept_and_disabled_and_its_neighbour_works(wrong, named):
    good = NIGHT | {"desiredReplicas": 2}
    policy = parse({"cronScalingRules": [good, good | {"name": "other"} | wrong]})
    assert policy.cron[0].problem is None
    assert named in policy.cron[1].problem
    table = policy_table([policy], [TFLOPS, VRAM])
    assert [rule.name for _, rule in table.cron] == ["night"]


def test_a_cron_rule_in_percent_uses_the_capacity_of_the_gpu_model():
    resources = {"requests": {"compute": 50}}
    config = {"cronScalingRules": [NIGHT | {"desiredResources": resources}]}
    (rule,) = parse(config, gpu_model="A100").cron
    assert dict(rule.requests) == {COMPUTE: 156.0}


def test_a_cron_rule_without_name_is_numbered():
    rule = {key: value for key, value in NIGHT.items() if key != "name"} | {"desiredReplicas": 2}
    assert parse({"cronScalingRules": [rule]}).cron[0].name == "rule-1"


def test_a_cron_rule_that_asks_for_nothing_is_a_problem():
    assert "asks for nothing" in errors(parse({"cronScalingRules": [NIGHT]}))[0]


def test_an_external_scaler_without_address_is_not_asked():
    policy = parse({"externalScaler": {"enable": True}})
    assert not policy.external.is_enabled
    assert "needs a usable url" in errors(policy)[0]


def test_scale_to_zero_is_checked_and_kept_with_a_warning():
    policy = parse(
        {
            "scaleToZero": {
                "autoFreeze": [{"qos": "low", "freezeToMemTTL": "5m", "enable": True}],
                "intelligenceWarmup": {"enable": True, "model": "ets"},
            }
        }
    )
    assert [dict(entry) for entry in policy.scale_to_zero["autoFreeze"]] == [
        {"qos": "low", "freezeToMemTTL": 300, "enable": True}
    ]
    assert policy.scale_to_zero["intelligenceWarmup.model"] == "ets"
    assert warnings(policy) == ["scaleToZero: is checked and kept, and not acted on yet"]


def test_a_wrong_value_in_scale_to_zero_has_its_path():
    policy = parse({"scaleToZero": {"autoFreeze": [{}, {"qos": "best"}]}})
    assert errors(policy)[0].startswith("autoScalingConfig.scaleToZero.autoFreeze[1].qos: 'best'")


# laws

NAMES = sorted({name for f in FIELDS for name in (f.name, *f.aliases)} | {"", "no such name"})
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["5m", "95%", "all", "true", "4Gi", "0 8 * * *", "1e99", "apply", "UTC"])
    | st.sampled_from([0.1, 0.3, 1, 2, 5, 50, "0.2"])
)
JSON_LIKE = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=10,
)


def almost_valid(parent=""):
    """Return objects with the right names at the right places and any values."""
    members = {}
    for name, at in children_of(parent).items():
        if at.kind is Kind.OBJECT:
            members[name] = almost_valid(at.path) | SCALARS
        elif at.kind is Kind.LIST:
            members[name] = st.lists(almost_valid(f"{at.path}[]"), max_size=2)
        else:
            members[name] = SCALARS
    names = st.lists(st.sampled_from(sorted(members)), unique=True, max_size=8)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({n: members[n] for n in chosen}))


def check_amounts(policy):
    for rule in policy.requests.values():
        assert 0 < rule.lower_percentile <= rule.percentile <= rule.upper_percentile <= 1
        assert rule.buffer.factor >= 1
        assert rule.min_allowed is None or rule.min_allowed > 0
        assert rule.max_allowed is None or rule.max_allowed >= (rule.min_allowed or 0)
        assert rule.history_s > 0
        assert 0 < rule.min_ratio <= 1 <= rule.max_ratio
    for rule in policy.limits.values():
        assert 0 < rule.percentile <= 1
        assert rule.max_ratio_to_requests >= 1
    replicas = policy.replicas
    assert 0 < replicas.scale_down_step < 1 or replicas.mode is Mode.RECOMMEND
    assert 1 <= replicas.min_replicas <= (replicas.max_replicas or math.inf)


@given(JSON_LIKE)
def test_parsing_anything_never_raises_and_gives_usable_amounts(config):
    check_amounts(parse(config))


@given(almost_valid())
def test_parsing_known_names_with_any_values_never_raises_and_gives_usable_amounts(config):
    policy = parse(config)
    check_amounts(policy)
    assert len(policy_table([policy], [TFLOPS, VRAM]).requests.percentile) == 1


@given(almost_valid())
def test_parsing_is_deterministic(config):
    first, second = parse(config), parse(config)
    assert repr(first) == repr(second)


BOUNDS = sorted(f.path for f in FIELDS if f.is_bound and f.kind is not Kind.OBJECT)


@given(st.sampled_from(BOUNDS), SCALARS)
def test_a_block_never_acts_with_a_wrong_bound(path, value):
    *parents, name = path.split(".")
    config = {
        block: {"enable": True}
        for block in ("autoSetRequests", "autoSetLimits", "autoSetReplicas", "autoSetResources")
        if block in parents or (not parents and block != "autoSetResources")
    }
    if parents[:1] == ["autoSetResources"]:
        config["autoSetResources"]["targetResource"] = "all"
    holder = config
    for parent in parents:
        holder = holder.setdefault(parent, {})
    holder[name] = value
    policy = parse(config)
    assert not (errors(policy) and acting(policy))
