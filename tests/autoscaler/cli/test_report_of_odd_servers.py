"""``tfa report`` on servers that refuse, mix or lack something: the rest is reported, and told."""

import numpy as np
import pytest
import yaml

from tests.fakes.prometheus import FakePrometheus, served

END_S = 1_772_323_200
END = "2026-03-01T00:00:00Z"
HOUR_S = 3600
GIB = 2.0**30
H100 = {"gpu_model": "NVIDIA H100 80GB HBM3"}


def scrapes(from_s=-3 * HOUR_S, step_s=30):
    return np.arange(END_S + from_s, END_S, step_s) + 0.25


def worker_of(name, **labels):
    one = {"namespace": "team", "workload": name, "worker": f"{name}-0", "uuid": f"GPU-{name}"}
    return one | H100 | labels


def add_worker(server, name, *, tflops=100.0, percent=10.0, limit=200.0, **labels):
    one, ts = worker_of(name, **labels), scrapes()
    if tflops is not None:
        server.add("tf_worker_compute_tflops", ts, tflops, method="sm_time", **one)
    server.add("tf_worker_compute_percentage", ts, percent, **one)
    server.add("tf_worker_memory_bytes", ts, 6 * GIB, **one)
    server.add("tf_worker_tflops_request", ts, limit, **one)
    server.add("tf_worker_tflops_limit", ts, limit, **one)
    server.add("tf_worker_vram_bytes_limit", ts, 12 * GIB, **one)


@pytest.fixture
def server():
    server = FakePrometheus()
    add_worker(server, "chat")
    return server


@pytest.fixture
def report(tfa, server, monkeypatch):
    """Run ``tfa report`` on the server, three hours back from a fixed time."""
    monkeypatch.delenv("TFA_PROMETHEUS_URL", raising=False)

    def report(*arguments, output="json"):
        with served(server) as url:
            return tfa(
                "report", "--prometheus-url", url, "--until", END, "--since", "3h",
                "--no-what-if", "-o", output, *arguments,
            )  # fmt: skip

    return report


def measured(ended):
    """Return (workload, resource) of the items that have samples."""
    return {
        (item["identity"]["workload"], item["resource"])
        for item in ended.json["items"]
        if item["evidence"]["points"] and item["resource"] != "replicas"
    }


def test_one_metric_that_is_refused_ends_with_4_and_the_others_are_reported(server, report):
    server.rejects = "tf_worker_memory_bytes"
    ended = report()
    assert ended.code == 4
    [error] = ended.json["errors"]
    assert (error["resource"], error["stage"]) == ("vram_bytes", "collect")
    assert "refused: " in error["message"]
    assert ended.item("chat", "tflops")["recommended"]["request"] > 0
    assert "left out: " in ended.err


def test_amounts_that_are_refused_are_to_be_stated(server, report):
    server.rejects = "tf_worker_vram_bytes_limit"
    ended = report()
    assert ended.code == 4
    [error] = ended.json["errors"]
    assert (error["resource"], error["stage"]) == ("vram_bytes", "inventory")
    assert error["message"].startswith("vram-limit in force is not known")
    assert ended.item("chat", "vram_bytes")["current"]["limit"] is None


def test_a_server_that_refuses_everything_ends_with_3_and_its_own_words(server, report):
    server.rejects = "tf_worker"
    ended = report()
    assert (ended.code, ended.out) == (3, "")
    assert "refused: " in ended.err
    assert "next: tfa check" in ended.err


def test_a_worker_without_tflops_gets_them_from_its_share_and_nobody_has_compute_twice(
    server, report
):
    add_worker(server, "batch", tflops=None, percent=50.0)
    ended = report()
    assert ended.code == 0
    assert measured(ended) == {
        (name, resource) for name in ("chat", "batch") for resource in ("tflops", "vram_bytes")
    }
    assert ended.item("batch", "tflops")["evidence"]["highest"] == pytest.approx(494.7)
    assert ended.item("chat", "tflops")["evidence"]["highest"] == pytest.approx(100.0)
    queries = ended.item("batch", "tflops")["promql"]
    assert any("tf_worker_compute_percentage" in query for query in queries)


