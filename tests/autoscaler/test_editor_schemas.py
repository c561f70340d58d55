"""The JSON Schemas for editors say the same as the readers of the files."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from autoscaler.api.kinds import KINDS
from autoscaler.api.manifest_schema import manifest_schema
from autoscaler.checking.files.objects import object_problems
from autoscaler.errors import UsageError
from autoscaler.settings import SETTINGS, settings_of
from autoscaler.settings_schema import settings_schema
from tests.autoscaler.webhook.clusters import cluster, made
from tests.recommender.policy.test_parse import almost_valid

SETTINGS_FILE = Draft202012Validator(settings_schema())
MANIFESTS = {kind.name: Draft202012Validator(manifest_schema(kind.model)) for kind in KINDS}
EXAMPLES = {
    "report.since": "14d",
    "report.currency": "EUR",
    "thresholds.vramPeakOfLimitRatio": "97%",
    "thresholds.atLimitShare": 0.05,
    "thresholds.idleComputeRatio": "0.1",
    "thresholds.idleAfter": "12h",
    "thresholds.idleHoldsRatio": "50 %",
    "gpuModels": {"mine": {"tflops": 9, "vram": "8Gi"}},
    "gpuPrices": {"A100": 2.5},
    "prometheus.url": "http://prometheus:9090",
    "prometheus.mapping": "dcgm",
    "prometheus.selector": {"cluster": "prod", "job": {"=~": "a|b"}},
    "prometheus.timeout": "30s",
    "prometheus.connectTimeout": "500ms",
    "prometheus.maxAnswer": "64Mi",
    "prometheus.compression": True,
    "prometheus.tokenFile": "token",
    "prometheus.username": "me",
    "prometheus.passwordFile": "password",
    "prometheus.caFile": "ca.pem",
    "prometheus.certFile": "tls.pem",
    "prometheus.keyFile": "key.pem",
    "prometheus.insecureSkipVerify": True,
    "prometheus.headers": {"X-Scope-OrgID": "team-a"},
    "prometheus.headerFiles": {"Authorization": "header"},
    "prometheus.parameters": {"db": "public", "dedup": "true"},
    "prometheus.proxyUrl": "http://proxy:3128",
}
NUMBERS = st.integers(-5, 200) | st.floats(-1, 2, allow_nan=False)
SPELLINGS = st.sampled_from(["", " ", "5", "0.5", "10%", "1e-1", "7d", "90s", "1h30m", "4Gi", "x"])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | SPELLINGS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(SPELLINGS, inner, max_size=2),
    max_leaves=4,
)


def nested(path, value):
    group, dot, name = path.partition(".")
    return {group: {name: value}} if dot else {group: value}


def is_read(document):
    try:
        settings_of(document, "tfa.yaml")
    except UsageError:
        return False
    return True


@pytest.mark.parametrize("validator", [SETTINGS_FILE, *MANIFESTS.values()])
def test_each_is_a_valid_schema_in_plain_json(validator):
    Draft202012Validator.check_schema(validator.schema)
    assert json.loads(json.dumps(validator.schema)) == validator.schema


def test_every_setting_has_an_example():
    assert [setting.path for setting in SETTINGS] == list(EXAMPLES)


@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_of_a_setting_is_valid(path):
    assert list(SETTINGS_FILE.iter_errors(nested(path, EXAMPLES[path]))) == []


@pytest.mark.parametrize("path", EXAMPLES)
@given(value=VALUES)
def test_whatever_settings_the_reader_accepts_the_schema_accepts(path, value):
    document = nested(path, value)
    if is_read(document):
        assert list(SETTINGS_FILE.iter_errors(document)) == []


@pytest.mark.parametrize("path", EXAMPLES)
@pytest.mark.parametrize("wrong", [None, [1], True, {"": {"": []}}])
def test_a_setting_of_a_wrong_type_is_refused_by_both(path, wrong):
    if wrong is True and EXAMPLES[path] is True:
        return
    document = nested(path, wrong)
    assert not is_read(document)
    if path != "prometheus.mapping" or not isinstance(wrong, dict):  # names of one's own
        assert list(SETTINGS_FILE.iter_errors(document)) != []


@pytest.mark.parametrize("unknown", ["reports", "report.sinse", "prometheus.uri", "gpus"])
def test_an_unknown_setting_is_refused_by_both(unknown):
    document = nested(unknown, "x")
    assert not is_read(document)
    assert list(SETTINGS_FILE.iter_errors(document)) != []


SPEC_FIELDS = {
    "replicas": NUMBERS | VALUES,
    "poolName": st.sampled_from(["default-pool", "", 3]) | VALUES,
    "qos": st.sampled_from(["low", "high", "superb"]) | VALUES,
    "gpuCount": NUMBERS | VALUES,
    "gpuIndices": st.lists(NUMBERS, max_size=2) | VALUES,
    "isLocalGPU": st.booleans() | VALUES,
    "resources": st.fixed_dictionaries(
        {},
        optional={
            side: st.fixed_dictionaries(
                {}, optional=dict.fromkeys(("tflops", "vram", "cpu"), NUMBERS | SPELLINGS)
            )
            for side in ("requests", "limits", "others")
        },
    ),
    "gangScheduling": st.fixed_dictionaries({}, optional={"minMembers": NUMBERS, "mode": VALUES}),
    "qoss": VALUES,
}
SPECS = st.fixed_dictionaries({}, optional=SPEC_FIELDS)


def complaints(manifest):
    return list(MANIFESTS[manifest["kind"]].iter_errors(manifest))


def errors(manifest):
    problems = object_problems(manifest, cluster())
    return [problem for problem in problems if not problem.is_warning]


@given(SPECS)
def test_whatever_profile_is_sound_is_valid(spec):
    manifest = made("WorkloadProfile", "p", spec=spec)
    if not errors(manifest):
        assert complaints(manifest) == []


@given(almost_valid())
def test_whatever_configuration_is_sound_is_valid(config):
    manifest = made("WorkloadProfile", "p", spec={"autoScalingConfig": config})
    if "NaN" not in json.dumps(config) and not errors(manifest):
        assert complaints(manifest) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"qos": "superb"},
        {"qoss": "high"},
        {"gpuCount": "two"},
        {"replicas": -1},
        {"resources": {"request": {}}},
        {"resources": {"requests": {"tflop": 1}}},
        {"resources": {"requests": {"vram": [1]}}},
        {"resources": {"requests": {"vram": "4GB"}}},
        {"gpuIndices": {}},
        {"isLocalGPU": "yes"},
        {"autoScalingConfig": {"autoSetRequest": {}}},
        {"autoScalingConfig": {"autoSetLimits": {"enable": "maybe"}}},
        {"autoScalingConfig": []},
        {"gangScheduling": {"minMember": 2}},
    ],
)
def test_wrong_types_and_unknown_names_are_refused_by_both(spec):
    manifest = made("WorkloadProfile", "p", spec=spec)
    assert errors(manifest) != []
    assert complaints(manifest) != []


@pytest.mark.parametrize(
    "manifest",
    [
        made("GPUPool", "p", namespace="", spec={"rules": [{"name": "r", "podSelectors": {}}]}),
        made("GPUPool", "p", namespace="", spec={"placement": {"mode": "Compact"}}),
        made("GPUResourceQuota", "q", spec={"single": {"maxRequests": {"vram": "4GB"}}}),
        made("GPUResourceQuota", "q", spec={"totals": {}}),
    ],
)
def test_pools_and_quotas_are_held_to_their_names_and_words(manifest):
    assert errors(manifest) != []
    assert complaints(manifest) != []


@pytest.mark.parametrize("path", ["apiVersion", "kind", "metadata"])
def test_what_every_manifest_needs_is_asked_for(path):
    manifest = made("WorkloadProfile", "p", spec={})
    del manifest[path]
    assert list(MANIFESTS["WorkloadProfile"].iter_errors(manifest)) != []
