"""Processes of the cluster tests end with all that they started, and with the test run."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.child_processes import start_child, tie
from tests.components.processes import until

SLEEP = "import time; print('up', flush=True); time.sleep(600)"
COUNT = "import time\nwhile True: print('.', end='', flush=True); time.sleep(0.01)"
ROOT = Path(__file__).parents[2]


def python(text, *words):
    return [sys.executable, "-c", text, *map(str, words)]


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_process_gets_the_environment_that_is_named_or_nearly_none(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com")
    text = "import os; print(sorted({'HTTPS_PROXY', 'PATH', 'OWN'} & set(os.environ)))"
    usual = start_child(python(text), tmp_path / "usual")
    named = start_child(python(text), tmp_path / "named", environment={"OWN": "1"})

    assert [usual.wait_and_clear(), named.wait_and_clear()] == [0, 0]
    assert (usual.log(), named.log()) == ("['PATH']\n", "['OWN']\n")


def test_a_paused_process_stands_still_until_it_goes_on(tmp_path):
    with start_child(python(COUNT), tmp_path / "log") as process:
        until(process.log, what="it counts")
        process.pause()
        stopped = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOHANG)
        at_pause = process.log()
        assert stopped.si_status == signal.SIGSTOP
        assert process.log() == at_pause

        process.resume()
        until(lambda: len(process.log()) > len(at_pause), what="it goes on")


def test_a_process_that_has_ended_is_started_anew_and_its_log_goes_on(tmp_path):
    with start_child(python(SLEEP), tmp_path / "log") as process:
        until(process.log, what="it is up")
        first = process.pid
        process.outlive()
        assert process.pid == first

        process.kill()
        process.outlive()

        until(lambda: process.log() == "up\n" * 2, what="it is up again")
        assert process.pid != first


def test_a_paused_process_can_be_stopped(tmp_path):
    process = start_child(python(SLEEP), tmp_path / "log")
    until(process.log, what="it is up")
    process.pause()

    process.stop()

    assert not process.is_running


def test_what_a_process_has_started_ends_with_it(tmp_path):
    text = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', sys.argv[1]])\n"
        "print(child.pid, flush=True)\n"
    )
    process = start_child(python(text, SLEEP), tmp_path / "log")
    child = until(lambda: process.log().split("\n")[0], what="it has a child")
    until(lambda: process.has_ended, what="it has ended")
    assert is_alive(child)

    assert process.wait_and_clear() == 0

    until(lambda: not is_alive(child), what="its child has ended")


def test_the_code_of_a_process_is_kept(tmp_path):
    process = start_child(python("raise SystemExit(4)"), tmp_path / "log")
    until(lambda: process.has_ended, what="it has ended")

    assert [process.wait_and_clear(), process.wait_and_clear()] == [4, 4]
    assert process.has_ended


@pytest.mark.skipif(not tie(), reason="only Linux ties a process to its parent")
def test_a_process_ends_with_its_parent_even_if_that_is_killed(tmp_path):
    text = (
        "import sys, time; from pathlib import Path\n"
        "from tests.cluster.child_processes import start_child\n"
        "child = start_child([sys.executable, '-c', sys.argv[1]], Path(sys.argv[2]))\n"
        "print(child.pid, flush=True); time.sleep(600)\n"
    )
    log = tmp_path / "log"
    command = python(text, SLEEP, log)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        child = parent.stdout.readline().strip()
        until(lambda: log.exists() and log.read_text(), what="the child is up")
        assert is_alive(child)

        parent.kill()

    until(lambda: not is_alive(child), what="the child has ended")
