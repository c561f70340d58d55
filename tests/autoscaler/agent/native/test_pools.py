"""A pool is charged for what the driver says that it holds, and never holds past the limit."""

from __future__ import annotations

import ctypes
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from tests.autoscaler.agent.native.limited_memory import (
    LAUNCH_FAILED,
    LIMIT_BYTES,
    MIB,
    OUT_OF_MEMORY,
    LimitedMemory,
    Location,
    admit,
    device,
    host,
)
from tests.autoscaler.agent.native.pod_pages import PodFolder

STEP_BYTES = 32 * MIB
"""By which the driver of these tests lets pools grow."""
KEEP_ALL = 2**64 - 1
"""A threshold; PyTorch sets it."""


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PodFolder:
    return admit(tmp_path, monkeypatch)


@pytest.fixture
def memory(pod: PodFolder) -> LimitedMemory:
    return LimitedMemory(pod.root)


def take(memory: LimitedMemory, size_bytes: int) -> int:
    """Allocate from the current pool; it must be granted."""
    return memory.make("cuMemAllocAsync", size_bytes, 0)


def give(memory: LimitedMemory, address: int) -> None:
    assert memory.call("cuMemFreeAsync", address, 0) == 0


def wait(memory: LimitedMemory) -> None:
    """Synchronise; capture.c, which calls the limiter then, is not in this library."""
    memory.tell("driver_synchronize")
    memory.tell("tf_pools_look")


FREES = [
    pytest.param("cuMemAllocAsync", "cuMemFreeAsync", (0,), id="async"),
    pytest.param("cuMemAllocAsync_ptsz", "cuMemFreeAsync_ptsz", (0,), id="thread"),
    pytest.param("cuMemAllocAsync", "cuMemFree_v2", (), id="plain free"),
]


@pytest.mark.parametrize(("name", "free", "more"), FREES)
def test_a_pool_is_charged_for_the_step_that_the_driver_has_taken(
    memory: LimitedMemory, name: str, free: str, more: tuple[int, ...]
) -> None:
    address = memory.make(name, MIB, 0)
    assert STEP_BYTES == memory.held_bytes() == memory.live_bytes()
    assert memory.call(free, address, *more) == 0
    assert STEP_BYTES == memory.held_bytes() == memory.live_bytes()
    wait(memory)
    assert memory.held_bytes() == 0 == memory.live_bytes()


def test_what_a_pool_keeps_after_a_free_stays_charged(memory: LimitedMemory) -> None:
    memory.tell("driver_set_threshold", 0, KEEP_ALL)
    give(memory, take(memory, 100 * MIB))
    wait(memory)
    assert 4 * STEP_BYTES == memory.held_bytes() == memory.live_bytes()


def test_what_fits_into_a_pool_is_granted_at_the_limit(memory: LimitedMemory) -> None:
    memory.tell("driver_set_threshold", 0, KEEP_ALL)
    give(memory, take(memory, LIMIT_BYTES))
    address = take(memory, LIMIT_BYTES)
    assert memory.made("cuMemAllocAsync", 1, 0)[0] == OUT_OF_MEMORY
    assert LIMIT_BYTES == memory.held_bytes() == memory.live_bytes()
    give(memory, address)


def test_a_step_that_does_not_fit_is_refused_and_the_driver_not_asked(
    memory: LimitedMemory, pod: PodFolder
) -> None:
    memory.make("cuMemAlloc_v2", LIMIT_BYTES - STEP_BYTES + 1)
    assert memory.made("cuMemAllocAsync", MIB, 0)[0] == OUT_OF_MEMORY
    assert memory.live_bytes() == LIMIT_BYTES - STEP_BYTES + 1 == memory.held_bytes()
    gpu = pod.read_use().gpu[0]
    assert (gpu.denied_allocations, gpu.denied_bytes) == (1, STEP_BYTES)


def test_a_pool_gives_back_what_it_does_not_use_where_other_memory_is_wanted(
    memory: LimitedMemory, pod: PodFolder
) -> None:
    memory.tell("driver_set_threshold", 0, KEEP_ALL)
    kept = take(memory, MIB)
    give(memory, take(memory, LIMIT_BYTES - STEP_BYTES))
    wait(memory)
    assert memory.held_bytes() == LIMIT_BYTES
    memory.make("cuMemAlloc_v2", LIMIT_BYTES - STEP_BYTES)
    assert LIMIT_BYTES == memory.held_bytes() == memory.live_bytes()
    assert pod.read_use().gpu[0].denied_allocations == 0
    give(memory, kept)


