"""What hooks of memory charge is what the driver has handed out, by whatever way."""

from __future__ import annotations

import ctypes
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.autoscaler.agent.native.limited_memory import (
    INVALID_VALUE,
    LAUNCH_FAILED,
    LIMIT_BYTES,
    MIB,
    OUT_OF_MEMORY,
    LimitedMemory,
    admit,
    device,
    host,
    shape,
)

SPARSE, DEFERRED, LAYERED = 0x40, 0x80, 0x01


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LimitedMemory:
    return LimitedMemory(admit(tmp_path, monkeypatch).root)


ALLOCATIONS = [
    pytest.param("cuMemAlloc_v2", (MIB,), MIB, "cuMemFree_v2", (), id="linear"),
    pytest.param("cuMemAllocManaged", (MIB, 1), MIB, "cuMemFree_v2", (), id="managed"),
    pytest.param("cuMemCreate", (MIB, device(0), 0), MIB, "cuMemRelease", (), id="physical"),
    pytest.param(
        "cuArray3DCreate_v2", (shape(64, 32, 2),), 65536, "cuArrayDestroy", (), id="array"
    ),
]


@pytest.mark.parametrize(("name", "arguments", "size_bytes", "free", "more"), ALLOCATIONS)
def test_an_allocation_counts_until_it_is_freed(
    memory: LimitedMemory,
    name: str,
    arguments: tuple[object, ...],
    size_bytes: int,
    free: str,
    more: tuple[int, ...],
) -> None:
    handle = memory.make(name, *arguments)
    assert size_bytes == memory.held_bytes() == memory.live_bytes()
    assert memory.call(free, handle, *more) == 0
    assert memory.held_bytes() == 0


@pytest.mark.parametrize(("name", "arguments", "size_bytes", "free", "more"), ALLOCATIONS)
def test_over_the_limit_the_driver_is_not_asked(
    memory: LimitedMemory,
    name: str,
    arguments: tuple[object, ...],
    size_bytes: int,
    free: str,
    more: tuple[int, ...],
) -> None:
    filling = memory.make("cuMemAlloc_v2", LIMIT_BYTES - size_bytes + 1)
    assert memory.made(name, *arguments)[0] == OUT_OF_MEMORY
    assert memory.live_bytes() == LIMIT_BYTES - size_bytes + 1
    memory.call("cuMemFree_v2", filling)
    handle = memory.make(name, *arguments)
    assert memory.call(free, handle, *more) == 0


@pytest.mark.parametrize(("name", "arguments", "size_bytes", "free", "more"), ALLOCATIONS)
def test_what_the_driver_refuses_is_not_counted(
    memory: LimitedMemory,
    name: str,
    arguments: tuple[object, ...],
    size_bytes: int,
    free: str,
    more: tuple[int, ...],
) -> None:
    memory.tell("driver_fail_next", OUT_OF_MEMORY)
    assert memory.made(name, *arguments)[0] == OUT_OF_MEMORY
    assert memory.held_bytes() == 0
    handle = memory.make(name, *arguments)
    memory.tell("driver_fail_next", LAUNCH_FAILED)
    assert memory.call(free, handle, *more) == LAUNCH_FAILED
    assert size_bytes == memory.held_bytes()


def test_a_free_of_an_unknown_address_is_the_drivers_matter(memory: LimitedMemory) -> None:
    memory.make("cuMemAlloc_v2", MIB)
    assert memory.call("cuMemFree_v2", 12345) == INVALID_VALUE
    assert memory.held_bytes() == MIB


def test_rows_count_by_the_drivers_pitch(memory: LimitedMemory) -> None:
    pitch = ctypes.c_size_t()
    address = memory.make("cuMemAllocPitch_v2", ctypes.byref(pitch), 700, 10, 4)
    assert 10 * pitch.value == memory.held_bytes() == memory.live_bytes()
    assert memory.call("cuMemFree_v2", address) == 0
    assert memory.held_bytes() == 0


def test_rows_whose_pitch_exceeds_the_limit_are_freed_again(memory: LimitedMemory) -> None:
    pitch = ctypes.c_size_t()
    height = LIMIT_BYTES // 600
    denied, _ = memory.made("cuMemAllocPitch_v2", ctypes.byref(pitch), 500, height, 4)
    assert denied == OUT_OF_MEMORY
    assert (memory.held_bytes(), memory.live_bytes()) == (0, 0)


def test_memory_of_the_host_is_not_counted(memory: LimitedMemory) -> None:
    memory.make("cuMemCreate", MIB, host(), 0)
    assert memory.held_bytes() == 0


def test_physical_memory_counts_on_the_device_that_it_names(memory: LimitedMemory) -> None:
    memory.make("cuMemCreate", MIB, device(1), 0)
    assert (memory.held_bytes(0), memory.held_bytes(1)) == (0, MIB)


