"""The commands of docs/first-report.md, word for word, in a folder like a fresh clone."""

import shutil
import time

import pytest

from tests import generated_usage
from tests.components import histories
from tests.components.fixtures import prometheus_with
from tests.components.openmetrics import write_openmetrics
from tests.components.worker_metrics import MEMORY_BYTES, TFLOPS
from tests.components.worker_series import History, Worker, constant, daily, worker_labels
from tests.pages import ROOT, blocks, make_tfa, run_in

PAGE = "first-report.md"
HALF_A_DAY_S = 12 * 3600
ADDRESS = "https://prometheus.example"


@pytest.fixture
def clone(tmp_path):
    """Return a folder in which ``make setup`` is done, which installs packages for minutes."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    make_tfa(folder / ".venv" / "bin" / "tfa")
    (folder / ".venv" / ".ready").touch()
    return folder


@pytest.fixture
def prometheus(tmp_path, prometheus_binaries):
    """Return the address of a Prometheus that measured one workload until now."""
    del prometheus_binaries
    now_s = int(time.time())
    worker = Worker(
        labels=worker_labels("team-a", "chat", "chat-0"),
        formulas={
            TFLOPS.name: daily(40.0, 10.0),
            MEMORY_BYTES.name: constant(12 * histories.GIB),
        },
    )
    history = History(
        workers=(worker,),
        metrics=(TFLOPS, MEMORY_BYTES),
        start_s=now_s - HALF_A_DAY_S,
        end_s=now_s,
        step_s=histories.STEP_S,
    )
    write_openmetrics(tmp_path / "history.om", history.families())
    with prometheus_with(tmp_path / "prometheus", tmp_path / "history.om") as server:
        yield server.url


def test_a_fleet_in_a_box_is_reported_and_explained(clone):
    demo, explain = blocks(PAGE, "Of a fleet in a box", "console")

    shown = run_in(clone, demo)
    explained = run_in(clone, explain)

    assert shown.returncode == 0, shown.stderr
    assert "CRITICAL  vision/nightly-index" in shown.stdout
    assert "54 workloads" in shown.stdout + shown.stderr
    assert (clone / "build" / "demo" / "report.html").exists()
    assert explained.returncode == 0, explained.stderr
    assert "chat/moderation" in explained.stdout


def test_what_a_prometheus_measured_is_checked_reported_and_explained(clone, prometheus):
    [commands] = blocks(PAGE, "Of what your Prometheus measured", "console")
    assert commands.count(ADDRESS) == 1

    ended = run_in(clone, commands.replace(ADDRESS, prometheus))

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "team-a/chat" in ended.stdout
    assert (clone / "report.html").exists()


def test_a_file_is_reported_then_compared_with_what_is_in_force(clone):
    section = "Of a file"
    needed, compared = blocks(PAGE, section, "console")
    [sample] = blocks(PAGE, section, "csv")
    [workloads] = blocks(PAGE, section, "yaml")
    usage = generated_usage.workload("team-a/chat", days=1.0)
    usage[["namespace", "workload"]] = ["team-a", "chat"]
    usage["worker"] = "chat-0"
    columns = sample.splitlines()[0].split(",")
    generated_usage.write_csv(usage[columns], clone / "usage.csv")

    first = run_in(clone, needed)
    (clone / "workloads.yaml").write_text(workloads)
    second = run_in(clone, compared)

    assert first.returncode == 0, first.stderr
    assert "UNSET" in first.stdout
    assert second.returncode == 0, second.stderr
    assert "SAVING" in second.stdout
    assert "team-a/chat" in second.stdout
    assert (clone / "report.html").exists()


def test_the_sample_of_the_page_is_read(clone):
    [sample] = blocks(PAGE, "Of a file", "csv")
    (clone / "usage.csv").write_text(sample)

    ended = run_in(clone, ".venv/bin/tfa report --from usage.csv --gpu-model A100 -o json")

    assert '"chat"' in ended.stdout, ended.stderr
