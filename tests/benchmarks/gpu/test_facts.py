"""The programs that measure a card compile, and say so where there is none."""

import json
import shutil
import subprocess
import sys

import pytest

from tests.benchmarks.gpu.facts import built


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    return built(tmp_path_factory.mktemp("probe"))


def has_driver():
    return shutil.which("nvidia-smi") is not None


def test_the_probe_measures_or_says_that_there_is_no_driver(programs):
    probe, _ = programs
    done = subprocess.run([probe, "costs"], capture_output=True, text=True, check=False)
    if has_driver():
        assert json.loads(done.stdout)["launch_ns"] > 0
    else:
        assert done.returncode == 3
        assert "no CUDA driver here" in done.stderr


def test_unknown_words_show_how_the_probe_is_used(programs):
    probe, _ = programs
    done = subprocess.run([probe, "everything"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage: probe costs|events|capture|context" in done.stderr


def test_the_listener_writes_down_what_is_asked_and_disturbs_nothing(programs, tmp_path):
    _, symbols = programs
    log = tmp_path / "symbols.log"
    done = subprocess.run(
        [sys.executable, "-c", "import ctypes; ctypes.CDLL(None).getpid(); print('done')"],
        env={"LD_PRELOAD": str(symbols), "SYMBOLS_LOG": str(log)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "done\n"
    assert not log.exists()
