"""Every setting has its documented meaning: what is written lands where the table says."""

import pytest

from recommender.forecast.models import ModelName
from recommender.policy.field import Kind
from recommender.policy.fields import ANNOTATION_PREFIX, FIELD, FIELDS, STATEMENTS, children_of
from recommender.policy.model import Buffer, Dimension, Mode
from recommender.policy.parse import parse_auto_scaling_config
from recommender.policy.values import allowed_text

GIB = 2**30
DAY_S = 86400
CURRENT = {"enable": True, "targetResource": "all"}

EXAMPLES = {
    "mode": ("recommend", Mode.RECOMMEND),
    "autoSetRequests.enable": (True, True),
    "autoSetRequests.mode": ("initial", Mode.INITIAL),
    "autoSetRequests.percentileForAutoRequests": ("90%", 0.9),
    "autoSetRequests.extraBufferRatio": (0.3, Buffer(1.3)),
    "autoSetRequests.riskTarget": ("1%", 0.01),
    "autoSetRequests.evaluationPeriod": ("5m", 300),
    "autoSetRequests.aggregationPeriod": ("7d", 7 * DAY_S),
    "autoSetRequests.minAllowed.tflops": ("500m", 0.5),
    "autoSetRequests.minAllowed.vram": ("2Gi", 2.0 * GIB),
    "autoSetRequests.maxAllowed.tflops": (100, 100.0),
    "autoSetRequests.maxAllowed.vram": ("40Gi", 40.0 * GIB),
    "autoSetRequests.prediction.enable": ("true", True),
    "autoSetRequests.prediction.model": ("ets", "ets"),
    "autoSetRequests.prediction.historyDataPeriod": ("3d", 3 * DAY_S),
    "autoSetRequests.prediction.predictionPeriod": ("30m", 1800),
    "autoSetLimits.enable": (True, True),
    "autoSetLimits.mode": ("recommend", Mode.RECOMMEND),
    "autoSetLimits.evaluationPeriod": ("30s", 30),
    "autoSetLimits.extraTFlopsBufferRatio": ("1.5", Buffer(1.5)),
    "autoSetLimits.riskTarget": (0.02, 0.02),
    "autoSetLimits.ignoredDeltaRange": (5, 0.05),
    "autoSetLimits.scaleUpStep": ("1.5", 1.5),
    "autoSetLimits.maxRatioToRequests": (3, 3.0),
    "autoSetLimits.minAllowed.tflops": (2, 2.0),
    "autoSetLimits.minAllowed.vram": ("1Gi", 1.0 * GIB),
    "autoSetLimits.maxAllowed.tflops": ("1k", 1000.0),
    "autoSetLimits.maxAllowed.vram": ("80Gi", 80.0 * GIB),
    "autoSetLimits.prediction.enable": (True, True),
    "autoSetLimits.prediction.model": ("holt-winters", "holt-winters"),
    "autoSetLimits.prediction.historyDataPeriod": ("2d", 2 * DAY_S),
    "autoSetLimits.prediction.predictionPeriod": ("10m", 600),
    "autoSetReplicas.enable": (True, True),
    "autoSetReplicas.mode": ("recommend", Mode.RECOMMEND),
    "autoSetReplicas.targetTFlopsOfLimits": ("60", 0.6),
    "autoSetReplicas.evaluationPeriod": ("2m", 120),
    "autoSetReplicas.scaleUpStep": (3, 3.0),
    "autoSetReplicas.scaleDownStep": (1.25, 0.8),
    "autoSetReplicas.scaleUpCoolDownTime": ("1m", 60),
    "autoSetReplicas.scaleDownCoolDownTime": ("10m", 600),
    "autoSetReplicas.minReplicas": ("2", 2),
    "autoSetReplicas.maxReplicas": (20, 20),
    "autoSetResources.enable": (True, True),
    "autoSetReplicas.prediction.enable": (True, True),
    "autoSetReplicas.prediction.model": ("ridge", ModelName.RIDGE),
    "autoSetReplicas.prediction.historyDataPeriod": ("2d", 2 * DAY_S),
    "autoSetReplicas.prediction.predictionPeriod": ("20m", 1200),
    "autoSetResources.mode": ("initial", Mode.INITIAL),
    "autoSetResources.targetComputePercentile": (0.8, 0.8),
    "autoSetResources.lowerBoundComputePercentile": (0.4, 0.4),
    "autoSetResources.upperBoundComputePercentile": (0.97, 0.97),
    "autoSetResources.targetVRAMPercentile": (0.9, 0.9),
    "autoSetResources.lowerBoundVRAMPercentile": (0.3, 0.3),
    "autoSetResources.upperBoundVRAMPercentile": (1, 1.0),
    "autoSetResources.marginFraction": ("20%", Buffer(1.2)),
    "autoSetResources.updateThreshold": (0.05, 0.05),
    "autoSetResources.historyDataPeriod": ("1d", DAY_S),
    "autoSetResources.minVRAMResourcesRatio": (0.5, 0.5),
    "autoSetResources.maxVRAMResourcesRatio": (2, 2.0),
    "autoSetResources.minComputeResourcesRatio": ("0.25", 0.25),
    "autoSetResources.maxComputeResourcesRatio": (4, 4.0),
    "autoSetResources.initialDelayPeriod": ("1h", 3600),
    "autoSetResources.interval": ("1m", 60),
    "externalScaler.enable": (True, True),
    "externalScaler.url": ("https://scaler.team-a.svc/recommend",) * 2,
    "externalScaler.apiKeySecretRef.namespace": ("team-a", "team-a"),
    "externalScaler.apiKeySecretRef.name": ("scaler-key", "scaler-key"),
    "externalScaler.initialDelayPeriod": ("5m", 300),
    "externalScaler.interval": ("1m", 60),
}
TESTED_ELSEWHERE = {
    "autoSetRequests.targetResource",
    "autoSetLimits.targetResource",
    "autoSetResources.targetResource",
    "cronScalingRules",
    "scaleToZero",
}


