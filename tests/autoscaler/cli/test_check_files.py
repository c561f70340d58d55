"""``tfa check FILE...``: every problem of every file, at its line and column."""

import io
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.api.names import ENABLED, SOURCES, USER_ANNOTATIONS
from autoscaler.checking.files.checking import check_files
from autoscaler.checking.files.input_files import LARGEST_BYTES, InputFile
from autoscaler.checking.files.problem import Place
from autoscaler.scaling.cards import GpuModels

PROFILE = """\
apiVersion: tensor-fusion.ai/v1
kind: WorkloadProfile
metadata: {name: small, namespace: team}
spec:
  resources:
    requests: {tflops: "20", vram: 8Gi}
    limits: {tflops: "60", vram: 8Gi}
  autoScalingConfig:
    autoSetLimits: {enable: true}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat, namespace: team}
spec:
  template:
    metadata:
      labels:
        tensor-fusion.ai/enabled: "true"
      annotations:
        tensor-fusion.ai/workload-profile: small
        tensor-fusion.ai/qos: high
    spec:
      containers: [{name: chat, image: chat}]
"""
POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: one
  labels: {tensor-fusion.ai/enabled: "true"}
  annotations: {tensor-fusion.ai/tflops-request: "10"}
spec:
  containers: [{name: one, image: one}]
"""
POOL = """\
apiVersion: tensor-fusion.ai/v1
kind: GPUPool
metadata:
  name: inference
  annotations: {tensor-fusion.ai/is-default-pool: "true"}
spec:
  rules:
    - name: chat
      podSelector: {matchLabels: {app.kubernetes.io/name: chat}}
"""
QUOTA = """\
apiVersion: tensor-fusion.ai/v1
kind: GPUResourceQuota
metadata: {name: gold, namespace: team}
spec:
  single:
    maxRequests: {tflops: "100"}
    defaultRequests: {tflops: "10"}
"""
CRON_JOB = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: team}
spec:
  jobTemplate:
    spec:
      template:
        metadata:
          labels: {tensor-fusion.ai/enabled: "true"}
          annotations: {tensor-fusion.ai/tflops-request: "10"}
        spec:
          containers: [{name: one, image: one}]
"""
SETTINGS = "report: {since: 7d}\nprometheus:\n  url: http://prometheus:9090\n"
CONFIG = "autoSetLimits:\n  enable: true\n"
WORKLOADS = "- namespace: team\n  workload: chat\n  tflops_request: 10\n"
SOUND = {
    "profile": PROFILE,
    "deployment": DEPLOYMENT + "---\n" + PROFILE,
    "pod": POD,
    "pool": POOL,
    "quota": QUOTA,
    "cron job": CRON_JOB,
    "settings": SETTINGS,
    "autoScalingConfig": CONFIG,
    "autoScalingConfig under its key": "autoScalingConfig:\n  autoSetLimits: {enable: true}\n",
    "workloads": WORKLOADS,
    "workloads under their key": "workloads:\n" + WORKLOADS,
}