def test_percent_is_left_to_workers_whose_card_nobody_knows(server, report):
    add_worker(server, "batch", tflops=None, percent=50.0, gpu_model="Unheard-of")
    ended = report()
    assert measured(ended) - {("chat", "vram_bytes"), ("batch", "vram_bytes")} == {
        ("chat", "tflops"),
        ("batch", "tflops_pct"),
    }
    assert ended.item("batch", "tflops_pct")["evidence"]["highest"] == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("label", "own", "words"),
    [
        ("prometheus_replica", {}, "workers have several series on 1 of 1 devices"),
        (
            "cluster",
            {"worker": "chat-9", "uuid": "GPU-9"},
            "workers of several clusters are taken for one workload in 1 of 1 workloads",
        ),
    ],
)
def test_series_of_several_origins_are_told_with_the_option_that_chooses_one(
    server, report, label, own, words
):
    server.series.clear()
    add_worker(server, "chat", **{label: "east"})
    add_worker(server, "chat", **{label: "west"}, **own)
    ended = report()
    assert ended.code == 0
    [note] = [note for note in ended.json["meta"]["notes"] if words in note]
    assert note.endswith(f"{label} (east, west): choose one by --selector {label}=east")
    assert words in ended.err

    chosen = report("--selector", f"{label}=east")
    assert not any(words in note for note in chosen.json["meta"]["notes"])


def add_pod(server, pod, kind=None, owner=None):
    labels = {"namespace": "serving", "pod": pod, "UUID": f"GPU-{pod}", "modelName": "H100"}
    ts = scrapes()
    server.add("DCGM_FI_DEV_GPU_UTIL", ts, 40.0, **labels)
    server.add("DCGM_FI_DEV_FB_USED", ts, 30_000.0, **labels)
    if kind is not None:
        owned = {"namespace": "serving", "pod": pod, "owner_kind": kind, "owner_name": owner}
        server.add("kube_pod_owner", ts, 1.0, owner_is_controller="true", **owned)


@pytest.fixture
def cards():
    server = FakePrometheus()
    add_pod(server, "llm-0", "StatefulSet", "llm")
    add_pod(server, "chat-5d4b8c7f9d-abcde", "ReplicaSet", "chat-5d4b8c7f9d")
    add_pod(server, "night-28912345-x2k4z", "Job", "night-28912345")
    add_pod(server, "notebook", "<none>", "<none>")
    add_pod(server, "search-5d4b8c7f9d-x2k4z")
    return server


@pytest.mark.parametrize("output", ["json", "patch", "kustomize", "html"])
def test_patches_are_of_the_owner_that_was_measured(cards, tfa, output):
    with served(cards) as url:
        ended = tfa(
            "report", "--prometheus-url", url, "--prometheus-mapping", "dcgm", "--until", END,
            "--since", "3h", "--no-what-if", "-o", output,
        )  # fmt: skip
    assert ended.code == 0
    if output == "json":
        owners = {
            item["identity"]["workload"]: item["identity"]["owner"] for item in ended.json["items"]
        }
        assert owners == {
            "llm": "StatefulSet/llm",
            "chat": "Deployment/chat",
            "night": "CronJob/night",
            "notebook": "Pod/notebook",
            "search": None,
        }
        return
    kinds = {"llm": "statefulset", "chat": "deployment", "night": "cronjob", "search": "deployment"}
    if output == "kustomize":
        documents = list(yaml.safe_load_all(ended.out))[1:]
        found = {each["metadata"]["name"]: each["kind"].lower() for each in documents}
        assert found == kinds
    else:
        for name, kind in kinds.items():
            assert f"kubectl -n serving patch {kind} {name} " in ended.out
        assert "notebook --type merge" not in ended.out
    assert ended.out.count("# serving/search: the owner's kind is not known") == 1
    assert ended.out.count("# serving/notebook: a bare pod has no template to patch") == 1