def test_physical_memory_lives_as_long_as_a_mapping(memory: LimitedMemory) -> None:
    handle = memory.make("cuMemCreate", MIB, device(0), 0)
    memory.call("cuMemMap", 0x1000, MIB, 0, handle, 0)
    memory.call("cuMemRelease", handle)
    assert memory.held_bytes() == MIB
    retained = memory.make("cuMemRetainAllocationHandle", 0x1000)
    assert memory.call("cuMemUnmap", 0x1000, MIB) == 0
    assert memory.held_bytes() == MIB
    assert memory.call("cuMemRelease", retained) == 0
    assert memory.held_bytes() == 0 == memory.live_bytes()


def test_one_unmapping_may_span_several_mappings(memory: LimitedMemory) -> None:
    for place in range(3):
        handle = memory.make("cuMemCreate", MIB, device(0), 0)
        memory.call("cuMemMap", 0x1000 + place * MIB, MIB, 0, handle, 0)
        memory.call("cuMemRelease", handle)
    assert memory.call("cuMemUnmap", 0x1000, 3 * MIB) == 0
    assert memory.held_bytes() == 0 == memory.live_bytes()


@pytest.mark.parametrize("flags", [SPARSE, DEFERRED])
def test_an_array_without_memory_of_its_own_is_not_counted(
    memory: LimitedMemory, flags: int
) -> None:
    memory.make("cuArray3DCreate_v2", shape(64, 32, flags=flags))
    assert memory.held_bytes() == 0


def test_levels_of_an_array_are_added_up(memory: LimitedMemory) -> None:
    """The driver of these tests has no such arrays: what was reserved shows at the limit."""
    texels = 4096 * 4096 * (1 + 1 / 4 + 1 / 16)
    memory.make("cuMemAlloc_v2", LIMIT_BYTES - int(texels) * 16 + 1)
    denied, _ = memory.made("cuMipmappedArrayCreate", shape(4096, 4096), 3)
    passed, _ = memory.made("cuMipmappedArrayCreate", shape(4096, 4096), 2)
    layered, _ = memory.made("cuMipmappedArrayCreate", shape(4096, 1, 4096, flags=LAYERED), 3)
    assert denied == OUT_OF_MEMORY == layered
    assert passed != OUT_OF_MEMORY


class MemoryOfAProcess(RuleBasedStateMachine):
    """Any order of allocations and frees, some of which fail."""

    def __init__(self) -> None:
        super().__init__()
        self._patch = pytest.MonkeyPatch()
        self._folder = tempfile.TemporaryDirectory()
        self.memory = LimitedMemory(admit(Path(self._folder.name), self._patch).root)
        self.held: list[tuple[str, int, tuple[int, ...]]] = []

    sizes = st.integers(1, LIMIT_BYTES // 2)

    def _keep(self, made: tuple[int, int], free: str, *more: int) -> None:
        result, handle = made
        if result == 0:
            self.held.append((free, handle, more))
        else:
            assert result in (OUT_OF_MEMORY, LAUNCH_FAILED)

    @rule(size_bytes=sizes, gpu=st.integers(0, 1))
    def allocate(self, size_bytes: int, gpu: int) -> None:
        self.memory.tell("driver_set_current", gpu, 1)
        self._keep(self.memory.made("cuMemAlloc_v2", size_bytes), "cuMemFree_v2")

    @rule(size_bytes=sizes, gpu=st.integers(0, 1))
    def allocate_physical(self, size_bytes: int, gpu: int) -> None:
        made = self.memory.made("cuMemCreate", size_bytes, device(gpu), 0)
        self._keep(made, "cuMemRelease")

    @rule(width=st.integers(1, 1 << 16), height=st.integers(1, 2000))
    def make_array(self, width: int, height: int) -> None:
        made = self.memory.made("cuArray3DCreate_v2", shape(width, height))
        self._keep(made, "cuArrayDestroy")

    @rule(result=st.sampled_from([OUT_OF_MEMORY, LAUNCH_FAILED]))
    def let_the_next_call_fail(self, result: int) -> None:
        self.memory.tell("driver_fail_next", result)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def free(self, data: st.DataObject) -> None:
        free, handle, more = held = data.draw(st.sampled_from(self.held))
        if self.memory.call(free, handle, *more) == 0:
            self.held.remove(held)

    @invariant()
    def what_is_charged_is_there_and_within_the_limit(self) -> None:
        for gpu in (0, 1):
            held_bytes = self.memory.held_bytes(gpu)
            assert self.memory.live_bytes(gpu) == held_bytes <= LIMIT_BYTES

    def teardown(self) -> None:
        self._patch.undo()
        self._folder.cleanup()


TestMemoryOfAProcess = MemoryOfAProcess.TestCase
TestMemoryOfAProcess.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
