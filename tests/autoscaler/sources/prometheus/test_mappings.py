import pytest

from autoscaler.errors import UsageError
from autoscaler.sources.prometheus.mapping import AMOUNTS_IN_FORCE, OUR_LABELS, Unit
from autoscaler.sources.prometheus.mappings import AGENT, DCGM, GREPTIMEDB, SHIPPED, mapping_of
from autoscaler.sources.prometheus.promql import Matcher
from autoscaler.sources.source import Metric

EVERY = pytest.mark.parametrize("mapping", SHIPPED.values(), ids=SHIPPED)


def error_of(document):
    with pytest.raises(UsageError) as raised:
        mapping_of(document, "s.yaml: prometheus.mapping")
    return str(raised.value)


def selectors(mapping):
    return {
        str(metric): [name.selector() for name in names]
        for metric, names in mapping.metrics.items()
    }


@EVERY
def test_a_shipped_mapping_is_found_by_its_name(mapping):
    assert mapping_of(mapping.name, "x") is mapping


@EVERY
def test_a_shipped_mapping_measures_compute_and_vram_of_workers(mapping):
    assert {Metric.TFLOPS, Metric.COMPUTE_PERCENT, Metric.VRAM_BYTES} <= set(mapping.metrics)
    assert {"namespace", "worker", "uuid"} <= set(mapping.labels) <= set(OUR_LABELS)
    assert mapping.labels.get("workload") or mapping.takes_workload_of_pod


@EVERY
def test_limits_are_whole_sentences_said_once(mapping):
    assert [text for text in mapping.limits if not text.endswith(".") or "  " in text] == []
    assert len(set(mapping.limits)) == len(mapping.limits)


def test_the_agent_gives_everything():
    assert AGENT.limits == ()
    assert selectors(AGENT) == {
        "tflops": ['tf_worker_compute_tflops{method="sm_time"}'],
        "tflops_pct": ["tf_worker_compute_percentage"],
        "vram_bytes": ["tf_worker_memory_bytes"],
        "effective_share_percent": ["tf_worker_effective_share_percentage"],
        "throttled_ratio": ["tf_worker_compute_throttled_seconds_total"],
        "vram_denied": ["tf_worker_vram_denied_total"],
    }
    assert set(AMOUNTS_IN_FORCE) <= set(AGENT.in_force)


def test_greptimedb_names_a_field_of_each_table():
    assert selectors(GREPTIMEDB) == {
        "tflops": ['tf_worker_usage{__field__="compute_tflops"}'],
        "tflops_pct": ['tf_worker_usage{__field__="compute_percentage"}'],
        "vram_bytes": ['tf_worker_usage{__field__="memory_bytes"}'],
    }
    assert GREPTIMEDB.in_force["vram-limit"].selector() == (
        'tf_worker_resources{__field__="vram_bytes_limit"}'
    )
    assert not GREPTIMEDB.answers_raw_windows


def test_dcgm_measures_whole_cards_by_what_the_exporter_has():
    assert selectors(DCGM) == {
        "tflops": [
            'DCGM_FI_PROF_GR_ENGINE_ACTIVE{GPU_I_ID=""}',
            'DCGM_FI_DEV_GPU_UTIL{GPU_I_ID=""}',
        ],
        "tflops_pct": [
            'DCGM_FI_PROF_GR_ENGINE_ACTIVE{GPU_I_ID=""}',
            'DCGM_FI_DEV_GPU_UTIL{GPU_I_ID=""}',
        ],
        "vram_bytes": ['DCGM_FI_DEV_FB_USED{GPU_I_ID=""}'],
    }
    assert [name.unit for name in DCGM.metrics[Metric.TFLOPS]] == [
        Unit.CARD_RATIO,
        Unit.CARD_PERCENT,
    ]
    assert DCGM.metrics[Metric.VRAM_BYTES][0].scale == 2**20
    assert dict(DCGM.in_force) == {}


def test_own_names_replace_those_of_a_shipped_mapping():
    mapping = mapping_of(
        {
            "base": "dcgm",
            "labels": {"worker": "pod", "gpu_model": ["model", "modelName"], "workload": "app"},
            "metrics": {
                "tflops": None,
                "tflops_pct": [
                    "my.busy",
                    {"series": "busy", "unit": "cardRatio", "matchers": {"site": {"!=": "lab"}}},
                ],
                "vram_bytes": {"series": "my_mb", "scale": 1e6},
                "throttled_ratio": "my_waited_seconds_total",
            },
            "inForce": {"vram-limit": "my_vram_limit"},
            "takesWorkloadOfPod": False,
        },
        "x",
    )
    assert mapping.name == "dcgm with other names"
    assert mapping.labels["worker"] == ("pod",)
    assert mapping.labels["gpu_model"] == ("model", "modelName")
    assert mapping.labels["node"] == DCGM.labels["node"]
    assert selectors(mapping) == {
        "tflops_pct": ['{"my.busy"}', 'busy{site!="lab"}'],
        "vram_bytes": ["my_mb"],
        "throttled_ratio": ["my_waited_seconds_total"],
    }
    assert mapping.metrics[Metric.VRAM_BYTES][0].scale == 1e6
    assert mapping.metrics[Metric.COMPUTE_PERCENT][1].unit is Unit.CARD_RATIO
    assert mapping.in_force["vram-limit"].selector() == "my_vram_limit"
    assert not mapping.takes_workload_of_pod
    assert not any("Throttled" in sentence for sentence in mapping.limits)


def test_own_names_stand_on_the_agents_unless_another_base_is_named():
    mapping = mapping_of({"metrics": {"vram_bytes": "mine"}}, "x")
    assert mapping.metrics[Metric.TFLOPS] == AGENT.metrics[Metric.TFLOPS]
    assert mapping.in_force == AGENT.in_force