def test_a_pool_gives_way_to_another_one(memory: LimitedMemory) -> None:
    memory.tell("driver_set_threshold", 0, KEEP_ALL)
    give(memory, take(memory, LIMIT_BYTES))
    wait(memory)
    pool = memory.make("cuMemPoolCreate", device(0))
    memory.make("cuMemAllocFromPoolAsync", LIMIT_BYTES, pool, 0)
    assert LIMIT_BYTES == memory.held_bytes() == memory.live_bytes()


def test_what_the_driver_wastes_is_charged_too(memory: LimitedMemory) -> None:
    memory.tell("driver_waste_in_pool", 5 * STEP_BYTES, 1)
    take(memory, MIB)
    assert 6 * STEP_BYTES == memory.held_bytes() == memory.live_bytes()


def test_a_pool_that_grew_by_more_than_fits_is_trimmed(memory: LimitedMemory) -> None:
    memory.make("cuMemAlloc_v2", LIMIT_BYTES - 2 * STEP_BYTES)
    memory.tell("driver_waste_in_pool", 5 * STEP_BYTES, 0)
    take(memory, MIB)
    assert LIMIT_BYTES - STEP_BYTES == memory.held_bytes() == memory.live_bytes()


def test_an_allocation_that_made_its_pool_too_large_is_given_back(
    memory: LimitedMemory, pod: PodFolder
) -> None:
    filling = memory.make("cuMemAlloc_v2", LIMIT_BYTES - 2 * STEP_BYTES)
    memory.tell("driver_waste_in_pool", 5 * STEP_BYTES, 1)
    assert memory.made("cuMemAllocAsync", MIB, 0)[0] == OUT_OF_MEMORY
    assert LIMIT_BYTES - 2 * STEP_BYTES == memory.held_bytes() == memory.live_bytes()
    assert pod.read_use().gpu[0].denied_allocations == 1
    assert memory.call("cuMemFree_v2", filling) == 0
    take(memory, LIMIT_BYTES)


def test_what_a_busy_stream_has_not_freed_yet_stays_charged(memory: LimitedMemory) -> None:
    """Nobody waits for it longer than for a moment: the stream may wait for the same thread."""
    memory.make("cuMemAlloc_v2", LIMIT_BYTES - 2 * STEP_BYTES)
    memory.tell("driver_set_busy", 1)
    memory.tell("driver_waste_in_pool", 5 * STEP_BYTES, 1)
    assert memory.made("cuMemAllocAsync", MIB, 0)[0] == OUT_OF_MEMORY
    assert memory.held_bytes() == memory.live_bytes() > LIMIT_BYTES
    memory.tell("driver_synchronize")
    memory.tell("tf_pools_look")
    assert LIMIT_BYTES - 2 * STEP_BYTES == memory.held_bytes() == memory.live_bytes()


def test_what_the_driver_refuses_leaves_no_charge(memory: LimitedMemory) -> None:
    memory.tell("driver_fail_next", OUT_OF_MEMORY)
    assert memory.made("cuMemAllocAsync", MIB, 0)[0] == OUT_OF_MEMORY
    assert memory.held_bytes() == 0
    address = take(memory, MIB)
    memory.tell("driver_fail_next", LAUNCH_FAILED)
    assert memory.call("cuMemFreeAsync", address, 0) == LAUNCH_FAILED
    assert memory.held_bytes() == STEP_BYTES


def test_a_trim_of_the_program_is_seen_at_once(memory: LimitedMemory) -> None:
    memory.tell("driver_set_threshold", 0, KEEP_ALL)
    give(memory, take(memory, 3 * STEP_BYTES))
    wait(memory)
    assert memory.call("cuMemPoolTrimTo", memory.default_pool(), STEP_BYTES) == 0
    assert STEP_BYTES == memory.held_bytes() == memory.live_bytes()


def test_a_program_that_asks_for_what_is_free_is_told_what_is_free_now(
    memory: LimitedMemory,
) -> None:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    address = take(memory, 3 * STEP_BYTES)
    memory.call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
    assert (free.value, total.value) == (LIMIT_BYTES - 3 * STEP_BYTES, LIMIT_BYTES)
    give(memory, address)
    memory.tell("driver_synchronize")
    memory.call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
    assert (free.value, total.value) == (LIMIT_BYTES, LIMIT_BYTES)


def test_the_pool_that_the_device_was_given_is_charged(memory: LimitedMemory) -> None:
    pool = memory.make("cuMemPoolCreate", device(0))
    memory.tell("driver_set_pool", 0, pool)
    address = take(memory, MIB)
    assert STEP_BYTES == memory.held_bytes() == memory.live_bytes()
    assert memory.pool_spare(pool) == STEP_BYTES - MIB
    give(memory, address)


