from hypothesis import given
from hypothesis import strategies as st

from autoscaler.agent.accounting.hidden_memory import (
    LOOKS,
    MOST_OF_PROCESS_BYTES,
    HiddenMemory,
)

MIB = 2**20


def after(*seen, processes=1):
    memory = HiddenMemory()
    for each in seen:
        memory.observe(each, processes)
    return memory.bytes


def test_nothing_counts_until_it_was_there_for_some_seconds():
    assert after(*[84 * MIB] * (LOOKS - 1)) == 0
    assert after(*[84 * MIB] * LOOKS) == 84 * MIB


def test_what_was_freed_and_is_still_told_by_the_driver_does_not_count():
    freed = [900 * MIB] * 5
    assert after(*[84 * MIB] * LOOKS, *freed) == 84 * MIB


def test_what_is_gone_does_not_count_at_once():
    assert after(*[84 * MIB] * LOOKS, 0) == 0


def test_more_than_the_code_of_a_process_is_none_of_it():
    assert after(*[10**12] * LOOKS, processes=2) == 2 * MOST_OF_PROCESS_BYTES
    assert after(*[10**12] * LOOKS, processes=0) == 0


@given(st.lists(st.integers(0, 2**40), min_size=LOOKS), st.integers(0, 64))
def test_it_is_never_more_than_any_of_the_last_looks_found(seen, processes):
    assert after(*seen, processes=processes) <= min(seen[-LOOKS:])