@pytest.fixture
def check(tfa, tmp_path):
    """Check one text in a file; problems come back without the name of the file."""

    def check(text, *arguments, name="file.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        ended = tfa("check", path, *arguments)
        return ended, [line.removeprefix(f"{path}:") for line in ended.out.splitlines()]

    return check


@pytest.mark.parametrize("kind", SOUND)
def test_a_sound_file_passes_without_a_word(check, kind):
    ended, problems = check(SOUND[kind])

    assert (ended.code, problems) == (0, [])
    assert ended.err == "1 file: 0 errors, 0 warnings\n"


@pytest.mark.parametrize(
    ("text", "old", "new", "problem"),
    [
        (
            PROFILE,
            "  resources:",
            "  qos: superb\n  resources:",
            (
                "5:3: error: spec.qos: 'superb' is not valid; allowed: 'low', 'medium', 'high' or "
                "'critical'"
            ),
        ),
        (
            PROFILE,
            "vram: 8Gi}\n    limits",
            "vrm: 8Gi}\n    limits",
            "6:30: error: spec.resources.requests.vrm: unknown field; did you mean vram?",
        ),
        (
            PROFILE,
            '"60"',
            '"6"',
            (
                "7:14: error: spec.resources.limits.tflops: tflops-limit 6 TFLOPS is below "
                "tflops-request 20 TFLOPS (spec.resources.requests.tflops); allowed: at least the "
                "request"
            ),
        ),
        (
            PROFILE,
            "enable: true",
            "enable: maybe",
            (
                "9:21: error: spec.autoScalingConfig.autoSetLimits.enable: 'maybe' is not valid; "
                "allowed: true or false"
            ),
        ),
        (
            PROFILE,
            "ai/v1",
            "ai/v2",
            (
                "1:1: error: apiVersion: 'tensor-fusion.ai/v2' is not valid; allowed: "
                "tensor-fusion.ai/v1"
            ),
        ),
        (
            PROFILE,
            "WorkloadProfile",
            "WorkloadProfil",
            (
                "2:1: error: kind: 'WorkloadProfil' is no kind of tensor-fusion.ai; did you mean "
                "WorkloadProfile?"
            ),
        ),
        (
            PROFILE,
            "name: small, ",
            "",
            "3:1: error: metadata.name: not set; allowed: the name of the object",
        ),
        (
            PROFILE,
            "  resources:",
            "  sidecarWorker: true\n  resources:",
            "5:3: warning: spec.sidecarWorker: it is not acted on",
        ),
        (
            POOL,
            "name: chat}}",
            "name: a chat}}",
            (
                "9:35: error: spec.rules[0].podSelector.matchLabels[app.kubernetes.io/name]: 'a "
                "chat' "
                "is not valid; allowed: at most 63 letters, digits, '-', '_' and '.', with a "
                "letter or "
                "a digit at both ends"
            ),
        ),
        (
            POOL,
            "- name: chat",
            "- names: chat",
            "8:7: error: spec.rules[0].name: not set; allowed: a value is needed",
        ),
        (
            QUOTA,
            '"10"',
            '"1000"',
            (
                "7:23: error: spec.single.defaultRequests.tflops: 1k is above "
                "spec.single.maxRequests.tflops; allowed: at most 100"
            ),
        ),
        (
            DEPLOYMENT + "---\n" + PROFILE,
            "qos: high",
            "qos: superb",
            (
                "11:9: error: spec.template.metadata.annotations.tensor-fusion.ai/qos: 'superb' is "
                "not valid; allowed: low, medium, high, critical"
            ),
        ),
        (
            DEPLOYMENT,
            "qos: high",
            "qos: high",
            (
                "10:9: warning: "
                "spec.template.metadata.annotations.tensor-fusion.ai/workload-profile: "
                "'small' is no WorkloadProfile of namespace team; allowed: the name of an "
                "existing one"
            ),
        ),
        (
            CRON_JOB,
            '"true"',
            "true",
            (
                "9:20: error: spec.jobTemplate.spec.template.metadata.labels.tensor-fusion.ai/"
                "enabled: True is not valid; allowed: a valid string; write it in quotes"
            ),
        ),
        (
            CRON_JOB,
            '"10"}\n        spec:',
            (
                '"10", tensor-fusion.ai/is-local-gpu: "true"}\n'
                "        spec:\n          nodeName: gpu-1"
            ),
            (
                "12:11: error: spec.jobTemplate.spec.template.spec.nodeName: 'gpu-1' cannot be set "
                "on a pod that waits for a GPU; allowed: nothing, or spec.nodeSelector with "
                "kubernetes.io/hostname"
            ),
        ),
        (
            POD,
            "image: one}",
            "image: [one]}",
            (
                "8:28: error: spec.containers[0].image: 'a list' is not valid; allowed: a valid "
                "string"
            ),
        ),
        (
            POD,
            '"10"',
            '"a lot"',
            (
                "6:17: error: metadata.annotations.tensor-fusion.ai/tflops-request: 'a lot' is not "
                "valid; allowed: a quantity of TFLOPS from 0, such as 12 or 1500m"
            ),
        ),
        (
            POD,
            '"true"',
            '"yes"',
            (
                "6:3: warning: metadata.annotations: tensor-fusion.ai/tflops-request: no effect "
                "without the label tensor-fusion.ai/enabled: 'true' in metadata.labels"
            ),
        ),
        (
            SETTINGS,
            "since",
            "sinse",
            "1:10: error: report.sinse: unknown setting; did you mean report.since?",
        ),
        (
            SETTINGS,
            "  url",
            "  mapping: {base: mine}\n  url",
            (
                "3:13: error: prometheus.mapping.base: 'mine' is not valid; allowed: one of agent, "
                "greptimedb, dcgm"
            ),
        ),
        (
            SETTINGS,
            "  url",
            "  username: me\n  url",
            "2:1: error: prometheus: prometheus.username needs prometheus.passwordFile",
        ),
        (
            CONFIG,
            "enable: true",
            "enable: maybe",
            "2:3: error: autoSetLimits.enable: 'maybe' is not valid; allowed: true or false",
        ),
        (
            WORKLOADS,
            "10",
            "4GB",
            (
                "3:3: error: tflops_request: '4GB' is not valid; allowed: a quantity of TFLOPS "
                "from 0, "
                "such as 12 or 1500m"
            ),
        ),
        (
            WORKLOADS,
            "  workload: chat\n",
            "",
            "1:1: error: no workload named: give namespace and workload, or series_id",
        ),
        (
            WORKLOADS,
            "  tflops_request: 10",
            "  annotations:\n    tensor-fusion.ai/qos: superb",
            (
                "4:5: error: annotations.tensor-fusion.ai/qos: 'superb' is not valid; allowed: "
                "low, "
                "medium, high, critical"
            ),
        ),
    ],
)
def test_a_problem_is_told_at_its_place(check, text, old, new, problem):
    assert old in text
    ended, problems = check(text.replace(old, new, 1))

    assert problem in problems
    assert ended.code == (3 if ": error: " in "".join(problems) else 0)


def test_a_csv_of_workloads_is_read_by_its_lines(check):
    text = "namespace,workload,tflops_request,colour\nteam,chat,4GB,red\nteam,,1,\n"

    _, problems = check(text, name="workloads.csv")

    assert problems == [
        (
            "2:1: error: tflops_request: '4GB' is not valid; allowed: a quantity of TFLOPS from 0, "
            "such as 12 or 1500m"
        ),
        "2:1: warning: unknown key 'colour' was not used",
        "3:1: error: no workload named: give namespace and workload, or series_id",
    ]


def test_files_refer_to_one_another(tfa, tmp_path):
    (tmp_path / "profile.yaml").write_text(PROFILE)
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "deployment.yml").write_text(DEPLOYMENT)
    (tmp_path / "deeper" / "notes.txt").write_text("no YAML: [")

    ended = tfa("check", tmp_path)

    assert (ended.code, ended.out) == (0, "")
    assert ended.err == "2 files: 0 errors, 0 warnings\n"


