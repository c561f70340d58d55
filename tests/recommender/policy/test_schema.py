"""The JSON Schemas, checked by jsonschema, and the description of a policy."""

import json

import pytest
from hypothesis import assume, given
from jsonschema import Draft202012Validator

from recommender.policy.describe import describe_policy
from recommender.policy.fields import FIELDS
from recommender.policy.parse import parse_auto_scaling_config as parse
from recommender.policy.schema import (
    auto_scaling_config_schema,
    field_rows,
    workloads_row_schema,
)
from tests.recommender.policy.test_fields import EXAMPLES, with_context
from tests.recommender.policy.test_parse import almost_valid

CONFIG = Draft202012Validator(auto_scaling_config_schema())
ROW = Draft202012Validator(workloads_row_schema())

FIRST_GENERATION = {
    "mode": "initial",
    "autoSetLimits": {
        "enable": True,
        "targetResource": "tflops",
        "evaluationPeriod": "5m",
        "extraTFlopsBufferRatio": "0.1",
        "ignoredDeltaRange": "5%",
        "scaleUpStep": 1.2,
        "maxRatioToRequests": "5.0",
        "prediction": {"enable": True, "model": "ets", "historyDataPeriod": "14d"},
    },
    "autoSetReplicas": {"enable": False, "targetTFlopsOfLimits": 70, "minReplicas": "2"},
    "autoSetRequests": {
        "enable": True,
        "targetResource": "",
        "riskTarget": "1%",
        "maxAllowed": {"tflops": "100", "vram": "40Gi"},
        "prediction": None,
    },
    "scaleToZero": {"autoFreeze": [{"qos": "low", "freezeToMemTTL": "5m", "enable": True}]},
}
CURRENT_GENERATION = {
    "autoSetResources": {
        "enable": True,
        "targetResource": "All",
        "targettflopspercentile": "0.9",
        "historyDataPeriod": "2h",
    },
    "cronScalingRules": [
        {
            "enable": True,
            "name": "thursday",
            "start": "0 0 * * Thu",
            "end": "59 23 * * Thu",
            "timeZone": "Europe/Berlin",
            "desiredResources": {
                "limits": {"tflops": "99", "vram": "10Gi"},
                "requests": {"tflops": "44", "vram": "5Gi"},
            },
        }
    ],
    "externalScaler": {
        "enable": True,
        "url": "https://scaler/",
        "apiKeySecretRef": {"namespace": "a", "name": "key"},
    },
}


@pytest.mark.parametrize("schema", [auto_scaling_config_schema(), workloads_row_schema()])
def test_the_schemas_are_valid_schemas_in_plain_json(schema):
    Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize("config", [FIRST_GENERATION, CURRENT_GENERATION, {}, None])
def test_both_generations_are_valid_for_schema_and_parser(config):
    assert list(CONFIG.iter_errors(config)) == []
    assert [problem for problem in parse(config).problems if not problem.is_warning] == []


@pytest.mark.parametrize("path", EXAMPLES)
def test_every_example_of_a_setting_is_valid(path):
    spelling, _ = EXAMPLES[path]
    assert list(CONFIG.iter_errors(with_context(path, spelling))) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"autoSetRequest": {}},
        {"mode": "off"},
        {"autoSetLimits": {"scaleUpStep": "20%"}},
        {"autoSetLimits": {"evaluationPeriod": 30}},
        {"autoSetLimits": {"enable": "maybe"}},
        {"autoSetRequests": {"maxAllowed": {"vram": "4GB"}}},
        {"cronScalingRules": {"start": "0 0 * * *"}},
        {"externalScaler": {"url": "ftp://x"}},
    ],
)
def test_wrong_names_and_spellings_are_refused(wrong):
    assert list(CONFIG.iter_errors(wrong)) != []


@given(almost_valid())
def test_whatever_the_parser_accepts_the_schema_accepts(config):
    assume("NaN" not in json.dumps(config))
    if all(problem.is_warning for problem in parse(config).problems):
        assert list(CONFIG.iter_errors(config)) == []


def test_a_row_of_the_workloads_file_is_valid():
    row = {
        "namespace": "team-a",
        "workload": "chat",
        "tflops_request": 10,
        "vram_limit": "4Gi",
        "compute_percent_limit": "50%",
        "replicas": 2,
        "gpu_model": "A100",
        "qos": "high",
        "price_per_hour": 2.5,
        "annotations": {"tensor-fusion.ai/auto-limits": "true"},
        "autoScalingConfig": FIRST_GENERATION,
    }
    assert list(ROW.iter_errors(row)) == []


@pytest.mark.parametrize("row", [{}, {"namespace": "a"}, {"series_id": "a/b", "tflop_request": 3}])
def test_a_row_needs_a_name_and_known_columns(row):
    assert list(ROW.iter_errors(row)) != []


def test_the_reference_has_a_row_for_every_setting():
    assert [field.path for field, _, _ in field_rows()] == [field.path for field in FIELDS]
    assert [field.path for field, allowed, _ in field_rows() if not allowed] == []


# description


def described(config, **options):
    return {row.path: row for row in describe_policy(parse(config, **options))}


def test_a_policy_without_settings_shows_its_defaults():
    rows = described({})
    assert [
        row for row in rows.values() if row.value != row.default or row.source != "default"
    ] == []
    assert rows["requests.vram.buffer"].value == "10%, at least 512Mi"
    assert rows["replicas.max_replicas"].value == "10 times the stated replicas"


def test_every_row_has_texts():
    rows = described(FIRST_GENERATION) | described(CURRENT_GENERATION)
    texts = [(row.value, row.default, row.source, row.meaning) for row in rows.values()]
    assert [row for row in texts if not all(row)] == []


def test_a_set_value_stands_beside_its_default_and_its_source():
    config = {"autoSetRequests": {"percentileForAutoRequests": 0.9}}
    row = described(config, source="profile a/b")["requests.compute.percentile"]
    assert (row.value, row.default, row.source, row.field) == (
        "90%",
        "95%",
        "profile a/b",
        "autoSetRequests.percentileForAutoRequests",
    )


def test_the_current_generation_is_compared_with_its_own_defaults():
    config = {"autoSetResources": {"enable": True, "targetResource": "all"}}
    rows = described(config)
    changed = [path for path, row in rows.items() if row.value != row.default]
    assert changed == [
        "requests.compute.is_enrolled",
        "limits.compute.is_enrolled",
        "requests.vram.is_enrolled",
        "limits.vram.is_enrolled",
    ]


@given(almost_valid())
def test_any_policy_can_be_described(config):
    assert len(describe_policy(parse(config))) > 40
