import os
import time

from tests.benchmarks.own_process import memory_bytes, process_cpu_s

TICKS_S = 0.1
"""The system counts another process in hundredths of a second, user and system apart."""


def test_what_a_process_spent_is_told_by_its_number():
    before_s = time.process_time()
    told_s = process_cpu_s(os.getpid())
    assert before_s - TICKS_S <= told_s <= time.process_time() + TICKS_S


def test_what_a_process_holds_is_told_by_its_number():
    assert 0 < memory_bytes("VmRSS", os.getpid()) <= memory_bytes("VmHWM")