def test_the_objects_of_a_list_are_looked_at_at_their_own_places(check):
    items = "".join(f"  {line}\n" for line in PROFILE.splitlines())
    text = f"apiVersion: v1\nkind: List\nitems:\n-{items[1:]}"

    _, problems = check(text.replace("vram: 8Gi}", "vrm: 8Gi}"))

    assert [problem.partition(": ")[0] for problem in problems] == ["9:32", "10:30"]


def test_anchors_and_merged_keys_are_followed(check):
    text = PROFILE.replace("requests: {", "requests: &amounts {").replace(
        'limits: {tflops: "60", vram: 8Gi}', 'limits: {<<: *amounts, tflops: "6"}'
    )

    _, [problem] = check(text)

    assert problem.startswith("7:28: error: spec.resources.limits.tflops: ")


def test_a_key_that_stands_twice_is_a_warning_with_both_lines(check):
    _, problems = check(PROFILE.replace("  resources:", "  qos: low\n  qos: high\n  resources:"))

    assert problems == ["6:3: warning: qos: stands twice, first in line 5; the last one counts"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: [\n", "3:1: error: is no YAML: while parsing a flow node did not find"),
        ("a: \x00", "1:1: error: is no YAML: unacceptable character"),
        ("a: *b\n", "1:4: error: is no YAML: found undefined alias"),
        ("- " * 300, "1:401: error: has more than 200 levels"),
        ("a: !!python/object:os.system x", "1:4: error: is no YAML: could not determine"),
    ],
)
def test_what_is_no_yaml_is_told_at_its_place(check, text, problem):
    ended, [told] = check(text)

    assert ended.code == 3
    assert told.startswith(problem)


def test_a_file_that_cannot_be_read_hides_no_other(tfa, tmp_path):
    missing, latin, large, sound = (tmp_path / name for name in "abcd")
    latin.write_bytes(b"a: 1\nb: \xe4\n")
    large.write_bytes(b"#" * (LARGEST_BYTES + 1))
    sound.write_text(PROFILE)

    ended = tfa("check", missing, latin, large, sound)

    assert ended.code == 3
    assert ended.out.splitlines() == [
        f"{missing}:1:1: error: cannot be read: No such file or directory",
        f"{latin}:1:1: error: is not UTF-8 text (invalid continuation byte in line 2)",
        f"{large}:1:1: error: is too large; allowed: at most 1 MiB",
    ]
    assert ended.err == "4 files: 3 errors, 0 warnings\n"


