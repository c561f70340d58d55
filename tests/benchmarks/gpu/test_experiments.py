"""Every experiment runs on the fake driver, with the real limiter and the real agent.

Whether limits hold is not judged here: that takes a GPU, or virtual time.
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autoscaler.agent.native.build import built, limiter
from tests.benchmarks.gpu.experiments.catalogue import EXPERIMENTS
from tests.benchmarks.gpu.lab import Setting
from tests.benchmarks.gpu.own_processes import Running, run_one
from tests.cluster.node_cgroups import own_cgroup

RUN = Path(__file__).parent / "run"
ALL = [each.number for each in EXPERIMENTS]
TENSOR, UNMANAGED = 13, 11


def run(*words):
    """Run the script; return the finished process."""
    return subprocess.run(
        [RUN, *words],
        env=os.environ | {"PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiments")
    done = run("--card", "fake", "--size", "smoke", "--into", str(folder))
    assert done.returncode in {0, 1}, done.stderr
    return folder


@pytest.fixture(scope="module")
def experiments(made):
    document = json.loads((made / "experiments.json").read_text())
    return {each["number"]: each for each in document["experiments"]}


def test_there_are_fifteen():
    assert list(range(1, 16)) == ALL


@pytest.mark.parametrize("number", ALL)
def test_an_experiment_has_finite_numbers_or_says_why_it_was_not_run(experiments, number):
    found = experiments[number]
    if found["ending"] == "not run":
        assert found["problem"]
        assert number == TENSOR or (number == UNMANAGED and own_cgroup() is None)
    else:
        assert (found["ending"], found["problem"]) == ("ended", "")
        assert found["rows"]
        assert all(math.isfinite(row["value"]) for row in found["rows"])


def test_memory_never_exceeds_its_limit_by_a_byte(experiments):
    assert [experiments[number]["verdict"] for number in (5, 6)] == ["passed", "passed"]


def test_nothing_that_frameworks_do_crashes_or_hangs(experiments):
    assert {row["what"]: row["note"] for row in experiments[14]["rows"] if row["value"] < 1} == {}


def test_only_the_plug_in_that_is_bound_deeply_passes_the_limiter(experiments):
    plain, deep = (row["value"] for row in experiments[15]["rows"])
    assert (plain, deep) == (100.0, 0.0)


def test_the_table_has_a_line_for_each(made):
    page = (made / "experiments.md").read_text()
    assert all(f"| {each.number} | {each.title} |" in page for each in EXPERIMENTS)


def test_an_experiment_that_takes_too_long_costs_only_itself(tmp_path):
    setting = Setting(
        workers="programs",
        size="full",
        gpu=0,
        library=str(built(limiter("x86_64"))),
        torch_python=None,
        turns_per_us=1000.0,
    )
    running = Running(folder=tmp_path, is_fake=True)
    found = run_one(running, EXPERIMENTS[0], setting, 0.5)
    assert found.verdict == "failed"
    assert found.problem.startswith("hung: ended after 0 s")


def test_without_a_gpu_every_experiment_says_so(tmp_path):
    done = run("--workers", "torch", "--gpu", "99", "--into", str(tmp_path))
    assert done.returncode == 3
    found = json.loads((tmp_path / "experiments.json").read_text())["experiments"]
    assert [each["number"] for each in found] == ALL
    assert {each["verdict"] for each in found} == {"not run"}
    assert all("no GPU 99" in each["problem"] for each in found)


def test_pytorch_that_is_missing_is_told_by_experiments_that_need_it(tmp_path):
    setting = Setting(
        workers="torch",
        size="smoke",
        gpu=0,
        library=str(built(limiter("x86_64"))),
        torch_python=None,
        turns_per_us=1000.0,
    )
    found = run_one(Running(folder=tmp_path, is_fake=True), EXPERIMENTS[0], setting, 60.0)
    assert found.verdict == "not run"
    assert found.problem.startswith("no PyTorch")


def test_a_number_that_is_no_experiment_is_refused():
    done = run("--only", "1,16")
    assert done.returncode == 2
    assert "'1,16' is not valid; allowed: numbers from 1 to 15" in done.stderr
