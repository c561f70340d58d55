"""The PyTorch workers keep their words; a double that counts time stands for PyTorch."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.gpu.lab import TORCH_WORKERS
from tests.benchmarks.gpu.loads import NS, RunningLoad
from tests.benchmarks.gpu.outcomes import ExperimentError

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parent / "torch_double")}


@pytest.fixture
def started(tmp_path):
    def start(*words):
        command = [sys.executable, str(TORCH_WORKERS / "load.py"), *words]
        return RunningLoad(command, ENVIRONMENT, tmp_path / "log")

    return start


@pytest.mark.parametrize("work", ["gemm:64", "elementwise:1024"])
def test_work_is_counted_while_it_goes_on_and_not_while_it_is_paused(started, work):
    with started(work, "5", "0") as load:
        assert load.ready()["ready"] == load.pid
        load.wait_until(time.monotonic_ns())
        assert {report.ended for report in load.reports()} == {0}
        load.go()
        assert load.measured_per_s(0.05, 0.2) > 0
        load.pause()
        load.wait_until(time.monotonic_ns() + NS // 4)
        ended = load.reports()[-1].ended
        load.wait_until(time.monotonic_ns() + NS // 20)
        assert ended == load.reports()[-1].ended


@pytest.mark.parametrize(
    ("duty", "per_wait"), [("1", "0"), ("0.3", "0"), ("0.3 led", "0"), ("1", "2")]
)
def test_the_time_that_work_had_the_card_is_told_however_often_it_pauses(started, duty, per_wait):
    with started("gemm:64", "5", per_wait) as load:
        assert load.ready()["tells_busy"]
        load.tell(f"duty {duty}")
        load.go()
        begin_ns = time.monotonic_ns()
        load.wait_until(begin_ns + NS // 2)
        assert load.while_busy_per_s(begin_ns, begin_ns + NS // 2) == pytest.approx(1000, rel=0.1)


def test_behind_a_lead_the_time_that_work_had_the_card_is_without_that_of_its_launches(
    started, monkeypatch
):
    monkeypatch.setitem(ENVIRONMENT, "TORCH_DOUBLE_LAUNCH_S", "0.003")
    with started("gemm:64", "5", "0") as load:
        load.ready()
        load.go()
        rates = []
        for duty in ("0.3", "0.3 led"):
            load.tell(f"duty {duty}")
            begin_ns = time.monotonic_ns() + NS // 10
            load.wait_until(begin_ns + NS // 2)
            rates.append(load.while_busy_per_s(begin_ns, begin_ns + NS // 2))
    assert rates[0] < 500
    assert rates[1] == pytest.approx(1000, rel=0.1)


def test_an_unknown_work_is_told(started):
    with (
        started("nothing:1", "5", "0") as load,
        pytest.raises(ExperimentError, match="ended before it is ready: 'nothing:1' is no work"),
    ):
        load.ready()


def test_memory_grows_until_it_is_refused_and_is_usable_afterwards():
    done = subprocess.run(
        [sys.executable, str(TORCH_WORKERS / "memory.py"), str(2**26), "20"],
        env=ENVIRONMENT,
        input="grow\nfree\n",
        capture_output=True,
        text=True,
        check=True,
    )
    _, grown, freed = map(json.loads, done.stdout.splitlines())
    # The double has 1 GiB.
    assert grown == {"chunks": 16, "refused_by": "OutOfMemoryError"}
    assert freed == {"is_usable": True}


def test_memory_that_nobody_refuses_stops_growing():
    done = subprocess.run(
        [sys.executable, str(TORCH_WORKERS / "memory.py"), str(2**20), "3"],
        env=ENVIRONMENT,
        input="grow\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[1]) == {"chunks": 3, "refused_by": None}