@pytest.mark.parametrize("name", ["my.busy", "job:busy:rate5m", "k8s/gpu-busy", "größe"])
def test_a_metric_may_have_any_name_that_is_no_expression(name):
    (found,) = mapping_of({"metrics": {"vram_bytes": name}}, "x").metrics[Metric.VRAM_BYTES]
    assert found.series == name


@pytest.mark.parametrize("op", ["=", "!=", "=~", "!~"])
def test_a_matcher_may_have_any_operator(op):
    document = {"metrics": {"vram_bytes": {"series": "x", "matchers": {"a": {op: "b"}}}}}
    (name,) = mapping_of(document, "x").metrics[Metric.VRAM_BYTES]
    assert name.matchers == (Matcher("a", "b", op),)


def test_all_problems_are_named_at_once_with_their_places():
    lines = error_of(
        {
            "bass": 1,
            "base": "dgcm",
            "takesWorkloadOfPod": 1,
            "labels": {"wroker": "pod", "worker": []},
            "metrics": {
                "tflop": "x",
                "tflops": [],
                "vram_bytes": {
                    "series": "a",
                    "unit": "cardRatio",
                    "scale": 0,
                    "matchers": {"x": 1},
                },
                "vram_denied": 5,
            },
            "inForce": {"vram-limit": {"series": "x", "unit": "cardPercent"}},
        }
    ).splitlines()
    expected = [
        ".bass: unknown key; did you mean base?",
        ".base: 'dgcm' is not valid; allowed: one of agent, greptimedb, dcgm",
        ".takesWorkloadOfPod: 1 is not valid; allowed: true or false",
        ".labels.wroker: unknown key; did you mean worker?",
        ".labels.worker: [] is not valid; allowed: a label name, or a list",
        ".metrics.tflop: unknown key; did you mean tflops?",
        ".metrics.tflops: [] is not valid; allowed: a metric name",
        ".metrics.vram_bytes.scale: 0 is not valid; allowed: a number above 0",
        ".metrics.vram_bytes.matchers.x: 1 is not valid; allowed: a text, or one of",
        ".metrics.vram_denied: 5 is not valid; allowed: a metric name",
        ".metrics.vram_bytes.unit: 'cardRatio' is not valid; allowed: base",
        ".inForce.vram-limit.unit: 'cardPercent' is not valid; allowed: base",
    ]
    assert len(lines) == len(expected)
    missing = [
        text
        for text in expected
        if not any(f"s.yaml: prometheus.mapping{text}" in x for x in lines)
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("dgcm", "'dgcm' is not valid; allowed: agent, greptimedb, dcgm, or a mapping"),
        (["agent"], "allowed: agent, greptimedb, dcgm, or a mapping with the keys base, labels"),
        (None, "None is not valid"),
        ({"base": ["agent"]}, ".base: ['agent'] is not valid"),
        ({"metrics": "x"}, ".metrics: 'x' is not valid; allowed: a mapping with keys among tflops"),
        ({"metrics": {"tflops": ""}}, ".metrics.tflops: '' is not valid; allowed: a name of one"),
        ({"metrics": {"tflops": {"name": "x"}}}, ".metrics.tflops: {'name': 'x'} is not valid"),
        ({"metrics": {"tflops": {"series": "x", "unit": "GHz"}}}, "base, cardRatio, cardPercent"),
        ({"metrics": {"tflops": {"series": "x", "unit": []}}}, ".unit: [] is not valid"),
        ({"metrics": {"tflops": {"series": "x", "scale": True}}}, ".scale: True is not valid"),
        ({"metrics": {"tflops": {"series": "x", "scale": float("nan")}}}, "a number above 0"),
        ({"metrics": {"tflops": {"series": "x", "scale": "2"}}}, "a number above 0"),
        ({"metrics": {"tflops": {"series": "x", "matchers": []}}}, ".matchers: [] is not valid"),
        ({"metrics": {"tflops": {"series": "x", "matchers": {"a": {}}}}}, ".a: {} is not valid"),
        ({"metrics": {"tflops": {"series": "x", "matchers": {"a": {"~": "b"}}}}}, "a text, or one"),
        ({"metrics": {"tflops": {"series": "x", "matchers": {"\n": "b"}}}}, "control characters"),
        ({"metrics": {"tflops": {"series": "x", "matchers": {"a": "\ud800"}}}}, "Unicode text"),
        ({"labels": {"worker": "a\x00"}}, ".labels.worker: 'a\\x00' is not valid"),
        ({"metrics": {"tflops": "bad name{"}}, "'bad name{' is not valid; allowed: a name without"),
        ({"metrics": {"tflops": 'x{a="b"}'}}, "conditions stand in matchers"),
        ({"metrics": {"tflops": "rate(x[5m])"}}, ".metrics.tflops: 'rate(x[5m])' is not valid"),
        ({"inForce": {"vram-limit": "a,b"}}, ".inForce.vram-limit: 'a,b' is not valid"),
        ({"labels": {"worker": "pod name"}}, ".labels.worker: 'pod name' is not valid"),
        ({"labels": {"worker": ["a", 1]}}, ".labels.worker: ['a', 1] is not valid"),
        ({"metrics": {"tflops": ["x", 3]}}, ".metrics.tflops[1]: 3 is not valid"),
        ({"labels": {"namespace": None}}, ".labels.namespace: a name is needed"),
        ({"base": "dcgm", "takesWorkloadOfPod": False}, ".labels.workload: a name is needed"),
        ({3: 4}, ".3: unknown key; known: base, labels"),
    ],
)
def test_a_wrong_value_says_where_it_is_and_what_is_allowed(document, words):
    assert words in error_of(document)
