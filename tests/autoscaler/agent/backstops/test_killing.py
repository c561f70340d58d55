import signal
import subprocess
from pathlib import Path

import pytest

from autoscaler.agent.backstops.killing import kill


def _start_time(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


@pytest.fixture
def process():
    started = subprocess.Popen(["sleep", "60"])
    yield started
    started.kill()
    started.wait()


def test_a_process_ends(process):
    assert kill(process.pid, _start_time(process.pid))

    assert process.wait(10) == -signal.SIGKILL


def test_a_later_process_with_the_same_pid_is_left_alone(process):
    assert not kill(process.pid, _start_time(process.pid) - 1)

    assert process.poll() is None


def test_a_process_that_has_ended_needs_no_signal(process):
    start_time = _start_time(process.pid)
    process.kill()
    process.wait()

    assert not kill(process.pid, start_time)
