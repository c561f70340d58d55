"""Precedence of workloads file, annotations, profile, quota and pool rule, with sources."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.policy.fields import AMOUNTS, BLOCK_ANNOTATIONS, DECLARED_PREFIX, STATEMENTS
from recommender.policy.model import Dimension, Mode
from recommender.policy.resolve import resolve
from recommender.quantities import parse_quantity
from tests.builders import profile
from tests.strategies import quantities

COMPUTE, MEMORY = Dimension.COMPUTE, Dimension.VRAM
GIB = 2.0**30


def annotations(**values):
    """Return annotations by their short keys, written with _ for -."""
    return {f"tensor-fusion.ai/{key.replace('_', '-')}": text for key, text in values.items()}


def errors(resolved):
    return [str(problem) for problem in resolved.errors]


def warnings(resolved):
    return [str(problem) for problem in resolved.problems if problem.is_warning]


def acting(policy):
    rules = [("requests", d.value, r) for d, r in policy.requests.items()]
    rules += [("limits", d.value, r) for d, r in policy.limits.items()]
    rules += [("replicas", "", policy.replicas)]
    return {(n, d) for n, d, rule in rules if rule.is_enrolled and rule.mode is Mode.APPLY}


# enrolment by annotations


@pytest.mark.parametrize(
    ("key", "layer"),
    [("auto_requests", "requests"), ("auto_limits", "limits"), ("auto_replicas", "replicas")],
)
@pytest.mark.parametrize("text", ["true", True])
def test_an_annotation_enrols_its_layer(key, layer, text):
    resolved = resolve(annotations=annotations(**{key: text}))
    assert {name for name, _ in acting(resolved.policy)} == {layer}
    assert resolved.problems == ()


def test_the_source_of_an_enrolment_is_the_annotation():
    policy = resolve(annotations=annotations(auto_limits="true")).policy
    source = policy.source_of("limits.vram.is_enrolled")
    assert source == "annotation tensor-fusion.ai/auto-limits"


def test_false_does_not_switch_a_profile_off_and_names_mode_recommend():
    resolved = resolve(
        annotations=annotations(auto_limits="false"),
        profile=profile(auto_scaling={"autoSetLimits": {"enable": True}}),
    )
    assert ("limits", "compute") in acting(resolved.policy)
    assert "mode: recommend" in warnings(resolved)[0]
    assert errors(resolved) == []


@pytest.mark.parametrize("text", ["yes", "1", "True!", 1])
def test_any_other_value_is_a_problem(text):
    resolved = resolve(annotations=annotations(auto_requests=text))
    assert "annotation tensor-fusion.ai/auto-requests" in errors(resolved)[0]
    assert "allowed: 'true'" in errors(resolved)[0]
    assert acting(resolved.policy) == set()


def test_autoscale_alone_sets_all_resources():
    policy = resolve(annotations=annotations(autoscale="true")).policy
    assert acting(policy) == {(n, d) for n in ("requests", "limits") for d in ("compute", "vram")}


def test_autoscale_keeps_the_target_of_the_profile():
    resolved = resolve(
        annotations=annotations(autoscale="true"),
        profile=profile(auto_scaling={"autoSetResources": {"targetResource": "vram"}}),
    )
    assert acting(resolved.policy) == {("requests", "vram"), ("limits", "vram")}


@pytest.mark.parametrize("key", ["autoscale_target", "auto_scale_target_resource"])
def test_an_annotation_names_the_target(key):
    resolved = resolve(annotations=annotations(autoscale="true", **{key: "compute"}))
    assert acting(resolved.policy) == {("requests", "compute"), ("limits", "compute")}


def test_auto_resources_without_target_only_recommends():
    assert acting(resolve(annotations=annotations(auto_resources="true")).policy) == set()


def test_a_wrong_target_only_recommends():
    resolved = resolve(annotations=annotations(autoscale="true", autoscale_target="gpu"))
    assert acting(resolved.policy) == set()
    assert "allowed: compute, vram, all" in errors(resolved)[0]


def test_a_target_without_autoscale_warns():
    assert (
        "has no effect without"
        in warnings(resolve(annotations=annotations(autoscale_target="all")))[0]
    )


def test_a_misspelt_annotation_is_named():
    (warning,) = warnings(resolve(annotations=annotations(auto_request="true")))
    assert "did you mean tensor-fusion.ai/auto-requests?" in warning


def test_annotations_of_others_are_passed_over():
    others = {"prometheus.io/scrape": "true", "tensor-fusion.ai/inject-container": "python"}
    assert resolve(annotations=others).problems == ()


# precedence of settings


def test_the_profile_wins_over_the_pool_rule_value_by_value():
    resolved = resolve(
        profile=profile(auto_scaling={"autoSetRequests": {"percentileForAutoRequests": 0.9}}),
        profile_name="team-a/small",
        pool_rule={
            "name": "batch",
            "autoScalingConfig": {
                "autoSetRequests": {
                    "enable": True,
                    "percentileForAutoRequests": 0.8,
                    "extraBufferRatio": 0.3,
                }
            },
        },
        pool_rule_name="pool-a/batch",
    )
    rule = resolved.policy.requests[COMPUTE]
    assert (rule.is_enrolled, rule.percentile, rule.buffer.factor) == (True, 0.9, 1.3)
    assert [
        resolved.policy.source_of(f"requests.compute.{name}")
        for name in ("is_enrolled", "percentile", "buffer", "history_s")
    ] == ["pool rule pool-a/batch", "profile team-a/small", "pool rule pool-a/batch", "default"]


def test_a_profile_switches_a_pool_rule_off():
    resolved = resolve(
        profile=profile(auto_scaling={"autoSetLimits": {"enable": False}}),
        pool_rule={"autoScalingConfig": {"autoSetLimits": {"enable": True}}},
    )
    assert acting(resolved.policy) == set()


def test_mode_recommend_of_a_profile_holds_a_block_that_a_pool_rule_lets_apply():
    resolved = resolve(
        profile=profile(auto_scaling={"mode": "recommend"}),
        pool_rule={"autoScalingConfig": {"autoSetLimits": {"enable": True, "mode": "apply"}}},
    )
    assert acting(resolved.policy) == set()


def test_the_workloads_file_wins_over_everything():
    resolved = resolve(
        annotations=annotations(tflops_request="5"),
        profile=profile(requests={"tflops": 3}),
        overrides={
            "tflops_request": 7,
            "autoScalingConfig": {"autoSetLimits": {"scaleUpStep": 2}},
        },
    )
    assert resolved.stated.request["tflops"] == 7.0
    assert resolved.stated.source_of("tflops-request") == "workloads file"
    assert resolved.policy.source_of("limits.compute.scale_up_step") == "workloads file"


def test_an_annotation_of_the_first_generation_wins_over_a_pool_rule_of_the_current_one():
    resolved = resolve(
        annotations=annotations(auto_requests="true"),
        pool_rule={
            "autoScalingConfig": {"autoSetResources": {"enable": True, "targetResource": "all"}}
        },
    )
    assert acting(resolved.policy) == {("requests", "compute"), ("requests", "vram")}
    assert errors(resolved) == []
    assert "has no effect on compute" in warnings(resolved)[0]


def test_cron_rules_add_up_and_a_name_replaces():
    def rules(*names, replicas):
        return [
            {
                "enable": True,
                "name": name,
                "start": "0 8 * * *",
                "end": "0 9 * * *",
                "desiredReplicas": replicas,
            }
            for name in names
        ]

    resolved = resolve(
        profile=profile(auto_scaling={"cronScalingRules": rules("b", "c", replicas=2)}),
        pool_rule={"autoScalingConfig": {"cronScalingRules": rules("a", "b", replicas=9)}},
    )
    found = [(rule.name, rule.replicas) for rule in resolved.policy.cron]
    assert found == [("a", 9), ("b", 2), ("c", 2)]
    assert resolved.policy.source_of("cron") == "pool rule and profile"


def test_an_address_is_never_combined_with_the_secret_of_another_layer():
    external = {"enable": True, "url": "https://a/", "apiKeySecretRef": {"name": "key"}}
    resolved = resolve(
        profile=profile(auto_scaling={"externalScaler": {"enable": True, "url": "https://b/"}}),
        pool_rule={"autoScalingConfig": {"externalScaler": external}},
    )
    assert (resolved.policy.external.url, resolved.policy.external.secret_name) == (
        "https://b/",
        None,
    )


def test_a_job_has_percentiles_over_time():
    assert not resolve(is_job=True).policy.requests[COMPUTE].is_load_weighted


def test_qos_of_an_annotation_governs_the_policy():
    config = {"autoSetResources": {"enable": True, "targetResource": "all"}}
    resolved = resolve(
        annotations=annotations(qos="critical"), profile=profile(auto_scaling=config, qos="low")
    )
    assert resolved.policy.requests[COMPUTE].percentile == 0.99


# statements


def test_a_profile_states_everything():
    resolved = resolve(
        profile=profile(
            requests={"tflops": "5", "vram": "3Gi"},
            limits={"tflops": "15", "vram": "3Gi"},
            replicas=1,
            isLocalGPU=True,
            poolName="default-pool",
            qos="medium",
            gpuCount=2,
            gpuModel="A100",
        ),
        profile_name="team-a/small",
    )
    stated = resolved.stated
    assert dict(stated.request) == {"tflops": 5.0, "vram_bytes": 3 * GIB}
    assert dict(stated.limit) == {"tflops": 15.0, "vram_bytes": 3 * GIB}
    assert (stated.replicas, stated.gpu_count, stated.gpu_model, stated.qos, stated.pool) == (
        1,
        2,
        "A100",
        "medium",
        "default-pool",
    )
    assert (stated.profile, stated.is_local_gpu) == ("team-a/small", True)
    assert set(stated.sources.values()) == {"profile team-a/small"}
    assert resolved.problems == ()


def test_nothing_stated_is_missing_and_never_zero():
    stated = resolve().stated
    assert (dict(stated.request), dict(stated.limit), stated.replicas) == ({}, {}, None)
    assert (stated.gpu_count, stated.qos, stated.source_of("qos")) == (1, "medium", "default")


def test_a_request_is_inherited_from_its_limit_per_resource():
    stated = resolve(
        annotations=annotations(tflops_limit="20", tflops_request="10", vram_limit="4Gi")
    ).stated
    assert dict(stated.request) == {"tflops": 10.0, "vram_bytes": 4 * GIB}
    assert stated.source_of("vram-request") == "annotation tensor-fusion.ai/vram-limit"


def test_a_limit_is_not_inherited_from_its_request():
    assert dict(resolve(annotations=annotations(tflops_request="10")).stated.limit) == {}


def test_a_request_of_the_profile_is_kept_under_a_limit_of_an_annotation():
    stated = resolve(
        annotations=annotations(tflops_limit="100"), profile=profile(requests={"tflops": 5})
    ).stated
    assert (stated.request["tflops"], stated.limit["tflops"]) == (5.0, 100.0)


def test_quota_defaults_fill_only_what_is_missing_after_inheritance():
    quota = {"defaultRequests": {"tflops": 5, "vram": "1Gi"}, "defaultLimits": {"vram": "2Gi"}}
    stated = resolve(annotations=annotations(tflops_limit="100"), quota_defaults=quota).stated
    assert dict(stated.request) == {"tflops": 100.0, "vram_bytes": GIB}
    assert dict(stated.limit) == {"tflops": 100.0, "vram_bytes": 2 * GIB}
    assert stated.source_of("vram-limit") == "quota defaults"


def test_quota_defaults_in_tflops_leave_a_workload_in_percent_alone():
    quota = {"defaultRequests": {"tflops": 5}}
    stated = resolve(
        annotations=annotations(compute_percent_limit="50"), quota_defaults=quota
    ).stated
    assert dict(stated.request) == {"tflops_pct": 50.0}


def test_a_limit_below_its_request_is_a_problem_that_names_both_sources():
    resolved = resolve(
        annotations=annotations(tflops_limit="3"), profile=profile(requests={"tflops": 5})
    )
    (error,) = errors(resolved)
    assert "annotation tensor-fusion.ai/tflops-limit" in error
    assert "profile spec.resources.requests.tflops" in error
    assert (resolved.stated.request["tflops"], resolved.stated.limit["tflops"]) == (5.0, 5.0)


def test_tflops_win_over_percent_with_a_warning_in_annotations():
    resolved = resolve(annotations=annotations(tflops_request="10", compute_percent_request="20"))
    assert dict(resolved.stated.request) == {"tflops": 10.0}
    assert (len(errors(resolved)), len(warnings(resolved))) == (0, 1)


def test_tflops_beside_percent_in_a_profile_is_a_problem():
    resolved = resolve(profile=profile(requests={"tflops": 10}, limits={"compute": 20}))
    assert dict(resolved.stated.request) == {"tflops": 10.0}
    assert "spec.resources.limits.compute" in errors(resolved)[0]


def test_the_highest_layer_that_states_compute_chooses_its_unit():
    resolved = resolve(
        annotations=annotations(compute_percent_limit="25%"),
        profile=profile(requests={"tflops": 5}, limits={"tflops": 15, "vram": "1Gi"}),
    )
    assert dict(resolved.stated.request) == {"tflops_pct": 25.0, "vram_bytes": GIB}
    assert resolved.problems == ()


def test_zero_counts_as_not_stated():
    stated = resolve(annotations=annotations(vram_request="0", tflops_limit="0")).stated
    assert (dict(stated.request), dict(stated.limit)) == ({}, {})


@pytest.mark.parametrize(
    ("key", "text", "allowed"),
    [
        ("tflops_request", "-3", "from 0"),
        ("tflops_request", "ten", "a quantity of TFLOPS"),
        ("vram_limit", "4GB", "a quantity of bytes"),
        ("compute_percent_limit", "101", "from 0 to 100"),
        ("gpu_count", "129", "from 1 to 128"),
        ("gpu_count", "0", "from 1 to 128"),
        ("replicas", "-1", "a whole number from 0"),
        ("qos", "superb", "low, medium, high, critical"),
        ("is_local_gpu", "maybe", "true or false"),
    ],
)
def test_a_wrong_statement_names_the_annotation_and_what_is_allowed(key, text, allowed):
    (error,) = errors(resolve(annotations=annotations(**{key: text})))
    assert error.startswith(f"annotation tensor-fusion.ai/{key.replace('_', '-')}: '{text}'")
    assert allowed in error


def test_vram_of_a_few_bytes_is_doubted():
    assert "did you mean 4Gi?" in warnings(resolve(annotations=annotations(vram_limit="4")))[0]


def test_an_unknown_gpu_model_is_named_with_similar_ones():
    (warning,) = warnings(resolve(annotations=annotations(gpu_model="H10O")))
    assert "H100" in warning


def test_blank_cells_of_a_row_say_nothing():
    row = {"tflops_request": float("nan"), "qos": "", "replicas": 2.0, "gpu_count": None}
    resolved = resolve(overrides=row)
    assert (dict(resolved.stated.request), resolved.stated.replicas) == ({}, 2)
    assert resolved.problems == ()


@pytest.mark.parametrize("key", ["workload_profile", "client_profile"])
def test_a_profile_that_is_not_there_is_a_problem(key):
    resolved = resolve(annotations=annotations(**{key: "small"}))
    assert errors(resolved) == ["profile small: no WorkloadProfile of this name is known"]
    assert resolved.stated.profile == "small"


def test_unknown_keys_of_a_profile_are_named_with_what_was_meant():
    resolved = resolve(
        profile={
            "gpucount": 2,
            "resources": {"request": {}, "limits": {"vrm": 1}, "requests": 3},
        },
        profile_name="a/b",
    )
    not_a_mapping = "3 is not valid; allowed: a mapping of tflops, vram, compute"
    assert errors(resolved) == [
        "profile a/b spec.gpucount: unknown setting; did you mean gpuCount?",
        "profile a/b spec.resources.request: unknown setting; did you mean requests?",
        f"profile a/b spec.resources.requests: {not_a_mapping}",
        "profile a/b spec.resources.limits.vrm: unknown setting; did you mean vram?",
    ]


# laws

ANNOTATION_KEYS = [
    *(f"tensor-fusion.ai/{key}" for key in BLOCK_ANNOTATIONS),
    *(f"tensor-fusion.ai/{key}" for s in STATEMENTS for key in s.annotations),
]
TEXTS = st.sampled_from(["true", "false", "10", "4Gi", "50%", "low", "-1", ""]) | st.text()


@given(
    st.dictionaries(st.sampled_from(ANNOTATION_KEYS), TEXTS),
    st.dictionaries(st.sampled_from(ANNOTATION_KEYS), TEXTS),
)
def test_resolving_never_raises_and_stated_amounts_are_ordered_and_positive(upper, lower):
    spec = {
        s.profile: lower[key]
        for s in STATEMENTS
        for key in (f"tensor-fusion.ai/{s.key}",)
        if key in lower and "." not in s.profile
    }
    stated = resolve(annotations=upper, profile=spec).stated
    assert all(value > 0 for value in (*stated.request.values(), *stated.limit.values()))
    assert all(stated.limit[name] >= stated.request[name] for name in stated.limit)
    assert not {"tflops", "tflops_pct"} <= set(stated.request)


# an existing workload, declared amounts, and spellings


def test_an_existing_workload_stands_between_annotations_and_profile():
    resolved = resolve(
        annotations=annotations(tflops_request="9"),
        workload=profile(
            requests={"tflops": 7, "vram": "2Gi"},
            auto_scaling={"autoSetLimits": {"scaleUpStep": 2}},
            qos="low",
        ),
        workload_name="shared",
        profile=profile(
            requests={"vram": "1Gi"},
            limits={"vram": "8Gi"},
            auto_scaling={"autoSetLimits": {"enable": True, "scaleUpStep": 3}},
            qos="high",
        ),
        profile_name="small",
    )
    stated = resolved.stated
    assert dict(stated.request) == {"tflops": 9.0, "vram_bytes": 2 * GIB}
    assert (stated.qos, stated.source_of("qos")) == ("low", "workload shared")
    assert stated.source_of("vram-limit") == "profile small"
    assert resolved.policy.limits[COMPUTE].is_enrolled
    assert resolved.policy.limits[COMPUTE].scale_up_step == 2.0
    assert resolved.policy.source_of("limits.compute.scale_up_step") == "workload shared"


def test_unknown_keys_of_an_existing_workload_are_named():
    (error,) = errors(resolve(workload={"gpucount": 2}, workload_name="shared"))
    assert error == "workload shared spec.gpucount: unknown setting; did you mean gpuCount?"


def test_declared_amounts_are_read_by_their_own_keys_and_properties_as_ever():
    written = annotations(tflops_request="5", declared_tflops_limit="-1", qos="low")
    written |= annotations(declared_vram_limit="1Gi")
    resolved = resolve(annotations=written, amounts_prefix=DECLARED_PREFIX)
    assert dict(resolved.stated.request) == {"vram_bytes": GIB}
    assert resolved.stated.qos == "low"
    source = "annotation tensor-fusion.ai/declared-vram-limit"
    assert resolved.stated.source_of("vram-request") == source
    assert errors(resolved)[0].startswith("annotation tensor-fusion.ai/declared-tflops-limit: '-1'")


@pytest.mark.parametrize("key", [f"{DECLARED_PREFIX}{statement.key}" for statement in AMOUNTS])
def test_a_declared_key_is_known(key):
    assert warnings(resolve(annotations={f"tensor-fusion.ai/{key}": "1"})) == []


@pytest.mark.parametrize(
    ("key", "written", "quantity"),
    [
        ("vram_request", "4096Mi", "4096Mi"),
        ("vram_request", " 4Gi ", "4Gi"),
        ("vram_request", 4 * 2**30, "4294967296"),
        ("tflops_request", 0.5, "500m"),
        ("tflops_request", 1e-7, "100n"),
        ("tflops_request", "1e1", "1e1"),
        ("tflops_request", "0" * 90 + "7", "7"),
        ("compute_percent_request", "25 %", "25"),
    ],
)
def test_an_amount_keeps_its_spelling_where_that_is_a_quantity(key, written, quantity):
    stated = resolve(annotations=annotations(**{key: written})).stated
    assert dict(stated.quantities) == {key.replace("_", "-"): quantity}


@given(quantities())
def test_the_spelling_of_an_amount_states_the_amount(text):
    stated = resolve(annotations=annotations(tflops_request=text)).stated
    for quantity in stated.quantities.values():
        assert float(parse_quantity(quantity)) == stated.request["tflops"]


def test_an_inherited_request_has_the_spelling_of_its_limit():
    stated = resolve(annotations=annotations(vram_limit="2048Mi")).stated
    assert dict(stated.quantities) == {"vram-request": "2048Mi", "vram-limit": "2048Mi"}


def test_a_consequence_follows_what_is_wrong():
    (problem,) = resolve(annotations=annotations(tflops_limit="1", tflops_request="2")).errors
    assert problem.consequence == "the request counts for both"
    assert str(problem) == f"{problem.path}: {problem.message}; {problem.consequence}"


def test_amounts_are_found_by_the_key_of_their_statement():
    stated = resolve(annotations=annotations(compute_percent_limit="50", vram_limit="4Gi")).stated
    keys = ("compute-percent-request", "compute-percent-limit", "vram-limit", "tflops-limit")
    assert [stated.amount_of(key) for key in keys] == [50.0, 50.0, 4 * GIB, None]


def test_a_target_resource_of_a_higher_layer_takes_the_effect_of_a_risk_with_a_warning():
    found = resolve(
        pool_rule={"autoScalingConfig": {"autoSetLimits": {"riskTarget": "1%"}}},
        profile={"autoScalingConfig": {"autoSetLimits": {"targetResource": "vram"}}},
    )
    assert found.policy.limits[COMPUTE].risk_target is None
    [problem] = [each for each in found.policy.problems if each.path.endswith("riskTarget")]
    assert problem.is_warning
    assert "targetResource is vram" in problem.message


def test_a_buffer_of_a_higher_layer_replaces_the_risk_target_of_the_whole_block():
    found = resolve(
        pool_rule={"autoScalingConfig": {"autoSetLimits": {"riskTarget": "1%"}}},
        profile={"autoScalingConfig": {"autoSetLimits": {"extraTFlopsBufferRatio": 0.3}}},
    )
    assert [found.policy.limits[d].risk_target for d in (COMPUTE, MEMORY)] == [None, None]
