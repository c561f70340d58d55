"""The limiter's hooks of memory over a driver of the tests, called from Python."""

from __future__ import annotations

import ctypes
import shutil
from pathlib import Path

import pytest

from tests.autoscaler.agent.native.built import NATIVE, built_library
from tests.autoscaler.agent.native.pod_pages import PodFolder
from tests.autoscaler.agent.native.pod_process import PAGE_SOURCES, loaded

HOOK_SOURCES = tuple(
    NATIVE / f"{name}.c"
    for name in (
        "ledger",
        "charging",
        "memory_hooks",
        "pool_hooks",
        "pool_table",
        "pools",
        "physical_hooks",
        "array_hooks",
        "context_hooks",
        "graph_memory",
        "view_hooks",
    )
)
DRIVER = tuple(
    Path(__file__).with_name(name)
    for name in ("memory_driver.c", "memory_pools.c", "memory_surroundings.c")
)
FIRST, SECOND = "GPU-11111111-aaaa", "GPU-22222222-bbbb"
MIB = 1 << 20
LIMIT_BYTES = 1 << 30
OUT_OF_MEMORY = 2
INVALID_VALUE = 1
LAUNCH_FAILED = 719
FLOAT = 0x20
"""A CUarray_format."""


class ArrayShape(ctypes.Structure):
    """``CUDA_ARRAY3D_DESCRIPTOR``."""

    _fields_ = (
        ("width", ctypes.c_size_t),
        ("height", ctypes.c_size_t),
        ("depth", ctypes.c_size_t),
        ("format", ctypes.c_int),
        ("channels", ctypes.c_uint),
        ("flags", ctypes.c_uint),
    )


class Location(ctypes.Structure):
    """``CUmemAllocationProp`` and ``CUmemPoolProps`` as far as they are read."""

    _fields_ = (
        ("kind", ctypes.c_int),
        ("handle_types", ctypes.c_int),
        ("location_type", ctypes.c_int),
        ("location_id", ctypes.c_int),
        ("rest", ctypes.c_char * 128),
    )


class Memory(ctypes.Structure):
    """``nvmlMemory_t``."""

    _fields_ = (
        ("total", ctypes.c_uint64),
        ("free", ctypes.c_uint64),
        ("used", ctypes.c_uint64),
    )


class Memory2(ctypes.Structure):
    """``nvmlMemory_v2_t``."""

    _fields_ = (
        ("version", ctypes.c_uint),
        ("total", ctypes.c_uint64),
        ("reserved", ctypes.c_uint64),
        ("free", ctypes.c_uint64),
        ("used", ctypes.c_uint64),
    )


class LimitedMemory:
    """One process: hooks, pages and slots over a driver that knows memory alone."""

    def __init__(self, folder: Path) -> None:
        copy = folder / "limited_memory.so"  # its own variables: a loaded file is loaded once
        shutil.copyfile(built_library([*HOOK_SOURCES, *PAGE_SOURCES, *DRIVER]), copy)
        self.library = loaded(str(copy))
        self.library.driver_live_bytes.restype = ctypes.c_uint64
        for name in ("driver_pool_of_device", "driver_pool_needs", "driver_pool_spare"):
            getattr(self.library, name).restype = ctypes.c_uint64
        self.library.tf_graph_memory_hold.restype = ctypes.c_bool
        assert self.library.tf_attach() in (0, 1)
        assert self.library.tf_slot_claim()

    def call(self, name: str, *arguments: object) -> int:
        """Call a hook by the name of the driver's function; whole numbers are 64 bits wide."""
        hook = getattr(self.library, f"tf_hook_{name}")
        return int(hook(*(_wide(argument) for argument in arguments)))

    def tell(self, name: str, *arguments: int) -> None:
        """Call a function of the test's driver, or of the limiter."""
        getattr(self.library, name)(*(_wide(argument) for argument in arguments))

    def made(self, name: str, *arguments: object) -> tuple[int, int]:
        """Call a hook whose first argument is what it makes; return its result and that."""
        handle = ctypes.c_uint64()
        result = self.call(name, ctypes.byref(handle), *arguments)
        return result, handle.value

    def make(self, name: str, *arguments: object) -> int:
        """Make something that must be granted."""
        result, handle = self.made(name, *arguments)
        assert result == 0, f"{name} returned {result}"
        return handle

    def held_bytes(self, gpu: int = 0) -> int:
        """Return what the limiter has charged."""
        return int(self.library.tf_held_bytes(gpu))

    def default_pool(self, gpu: int = 0) -> int:
        """Return the handle of a device's own pool."""
        return int(self.library.driver_pool_of_device(gpu))

    def pool_needs(self, pool: int, more_bytes: int = 0) -> int:
        """Return what a pool holds after a trim, and an allocation where ``more_bytes`` say so."""
        return int(self.library.driver_pool_needs(*map(_wide, (pool, more_bytes))))

    def pool_spare(self, pool: int) -> int:
        """Return what a pool holds and does not use."""
        return int(self.library.driver_pool_spare(_wide(pool)))

    def live_bytes(self, gpu: int = 0) -> int:
        """Return what the driver has handed out."""
        return int(self.library.driver_live_bytes(gpu))


def admit(folder: Path, environment: pytest.MonkeyPatch) -> PodFolder:
    """Return the folder of a pod with two GPUs and a limit, which the environment tells of."""
    pod = PodFolder(folder / "tensor-fusion")
    environment.setenv("TF_ROOT", str(pod.root))
    environment.setenv("TF_CTL_WAIT", "0")
    environment.setenv("TF_LIMIT_VRAM", str(LIMIT_BYTES))
    environment.setenv("NVIDIA_VISIBLE_DEVICES", f"{FIRST},{SECOND}")
    return pod


def device(number: int) -> object:
    """Return properties of memory on a device."""
    return ctypes.byref(Location(kind=1, location_type=1, location_id=number))


def host() -> object:
    """Return properties of memory of the host."""
    return ctypes.byref(Location(kind=1, location_type=2, location_id=0))


def shape(width: int, height: int = 0, depth: int = 0, *, flags: int = 0) -> object:
    """Return the shape of an array of four floats."""
    return ctypes.byref(
        ArrayShape(width=width, height=height, depth=depth, format=FLOAT, channels=4, flags=flags)
    )


def _wide(argument: object) -> object:
    return ctypes.c_uint64(argument) if isinstance(argument, int) else argument
