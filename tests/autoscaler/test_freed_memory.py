"""What was freed is no longer the process's."""

import subprocess
import sys

from tests.components.lacking import lacks

PROGRAM = """
import threading
from pathlib import Path
from autoscaler.freed_memory import give_back_freed_memory

def resident_mb():
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in x)
    return int(line.split()[1]) / 1000

def hold():
    for _ in range(3):
        held = [bytes([1]) * 2**20 for _ in range(200)]
        before.append(resident_mb())
        del held

before = []
print(give_back_freed_memory())
for _ in range(3):
    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
print(max(before) > 200, resident_mb() < 100)
"""


def test_large_memory_of_threads_goes_back_once_it_is_freed():
    if not sys.platform.startswith("linux"):
        lacks("/proc is needed: it tells what is resident")
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, check=True, text=True
    )
    assert ended.stdout.split() == ["True", "True", "True"]