def nested(path, value):
    """Return {"a": {"b": value}} for "a.b"."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def with_context(path, value):
    """Return the setting alone, with what it needs beside it to have an effect."""
    config = nested(path, value)
    block = path.partition(".")[0]
    if block == "autoSetResources":
        config[block] = CURRENT | config[block]
    if block == "externalScaler" and path != "externalScaler.url":
        config[block]["url"] = "http://scaler/"
    return config


def value_at(policy, path):
    value = policy
    for name in path.split("."):
        value = value[Dimension(name)] if hasattr(value, "keys") else getattr(value, name)
    return value


@pytest.mark.parametrize("path", EXAMPLES)
def test_a_setting_lands_where_its_meaning_says(path):
    spelling, expected = EXAMPLES[path]
    policy = parse_auto_scaling_config(with_context(path, spelling), source="profile a/b")
    lands = [land for land in FIELD[path].lands if not land.endswith("is_load_weighted")]
    assert {land: value_at(policy, land) for land in lands} == dict.fromkeys(lands, expected)


@pytest.mark.parametrize("path", EXAMPLES)
def test_a_setting_brings_its_source_along(path):
    spelling, _ = EXAMPLES[path]
    policy = parse_auto_scaling_config(with_context(path, spelling), source="profile a/b")
    lands = FIELD[path].lands
    assert {land: policy.source_of(land) for land in lands} == dict.fromkeys(lands, "profile a/b")


@pytest.mark.parametrize("path", EXAMPLES)
def test_a_setting_within_its_range_is_no_problem(path):
    spelling, _ = EXAMPLES[path]
    assert parse_auto_scaling_config(with_context(path, spelling)).problems == ()


def test_every_setting_that_has_an_effect_has_an_example():
    effective = {field.path for field in FIELDS if field.lands}
    assert effective == set(EXAMPLES) | TESTED_ELSEWHERE


@pytest.mark.parametrize("path", EXAMPLES)
def test_a_wrong_value_of_any_setting_is_named_and_nothing_else_changes(path):
    policy = parse_auto_scaling_config(with_context(path, ["wrong"]), path="spec")
    errors = [problem for problem in policy.problems if not problem.is_warning]
    assert [problem.path for problem in errors][:1] == [f"spec.{path}"]
    assert "'a list' is not valid" in errors[0].message
    assert allowed_text(FIELD[path]) in errors[0].message


def test_every_setting_has_a_meaning_that_is_a_sentence():
    texts = [item.meaning for item in (*FIELDS, *STATEMENTS)]
    assert [text for text in texts if not (text[0].isupper() and text.endswith("."))] == []


def test_no_name_stands_for_two_settings_of_one_object():
    for parent in {field.parent for field in FIELDS}:
        names = [name for f in FIELDS if f.parent == parent for name in (f.name, *f.aliases)]
        assert len(names) == len(set(names))


def test_every_setting_stands_in_an_object_of_the_table():
    parents = {field.parent.removesuffix("[]") for field in FIELDS if field.parent}
    assert parents <= set(FIELD)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("targetTflopsPercentile", "targetComputePercentile"),
        ("targettflopspercentile", "targetComputePercentile"),
        ("lowerboundtflopspercentile", "lowerBoundComputePercentile"),
        ("upperBoundTflopsPercentile", "upperBoundComputePercentile"),
        ("targetVramPercentile", "targetVRAMPercentile"),
        ("lowerboundvrampercentile", "lowerBoundVRAMPercentile"),
        ("upperBoundVramPercentile", "upperBoundVRAMPercentile"),
        ("requestMarginFraction", "marginFraction"),
        ("historyLength", "historyDataPeriod"),
    ],
)
def test_an_older_name_means_the_same(alias, name):
    spelling, _ = EXAMPLES[f"autoSetResources.{name}"]
    old = parse_auto_scaling_config({"autoSetResources": CURRENT | {alias: spelling}})
    new = parse_auto_scaling_config({"autoSetResources": CURRENT | {name: spelling}})
    assert old == new
    assert alias in children_of("autoSetResources")


MODEL_FIELDS = [field.path for field in FIELDS if field.path.endswith(".model")]


@pytest.mark.parametrize("path", MODEL_FIELDS)
@pytest.mark.parametrize("name", [*ModelName, "ETS", " gbm "])
def test_every_block_takes_the_name_of_every_model(path, name):
    policy = parse_auto_scaling_config(nested(path, str(name)))
    assert [problem for problem in policy.problems if not problem.is_warning] == []


@pytest.mark.parametrize("path", MODEL_FIELDS)
def test_every_block_refuses_an_unknown_model_and_lists_the_known_ones(path):
    (problem,) = parse_auto_scaling_config(nested(path, "prophet"), path="spec").problems
    assert str(problem).startswith(
        f"spec.{path}: 'prophet' is not valid; allowed: auto, histogram, seasonal, holt-winters, "
        "ets, sarimax, ridge, gbm"
    )


@pytest.mark.parametrize("unset", ["", None])
def test_an_empty_model_is_auto(unset):
    config = nested("autoSetRequests.prediction", {"enable": True, "model": unset})
    policy = parse_auto_scaling_config(config)
    assert policy.problems == ()
    assert policy.requests[Dimension.COMPUTE].prediction.model is ModelName.AUTO


@pytest.mark.parametrize("name", ["confidenceInterval", "historyResolution"])
def test_a_setting_that_was_once_documented_is_accepted_with_a_warning(name):
    (problem,) = parse_auto_scaling_config({"autoSetResources": {name: "24h"}}).problems
    assert problem.is_warning
    assert problem.message.startswith("has no effect")


def test_kinds_of_statements_can_be_read():
    kinds = {statement.kind for statement in STATEMENTS}
    assert kinds <= {Kind.QUANTITY, Kind.INTEGER, Kind.TEXT, Kind.ENUM, Kind.BOOLEAN}
    assert ANNOTATION_PREFIX == "tensor-fusion.ai/"
