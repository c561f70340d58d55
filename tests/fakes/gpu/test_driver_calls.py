"""Calls of the fake driver that no program needs, made from this process."""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Iterator
from ctypes import byref, c_char_p, c_float, c_int, c_size_t, c_uint, c_uint64, c_void_p
from pathlib import Path

import pytest

from tests.fakes.gpu.building import driver_folder
from tests.fakes.gpu.cards import GIB, MIB, CardTraits, FakeCard, make_cards

INVALID_VALUE, INVALID_HANDLE, NOT_READY = 1, 400, 600
DESTROYED, UPDATE_FAILED = 709, 910
CAPTURE_UNSUPPORTED, CAPTURE_BROKEN, IMPLICIT, CAPTURED_EVENT = 900, 901, 906, 907
GLOBAL, RELAXED = 0, 2
KERNELS = b".entry spin_1000000() {} .entry spin_1000() {} .entry wait_flag(.param .u64 flag) {}"
NON_BLOCKING, NO_TIMING = 1, 2
THRESHOLD, RESERVED, USED = 4, 5, 7


class Driver:
    """A driver of one test: its own copy of the library, which knows no other cards."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        self.ok("cuInit", 0)

    def call(self, name: str, *arguments: object) -> int:
        """Return what a function answers."""
        return int(getattr(self._library, name)(*arguments))

    def ok(self, name: str, *arguments: object) -> None:
        """Call a function that works."""
        assert self.call(name, *arguments) == 0

    def made(self, name: str, *arguments: object) -> c_void_p:
        """Call a function that works and whose first parameter is where its result goes."""
        result = c_void_p()
        self.ok(name, byref(result), *arguments)
        return result

    def kernel(self, name: bytes) -> c_void_p:
        """Return a kernel of ``KERNELS``."""
        module = self.made("cuModuleLoadData", c_char_p(KERNELS))
        return self.made("cuModuleGetFunction", module, c_char_p(name))

    def endless(self) -> c_uint:
        """Launch a kernel that runs until the word that is returned is not zero."""
        flag = c_uint()
        address = c_uint64(ctypes.addressof(flag))
        parameters = (c_void_p * 1)(ctypes.addressof(address))
        kernel, none = self.kernel(b"wait_flag"), c_void_p()
        self.ok("cuLaunchKernel", kernel, 1, 1, 1, 1, 1, 1, 0, none, parameters, none)
        return flag

    def launch(self, kernel: c_void_p, stream: c_void_p | None = None) -> int:
        """Return what the launch answers."""
        none = c_void_p()
        return self.call("cuLaunchKernel", kernel, 1, 1, 1, 1, 1, 1, 0, stream, none, none)


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCard]:
    made = make_cards(tmp_path / "gpus", CardTraits())
    monkeypatch.setenv("TF_FAKE_GPUS", str(made.folder))
    yield made.cards[0]
    made.close()


@pytest.fixture
def driver(card: FakeCard, tmp_path: Path) -> Iterator[Driver]:
    copy = Path(shutil.copy(driver_folder() / "libcuda.so.1", tmp_path / "own_driver.so"))
    driver = Driver(copy)
    context = driver.made("cuCtxCreate_v2", 0, 0)
    yield driver
    driver.call("cuCtxDestroy_v2", context)


def current(driver: Driver) -> c_void_p:
    return driver.made("cuCtxGetCurrent")


def stream_of(driver: Driver, flags: int = NON_BLOCKING) -> c_void_p:
    return driver.made("cuStreamCreate", flags)


class TestContexts:
    def test_that_are_destroyed_give_all_back(self, driver: Driver, card: FakeCard) -> None:
        driver.made("cuMemAlloc_v2", c_size_t(GIB))
        assert card.held_bytes() == 545 * MIB + GIB
        driver.ok("cuCtxDestroy_v2", current(driver))
        assert card.held_bytes() == 0

    def test_that_are_reset_end_their_work(self, driver: Driver, card: FakeCard) -> None:
        context = driver.made("cuDevicePrimaryCtxRetain", 0)
        driver.ok("cuCtxSetCurrent", context)
        driver.endless()
        driver.ok("cuDevicePrimaryCtxReset_v2", 0)
        assert driver.call("cuCtxSynchronize") == DESTROYED
        assert card.card_ledger().all.kernels == 0

    def test_are_a_stack(self, driver: Driver) -> None:
        below = current(driver).value
        above = driver.made("cuCtxCreate_v4", None, 0, 0)
        assert current(driver).value == above.value
        assert driver.made("cuCtxPopCurrent_v2").value == above.value
        assert current(driver).value == below
        driver.ok("cuCtxDestroy_v2", above)


class TestEvents:
    def test_tell_the_time_when_they_happened(self, driver: Driver) -> None:
        begin, end = driver.made("cuEventCreate", 0), driver.made("cuEventCreate", 0)
        kernel, elapsed_ms = driver.kernel(b"spin_1000000"), c_float()
        times = (byref(elapsed_ms), begin, end)
        flag = driver.endless()
        driver.ok("cuEventRecord", begin, None)
        driver.launch(kernel)
        driver.ok("cuEventRecord", end, None)
        assert driver.call("cuEventElapsedTime", *times) == NOT_READY
        flag.value = 1
        driver.ok("cuEventSynchronize", end)
        driver.ok("cuEventElapsedTime", *times)
        assert elapsed_ms.value == pytest.approx(1.005)

    def test_without_timing_tell_none(self, driver: Driver) -> None:
        event = driver.made("cuEventCreate", NO_TIMING)
        driver.ok("cuEventRecord", event, None)
        driver.ok("cuEventSynchronize", event)
        elapsed_ms = c_float()
        assert driver.call("cuEventElapsedTime", byref(elapsed_ms), event, event) == INVALID_HANDLE

    def test_that_are_destroyed_are_no_handles(self, driver: Driver) -> None:
        event = driver.made("cuEventCreate", 0)
        driver.ok("cuEventDestroy_v2", event)
        assert driver.call("cuEventQuery", event) == INVALID_HANDLE


class TestStreams:
    @pytest.mark.parametrize(("flags", "after"), [(0, NOT_READY), (NON_BLOCKING, 0)])
    def test_wait_for_the_legacy_one_unless_they_do_not_block(
        self, driver: Driver, flags: int, after: int
    ) -> None:
        stream, event = stream_of(driver, flags), driver.made("cuEventCreate", NO_TIMING)
        flag = driver.endless()
        driver.launch(driver.kernel(b"spin_1000"), stream)
        driver.ok("cuEventRecord", event, stream)
        if flags == NON_BLOCKING:
            driver.ok("cuEventSynchronize", event)
        assert driver.call("cuEventQuery", event) == after
        flag.value = 1
        driver.ok("cuEventSynchronize", event)


class TestCapture:
    def test_takes_launches_and_runs_none(self, driver: Driver, card: FakeCard) -> None:
        stream, kernel = stream_of(driver), driver.kernel(b"spin_1000")
        driver.ok("cuStreamBeginCapture_v2", stream, GLOBAL)
        assert driver.launch(kernel, stream) == 0
        graph, count = c_void_p(), c_size_t()
        driver.ok("cuStreamEndCapture", stream, byref(graph))
        driver.ok("cuGraphGetNodes", graph, None, byref(count))
        assert (count.value, card.card_ledger().all.kernels) == (1, 0)

    def test_of_the_legacy_stream_is_refused(self, driver: Driver) -> None:
        assert driver.call("cuStreamBeginCapture_v2", None, RELAXED) == CAPTURE_UNSUPPORTED

    def test_forbids_a_launch_into_the_legacy_stream(self, driver: Driver) -> None:
        stream, kernel, graph = stream_of(driver, 0), driver.kernel(b"spin_1000"), c_void_p()
        driver.ok("cuStreamBeginCapture_v2", stream, RELAXED)
        assert driver.launch(kernel) == IMPLICIT
        assert driver.call("cuStreamEndCapture", stream, byref(graph)) == CAPTURE_BROKEN

    def test_forbids_a_look_at_its_events(self, driver: Driver) -> None:
        stream, event = stream_of(driver), driver.made("cuEventCreate", NO_TIMING)
        driver.ok("cuStreamBeginCapture_v2", stream, RELAXED)
        driver.ok("cuEventRecord", event, stream)
        assert driver.call("cuEventQuery", event) == CAPTURED_EVENT

    def test_spreads_to_a_stream_that_waits_for_it(self, driver: Driver) -> None:
        stream, other, status = stream_of(driver), stream_of(driver), c_int()
        event = driver.made("cuEventCreate", NO_TIMING)
        driver.ok("cuStreamBeginCapture_v2", stream, GLOBAL)
        driver.ok("cuEventRecord", event, stream)
        driver.ok("cuStreamWaitEvent", other, event, 0)
        driver.ok("cuStreamIsCapturing", other, byref(status))
        assert status.value == 1


class TestGraphs:
    def test_run_their_children(self, driver: Driver, card: FakeCard) -> None:
        child, parent = driver.made("cuGraphCreate", 0), driver.made("cuGraphCreate", 0)
        node = KernelNode(function=driver.kernel(b"spin_1000"))
        driver.made("cuGraphAddKernelNode_v2", child, None, c_size_t(0), byref(node))
        for _ in range(3):
            driver.made("cuGraphAddChildGraphNode", parent, None, c_size_t(0), child)
        executable = driver.made("cuGraphInstantiateWithFlags", parent, c_uint64(0))
        driver.ok("cuGraphLaunch", executable, None)
        driver.ok("cuCtxSynchronize")
        assert card.card_ledger().all.kernels == 3

    def test_of_another_shape_do_not_take_their_place(self, driver: Driver) -> None:
        one, other = driver.made("cuGraphCreate", 0), driver.made("cuGraphCreate", 0)
        node = KernelNode(function=driver.kernel(b"spin_1000"))
        driver.made("cuGraphAddKernelNode_v2", one, None, c_size_t(0), byref(node))
        executable = driver.made("cuGraphInstantiateWithFlags", one, c_uint64(0))
        outcome = (c_uint64 * 3)()
        driver.ok("cuGraphExecUpdate_v2", executable, one, outcome)
        assert driver.call("cuGraphExecUpdate_v2", executable, other, outcome) == UPDATE_FAILED


class KernelNode(ctypes.Structure):
    _fields_ = [
        ("function", c_void_p),
        ("sizes", c_uint * 7),
        ("parameters", c_void_p),
        ("extra", c_void_p),
        ("kernel", c_void_p),
        ("context", c_void_p),
    ]


class TestMemory:
    PROPS = (c_int * 8)(1, 1, 1, 0)
    """Pinned memory of device 0, to be shared by file."""

    def test_by_handle_lives_while_it_is_mapped(self, driver: Driver, card: FakeCard) -> None:
        handle = driver.made("cuMemCreate", c_size_t(64 * MIB), self.PROPS, c_uint64(0))
        address = driver.made(
            "cuMemAddressReserve", c_size_t(64 * MIB), c_size_t(0), c_uint64(0), c_uint64(0)
        )
        mapped = (address, c_size_t(64 * MIB))
        driver.ok("cuMemMap", *mapped, c_size_t(0), handle, c_uint64(0))
        driver.ok("cuMemRelease", handle)
        assert card.held_bytes() == 609 * MIB
        driver.ok("cuMemUnmap", *mapped)
        assert card.held_bytes() == 545 * MIB

    def test_by_handle_comes_in_2_mib(self, driver: Driver) -> None:
        answer = driver.call(
            "cuMemCreate", byref(c_void_p()), c_size_t(MIB), self.PROPS, c_uint64(0)
        )
        assert answer == INVALID_VALUE

    def test_of_another_one_is_paid_once(self, driver: Driver, card: FakeCard) -> None:
        handle = driver.made("cuMemCreate", c_size_t(2 * MIB), self.PROPS, c_uint64(0))
        shared = c_int()
        driver.ok("cuMemExportToShareableHandle", byref(shared), handle, 1, c_uint64(0))
        other = driver.made("cuMemImportFromShareableHandle", c_void_p(shared.value), 1)
        assert card.held_bytes() == 547 * MIB
        driver.ok("cuMemRelease", handle)
        driver.ok("cuMemRelease", other)
        assert card.held_bytes() == 545 * MIB

    def _figures(self, driver: Driver, pool: c_void_p) -> list[int]:
        """Return what a pool holds, and what of it is used."""
        told = {what: c_uint64() for what in (RESERVED, USED)}
        for what, value in told.items():
            driver.ok("cuMemPoolGetAttribute", pool, what, byref(value))
        return [value.value for value in told.values()]

    def test_of_a_pool_comes_in_steps_of_32_mib(self, driver: Driver, card: FakeCard) -> None:
        pool = driver.made("cuDeviceGetDefaultMemPool", 0)
        driver.made("cuMemAllocAsync", c_size_t(3 * MIB), None)
        assert self._figures(driver, pool) == [32 * MIB, 3 * MIB]
        driver.made("cuMemAllocAsync", c_size_t(30 * MIB), None)
        assert self._figures(driver, pool) == [64 * MIB, 33 * MIB]
        assert card.held_bytes() == 609 * MIB

    def test_of_a_pool_is_kept_below_its_threshold(self, driver: Driver, card: FakeCard) -> None:
        pool, threshold_bytes = driver.made("cuDeviceGetDefaultMemPool", 0), c_uint64(MIB)
        driver.ok("cuMemPoolSetAttribute", pool, THRESHOLD, byref(threshold_bytes))
        address = driver.made("cuMemAllocAsync", c_size_t(100 * MIB), None)
        driver.ok("cuMemFreeAsync", address, None)
        assert self._figures(driver, pool) == [128 * MIB, 0]
        driver.ok("cuCtxSynchronize")
        assert self._figures(driver, pool) == [32 * MIB, 0]
        assert card.held_bytes() == 577 * MIB

    def test_of_a_pool_is_trimmed_once_it_was_seen_to_be_free(
        self, driver: Driver, card: FakeCard
    ) -> None:
        pool = driver.made("cuDeviceGetDefaultMemPool", 0)
        address = driver.made("cuMemAllocAsync", c_size_t(100 * MIB), None)
        driver.ok("cuMemFreeAsync", address, None)
        driver.ok("cuMemPoolTrimTo", pool, c_size_t(0))
        assert card.held_bytes() == 673 * MIB
        driver.ok("cuStreamQuery", None)
        driver.ok("cuMemPoolTrimTo", pool, c_size_t(0))
        assert card.held_bytes() == 545 * MIB

    def test_is_found_by_any_address_in_it(self, driver: Driver) -> None:
        address, base, bytes_ = driver.made("cuMemAlloc_v2", c_size_t(MIB)), c_void_p(), c_size_t()
        assert address.value is not None
        inside = c_uint64(address.value + 1000)
        driver.ok("cuMemGetAddressRange_v2", byref(base), byref(bytes_), inside)
        assert (base.value, bytes_.value) == (address.value, MIB)

    def test_that_is_given_back_twice_is_an_error(self, driver: Driver) -> None:
        address = driver.made("cuMemAlloc_v2", c_size_t(MIB))
        driver.ok("cuMemFree_v2", address)
        assert driver.call("cuMemFree_v2", address) == INVALID_VALUE