def test_what_is_nothing_of_ours_is_named_and_passed_over(tfa, tmp_path):
    (tmp_path / "service.yaml").write_text("apiVersion: v1\nkind: Service\n")
    (tmp_path / "profile.yaml").write_text(PROFILE)

    ended = tfa("check", tmp_path)

    assert (ended.code, ended.out) == (0, "")
    assert f"{tmp_path / 'service.yaml'}: nothing of ours in it\n" in ended.err


FOREIGN = (
    "",
    "kind: Service\n",
    "a: 1\n",
    "- 1\n",
    "x",
    "report: 1\na: 1\nb: 2\n",
    "workloads: 1\n",
)


@pytest.mark.parametrize("text", FOREIGN)
def test_nothing_at_all_to_check_is_an_error(check, text):
    ended, problems = check(text)

    assert (ended.code, problems) == (3, [])
    assert "error: nothing to check in " in ended.err


def test_a_hyphen_is_standard_input(tfa, monkeypatch):
    text = PROFILE.replace("vram", "vrm", 1)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    ended = tfa("check", "-")

    assert ended.out.startswith("<stdin>:6:30: error: spec.resources.requests.vrm: unknown field")


def test_json_says_the_same_as_an_array(check, tmp_path):
    ended, _ = check(PROFILE.replace("vram", "vrm", 1), "-o", "json")

    assert ended.code == 3
    assert ended.json == [
        {
            "file": str(tmp_path / "file.yaml"),
            "severity": "error",
            "line": 6,
            "column": 30,
            "path": "spec.resources.requests.vrm",
            "message": "unknown field; did you mean vram?",
        }
    ]


def test_own_gpu_models_come_from_the_settings(check, tmp_path):
    settings = tmp_path / "tfa.yaml"
    settings.write_text("gpuModels: {mine: {tflops: 9, vram: 8Gi}}\n")
    text = WORKLOADS + "  gpu_model: mine\n"

    assert check(text)[1] != []
    assert check(text, "--config", settings)[1] == []


def test_a_server_beside_files_is_refused(check):
    ended, _ = check(PROFILE, "--prometheus-url", "http://x", "--context", "prod")

    assert ended.code == 2
    assert "--prometheus-url, --context: no server and no cluster is asked" in ended.err


def test_what_a_file_says_cannot_move_the_cursor(check):
    ended, _ = check(PROFILE.replace("  resources:", '  "\\e[2J": 1\n  resources:'))

    assert "\x1b" not in ended.out


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["spec", "metadata", "labels", "annotations", "template", "rules", "name"]
            )
            | st.text(max_size=3),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)
KINDS = ["WorkloadProfile", "TensorFusionWorkload", "GPUPool", "GPUResourceQuota", "Pod", "Job"]
HEADS = st.sampled_from(
    [
        *({"apiVersion": "tensor-fusion.ai/v1", "kind": kind} for kind in KINDS),
        *({"kind": kind} for kind in KINDS),
        {"kind": ["GPUPool"]},
        {"apiVersion": {"tensor-fusion.ai/v1": 1}, "kind": None},
        {"apiVersion": "v1", "kind": "List", "items": [{"kind": "GPU"}, 1]},
        {},
    ]
)
FIELDS = st.sampled_from(
    ["spec", "metadata", "items", "report", "prometheus", "gpuModels", "workloads", "autoSetLimits"]
)


@given(HEADS, st.dictionaries(FIELDS, VALUES, max_size=4))
def test_whatever_stands_in_a_file_each_problem_has_a_place_in_it(head, fields):
    text = yaml.safe_dump({**head, **fields})
    checked = check_files([InputFile(path=Path("f.yaml"), text=text)], GpuModels())

    for problem in checked.problems:
        assert Place(1, 1) <= (problem.line, problem.column)
        assert problem.line <= text.count("\n") + 1
        assert problem.message


POD_SPECS = st.dictionaries(
    st.sampled_from(["containers", "initContainers", "volumes", "nodeSelector", "schedulingGates"]),
    VALUES | st.lists(st.dictionaries(st.sampled_from(["name", "env", "resources"]), VALUES)),
)


@given(
    POD_SPECS | VALUES,
    st.dictionaries(st.sampled_from([*USER_ANNOTATIONS, SOURCES]), st.text(max_size=3), max_size=4),
)
def test_whatever_stands_in_an_enabled_pod_it_is_looked_at(spec, annotations):
    metadata = {"name": "one", "labels": {ENABLED: "true"}, "annotations": annotations}
    text = yaml.safe_dump({"kind": "Pod", "metadata": metadata, "spec": spec})

    checked = check_files([InputFile(path=Path("f.yaml"), text=text)], GpuModels())

    assert checked.looked_at == ("f.yaml",)
