"""What contexts take counts, and what was allocated in one ends with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.agent.pages.abi import CTL_NO_CONTEXT
from tests.autoscaler.agent.native.limited_memory import (
    FIRST,
    MIB,
    SECOND,
    LimitedMemory,
    admit,
    device,
    shape,
)
from tests.autoscaler.agent.native.pod_pages import PodFolder, control_page


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PodFolder:
    return admit(tmp_path, monkeypatch)


@pytest.fixture
def memory(pod: PodFolder) -> LimitedMemory:
    return LimitedMemory(pod.root)


def test_a_context_counts_what_the_card_lost_to_it(memory: LimitedMemory) -> None:
    memory.tell("driver_set_context", 300 * MIB, 5 * MIB)
    context = memory.make("cuCtxCreate_v2", 0, 0)
    assert 300 * MIB == memory.held_bytes() == memory.live_bytes()
    memory.call("cuCtxDestroy_v2", context)
    assert memory.held_bytes() == 0


@pytest.mark.parametrize("size_mib", [1, 2000])
def test_a_difference_that_no_context_has_is_replaced(memory: LimitedMemory, size_mib: int) -> None:
    memory.tell("driver_set_context", size_mib * MIB, 5 * MIB)
    memory.make("cuCtxCreate_v2", 0, 0)
    assert memory.held_bytes() == 545 * MIB


def test_contexts_are_not_counted_where_the_control_page_says_so(
    pod: PodFolder,
) -> None:
    ctl = control_page([FIRST, SECOND])
    ctl.flags |= CTL_NO_CONTEXT
    pod.write_ctl(ctl)
    memory = LimitedMemory(pod.root)
    memory.tell("driver_set_context", 300 * MIB, 0)
    context = memory.make("cuCtxCreate_v2", 0, 0)
    assert memory.held_bytes() == 0
    memory.tell("driver_set_current", 0, context)
    memory.make("cuMemAlloc_v2", MIB)
    memory.call("cuCtxDestroy_v2", context)
    assert memory.held_bytes() == 0


def test_the_end_of_a_context_frees_what_was_allocated_in_it(memory: LimitedMemory) -> None:
    memory.tell("driver_set_context", 300 * MIB, 1)
    context = memory.make("cuCtxCreate_v2", 0, 0)
    memory.make("cuMemAlloc_v2", MIB)
    memory.tell("driver_set_current", 0, context)
    memory.make("cuMemAlloc_v2", 2 * MIB)
    memory.make("cuArray3DCreate_v2", shape(64))
    memory.make("cuMemCreate", 4 * MIB, device(0), 0)
    memory.call("cuCtxDestroy_v2", context)
    assert 5 * MIB == memory.held_bytes() == memory.live_bytes()


@pytest.mark.parametrize("end", ["cuDevicePrimaryCtxRelease_v2", "cuDevicePrimaryCtxReset_v2"])
def test_a_primary_context_counts_once_until_it_ends(memory: LimitedMemory, end: str) -> None:
    memory.tell("driver_set_context", 300 * MIB, 1)
    context = memory.make("cuDevicePrimaryCtxRetain", 1)
    assert context == memory.make("cuDevicePrimaryCtxRetain", 1)
    assert memory.held_bytes(1) == 300 * MIB
    memory.tell("driver_set_current", 1, context)
    memory.make("cuMemAlloc_v2", MIB)
    if end == "cuDevicePrimaryCtxRelease_v2":
        assert memory.call(end, 1) == 0
        assert memory.held_bytes(1) == 301 * MIB
    assert memory.call(end, 1) == 0
    assert memory.held_bytes(1) == 0 == memory.live_bytes(1)
    memory.make("cuDevicePrimaryCtxRetain", 1)
    assert 300 * MIB == memory.held_bytes(1) == memory.live_bytes(1)
