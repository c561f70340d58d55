from dataclasses import dataclass
from pathlib import Path

import pytest

from autoscaler.agent.workers.from_file import workers_of_file
from autoscaler.errors import InputError

GIB = 1024**3


@dataclass(frozen=True)
class Card:
    tflops: float = 1000.0
    vram_bytes: int = 80 * GIB


CARDS = {"GPU-a": Card(), "GPU-b": Card()}
CONTAINER = "0123456789abcdef" * 4
WHOLE = """
workers:
- name: train
  namespace: team
  workload: trainer
  pool: main
  root: /run/tensor-fusion/train
  gpus: [1, GPU-a]
  qos: critical
  compute-percent-request: 10
  compute-percent-limit: 30
  vram-request: 1Gi
  vram-limit: 20Gi
  containers: [ID]
""".replace("ID", CONTAINER)


def test_a_worker_of_a_file_is_as_one_of_a_cluster():
    [found] = workers_of_file(WHOLE, "limits.yaml", CARDS)

    worker = found.worker
    assert (worker.uid, worker.key, worker.name) == ("train", ("team", "trainer"), "train")
    assert (worker.pool, worker.qos, worker.uuids) == ("main", "critical", ("GPU-b", "GPU-a"))
    assert (worker.tflops_request, worker.tflops_limit) == (100.0, 300.0)
    assert (worker.vram_request_bytes, worker.vram_limit_bytes) == (GIB, 20 * GIB)
    assert worker.is_ready
    assert found.root == Path("/run/tensor-fusion/train")
    assert found.container_ids == (CONTAINER,)


def test_a_name_a_folder_and_a_gpu_are_enough():
    [found] = workers_of_file("workers: [{name: a, root: /a, gpus: [0]}]", "f", CARDS)

    assert (found.worker.key, found.worker.qos) == (("default", "a"), "medium")
    assert (found.worker.tflops_limit, found.worker.vram_limit_bytes) == (1000.0, 80 * GIB)


def test_a_file_may_state_no_worker():
    assert workers_of_file("workers: []", "f", CARDS) == ()


def _row(**keys):
    texts = {"name": "a", "root": "/a", "gpus": "[0]"} | keys
    return "{" + ", ".join(f"{key.replace('_', '-')}: {text}" for key, text in texts.items()) + "}"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (_row(gpus="[2]"), r"workers\[0\].gpus: 2 is not valid; allowed: an index from 0 to 1, or"),
        (_row(gpus="[true]"), r"workers\[0\].gpus: True is not valid; allowed: an index"),
        (_row(gpus="[GPU-z]"), "'GPU-z' is not valid; allowed: an index from 0 to 1, or GPU-a"),
        (_row(gpus="[0, GPU-a]"), r"\[0, 'GPU-a'\] is not valid; allowed: each GPU once"),
        (_row(gpus="[]"), r"workers\[0\].gpus: \[\] is not valid; allowed: a list of at"),
        (_row(root="run"), r"workers\[0\].root: 'run' is not valid; allowed: an absolute path"),
        (_row(name="../a"), r"workers\[0\].name: '../a' is not valid; allowed: 1 to 63 letters"),
        (_row(workload="'a b'"), r"workers\[0\].workload: 'a b' is not valid; allowed: 1 to 63"),
        (_row(pool="3"), r"workers\[0\].pool: 3 is not valid; allowed: a text"),
        (_row(containers="[abc]"), r"containers\[0\]: 'abc' is not valid; allowed: container IDs"),
        (_row(tflops_limit="1001"), "1001 is not valid; allowed: at most 1000 TFLOPS, the peak of"),
        (_row(vram_limit="81Gi"), "'81Gi' is not valid; allowed: at most 80Gi, the memory of the"),
        (_row(tflops_request="2", tflops_limit="1"), "request: 2 is .*at most 1 TFLOPS, the limit"),
        (
            _row(vram_request="2Gi", vram_limit="1Gi"),
            "request: '2Gi' is .*: at most 1Gi, the limit",
        ),
        (
            _row(compute_percent_request="20", compute_percent_limit="10"),
            "percent-request: 20 is not valid; allowed: at most 100 TFLOPS, the limit",
        ),
        (
            _row(tflops_limit="1", compute_percent_limit="10"),
            "tflops-limit: 1 is not valid; allowed: this or compute-percent-limit, not both",
        ),
        (_row(qos="best"), "qos: 'best' is not valid; allowed: low, medium, high, critical"),
        (_row(vram_limit="true"), "vram-limit: True is not valid; allowed: a Kubernetes quantity"),
        (_row(tflops_limit="0"), "tflops-limit: 0 is not valid; allowed: a quantity, above 0"),
        (_row(limit="3"), r"workers\[0\].limit: is not known; allowed: name, .*tflops-limit"),
        ("{name: a}", r"workers\[0\].root: is missing; workers\[0\].gpus: is missing"),
        ("3", r"workers\[0\]: 3 is not valid; allowed: a mapping"),
        (f"{_row()}, {_row(root='/b')}", "name 'a' stands more than once; allowed: once"),
        (f"{_row()}, {_row(name='b')}", "root '/a' stands more than once; allowed: once"),
        (f"{_row()}, {_row(name='b', root='/a/')}", "root '/a' stands more than once"),
    ],
)
def test_what_is_wrong_names_the_file_the_place_and_what_is_allowed(row, message):
    with pytest.raises(InputError, match=f"^limits.yaml: .*{message}"):
        workers_of_file(f"workers: [{row}]", "limits.yaml", CARDS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "workers: is missing"),
        ("[1]", r"the file: \[1\] is not valid; allowed: a mapping"),
        ("workers: [", "limits.yaml:1:"),
        ("worker: []", "worker: is not known; allowed: workers"),
    ],
)
def test_a_file_of_another_shape_is_told(text, message):
    with pytest.raises(InputError, match=message):
        workers_of_file(text, "limits.yaml", CARDS)


def test_a_host_without_gpus_serves_nobody():
    with pytest.raises(InputError, match="allowed: none, as no GPU was found here"):
        workers_of_file(f"workers: [{_row()}]", "limits.yaml", {})