def test_a_pool_allocates_on_its_own_device(memory: LimitedMemory) -> None:
    pool = memory.make("cuMemPoolCreate", device(1))
    memory.make("cuMemAllocFromPoolAsync", MIB, pool, 0)
    memory.make("cuMemAllocFromPoolAsync", MIB, memory.default_pool(1), 0)
    assert (memory.held_bytes(0), memory.held_bytes(1)) == (0, 2 * STEP_BYTES)
    assert memory.live_bytes(1) == 2 * STEP_BYTES


def test_what_is_left_of_a_destroyed_pool_counts_until_it_is_freed(memory: LimitedMemory) -> None:
    pool = memory.make("cuMemPoolCreate", device(1))
    one, other = (memory.make("cuMemAllocFromPoolAsync", STEP_BYTES, pool, 0) for _ in range(2))
    assert memory.call("cuMemPoolDestroy", pool) == 0
    assert 2 * STEP_BYTES == memory.held_bytes(1) == memory.live_bytes(1)
    give(memory, one)
    assert memory.held_bytes(1) >= memory.live_bytes(1) == STEP_BYTES
    give(memory, other)
    assert memory.held_bytes(1) == 0 == memory.live_bytes(1)


def test_a_pool_that_is_used_no_more_leaves_nothing_when_it_is_destroyed(
    memory: LimitedMemory,
) -> None:
    for _ in range(100):  # more than are followed at a time
        pool = memory.make("cuMemPoolCreate", device(0))
        give(memory, memory.make("cuMemAllocFromPoolAsync", MIB, pool, 0))
        assert memory.call("cuMemPoolDestroy", pool) == 0
        assert memory.held_bytes() == 0 == memory.live_bytes()


def test_pools_of_the_host_are_not_counted(memory: LimitedMemory) -> None:
    pool = memory.make("cuMemPoolCreate", host())
    memory.make("cuMemAllocFromPoolAsync", MIB, pool, 0)
    assert memory.held_bytes() == 0


def test_managed_pools_are_charged_for_what_is_asked_of_them(memory: LimitedMemory) -> None:
    """In full, wherever the pages are: the driver says what of it is on the card."""
    managed = ctypes.byref(Location(kind=2, location_type=1, location_id=0))
    pool = memory.make("cuMemPoolCreate", managed)
    address = memory.make("cuMemAllocFromPoolAsync", MIB, pool, 0)
    assert memory.held_bytes() == MIB
    give(memory, address)
    assert memory.held_bytes() == 0


def test_where_the_driver_does_not_say_allocations_are_charged_for_what_they_ask(
    memory: LimitedMemory,
) -> None:
    memory.tell("driver_set_figures", 0)
    address = take(memory, MIB)
    assert memory.held_bytes() == MIB
    assert memory.made("cuMemAllocAsync", LIMIT_BYTES, 0)[0] == OUT_OF_MEMORY
    give(memory, address)
    assert memory.held_bytes() == 0


def test_a_captured_allocation_is_not_counted_yet(memory: LimitedMemory) -> None:
    memory.tell("driver_set_captures", 1)
    address = take(memory, MIB)
    memory.tell("driver_set_captures", 0)
    assert memory.held_bytes() == 0
    give(memory, address)


def test_a_driver_that_calls_back_for_an_allocation_is_charged_once(memory: LimitedMemory) -> None:
    memory.tell("driver_call_back", 1)
    address = take(memory, MIB)
    assert STEP_BYTES == memory.held_bytes() == memory.live_bytes()
    give(memory, address)
    assert memory.held_bytes() == STEP_BYTES


def test_a_pool_outlives_a_context(memory: LimitedMemory) -> None:
    memory.tell("driver_set_context", 300 * MIB, 1)
    context = memory.make("cuCtxCreate_v2", 0, 0)
    memory.tell("driver_set_current", 0, context)
    take(memory, MIB)
    memory.call("cuCtxDestroy_v2", context)
    assert STEP_BYTES == memory.held_bytes() == memory.live_bytes()


