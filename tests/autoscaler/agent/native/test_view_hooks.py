"""The driver and NVML show the pod's limit as the card."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from tests.autoscaler.agent.native.limited_memory import (
    LIMIT_BYTES,
    MIB,
    LimitedMemory,
    Memory,
    Memory2,
    admit,
)
from tests.autoscaler.agent.native.pod_pages import PodFolder


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PodFolder:
    return admit(tmp_path, monkeypatch)


@pytest.fixture
def memory(pod: PodFolder) -> LimitedMemory:
    return LimitedMemory(pod.root)


CARD_BYTES = 1 << 36


def test_views_show_the_limit_as_the_card(memory: LimitedMemory) -> None:
    memory.make("cuMemAlloc_v2", 100 * MIB)
    free, total, of_device = ctypes.c_size_t(), ctypes.c_size_t(), ctypes.c_size_t()
    memory.call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
    memory.call("cuDeviceTotalMem_v2", ctypes.byref(of_device), 0)
    first, second = Memory(), Memory2()
    memory.call("nvmlDeviceGetMemoryInfo", 1, ctypes.byref(first))
    memory.call("nvmlDeviceGetMemoryInfo_v2", 1, ctypes.byref(second))
    assert {LIMIT_BYTES} == {total.value, of_device.value, first.total, second.total}
    assert {LIMIT_BYTES - 100 * MIB} == {free.value, first.free, second.free}
    assert {100 * MIB} == {first.used, second.used}
    assert second.reserved == 0


def test_free_is_never_more_than_the_card_has_free(memory: LimitedMemory) -> None:
    memory.tell("driver_set_context", 0, CARD_BYTES - 10 * MIB)
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    memory.call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
    assert (free.value, total.value) == (10 * MIB, LIMIT_BYTES)


def test_without_a_limit_the_card_is_shown(pod: PodFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_LIMIT_VRAM")
    memory = LimitedMemory(pod.root)
    memory.make("cuMemAlloc_v2", 100 * MIB)
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    memory.call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
    assert (free.value, total.value) == (CARD_BYTES - 100 * MIB, CARD_BYTES)
    assert memory.held_bytes() == 100 * MIB