def test_pools_end_with_the_primary_context(memory: LimitedMemory) -> None:
    memory.tell("driver_set_context", 300 * MIB, 1)
    memory.make("cuDevicePrimaryCtxRetain", 0)
    pool = memory.make("cuMemPoolCreate", device(0))
    take(memory, MIB)
    memory.make("cuMemAllocFromPoolAsync", MIB, pool, 0)
    assert memory.held_bytes() == 300 * MIB + 2 * STEP_BYTES
    assert memory.call("cuDevicePrimaryCtxReset_v2", 0) == 0
    assert memory.held_bytes() == 0 == memory.live_bytes()
    memory.make("cuMemAllocFromPoolAsync", MIB, pool, 0)
    take(memory, MIB)
    assert 2 * STEP_BYTES == memory.held_bytes() == memory.live_bytes()


def test_a_child_knows_nothing_of_the_pools_of_its_parent(memory: LimitedMemory) -> None:
    take(memory, MIB)
    memory.tell("tf_pools_clear")
    memory.tell("tf_pools_look")
    memory.tell("tf_pools_make_room", 0)
    assert memory.held_bytes() == STEP_BYTES


class PoolsOfAProcess(RuleBasedStateMachine):
    """Any order of allocations from two pools and beside them, of frees, waits and trims."""

    sizes = st.integers(1, LIMIT_BYTES // 2)
    which = st.integers(0, 1)
    held: Bundle[tuple[str, int, tuple[int, ...]]] = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self._patch = pytest.MonkeyPatch()
        self._folder = tempfile.TemporaryDirectory()
        self.memory = LimitedMemory(admit(Path(self._folder.name), self._patch).root)
        self.plain_bytes: dict[int, int] = {}
        self.wastes = False

    @initialize(threshold=st.sampled_from([0, 100 * MIB, KEEP_ALL]))
    def begin(self, threshold: int) -> None:
        self.memory.tell("driver_set_threshold", 0, threshold)
        pool = self.memory.make("cuMemPoolCreate", device(0))
        self.pools = (self.memory.default_pool(), pool)

    def _fits(self, plain_bytes: int, *more_bytes: int) -> bool:
        needs = map(self.memory.pool_needs, self.pools, more_bytes)
        return sum(self.plain_bytes.values()) + plain_bytes + sum(needs) <= LIMIT_BYTES

    @rule(target=held, which=which, size_bytes=sizes)
    def allocate_from_a_pool(self, which: int, size_bytes: int) -> tuple[str, int, tuple[int, ...]]:
        more_bytes = [size_bytes if which == each else 0 for each in range(2)]
        spare_bytes = self.memory.pool_spare(self.pools[which])
        fits = self._fits(0, *more_bytes)
        made = self.memory.made("cuMemAllocFromPoolAsync", size_bytes, self.pools[which], 0)
        if not self.wastes:
            assert made[0] == 0 or not fits
            assert made[0] == 0 or size_bytes > spare_bytes
            assert made[0] == OUT_OF_MEMORY or fits or size_bytes <= spare_bytes
        self.wastes = False
        return ("cuMemFreeAsync" if made[0] == 0 else "", made[1], (0,))

    @rule(target=held, size_bytes=sizes)
    def allocate(self, size_bytes: int) -> tuple[str, int, tuple[int, ...]]:
        fits = self._fits(size_bytes, 0, 0)
        result, address = self.memory.made("cuMemAlloc_v2", size_bytes)
        assert fits == (result == 0)
        if result == 0:
            self.plain_bytes[address] = size_bytes
        return ("cuMemFree_v2" if result == 0 else "", address, ())

    @rule(each=consumes(held))
    def free(self, each: tuple[str, int, tuple[int, ...]]) -> None:
        name, address, more = each
        if name:
            assert self.memory.call(name, address, *more) == 0
            self.plain_bytes.pop(address, None)

    @rule()
    def wait(self) -> None:
        wait(self.memory)
        assert self.memory.held_bytes() == self.memory.live_bytes()

    @rule(which=which, least_bytes=sizes)
    def trim(self, which: int, least_bytes: int) -> None:
        assert self.memory.call("cuMemPoolTrimTo", self.pools[which], least_bytes) == 0

    @rule(size_bytes=sizes, is_in_pieces=st.booleans())
    def let_the_driver_waste(self, size_bytes: int, is_in_pieces: bool) -> None:
        self.memory.tell("driver_waste_in_pool", size_bytes, is_in_pieces)
        self.wastes = True

    @invariant()
    def what_is_there_is_charged_and_within_the_limit(self) -> None:
        assert self.memory.live_bytes() <= self.memory.held_bytes() <= LIMIT_BYTES

    def teardown(self) -> None:
        self._patch.undo()
        self._folder.cleanup()


TestPoolsOfAProcess = PoolsOfAProcess.TestCase
TestPoolsOfAProcess.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
