"""The compiled simulation and the records of its calls (native/simulation.h)."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

from autoscaler.agent.pages.abi import UseGPU
from tests.autoscaler.agent.native.built import METER, NATIVE, built_library

HERE = Path(__file__).parent / "native"
FAKES = Path(__file__).parents[3] / "fakes" / "gpu" / "native"
MOST_KERNELS = 16
SOURCES = (
    *(HERE / f"{name}.c" for name in ("simulation", "step", "gates", "driver")),
    *METER,
    *(FAKES / f"{name}.c" for name in ("device_model", "device_time", "utilization")),
)

_U32 = ctypes.c_uint32
_U64 = ctypes.c_uint64


class CardRecord(ctypes.Structure):
    """``struct simulation_card``."""

    _fields_ = (
        ("slice_ns", _U64),
        ("switch_ns", _U64),
        ("gap_ns", _U64),
        ("drain_ns", _U64),
        ("record_ns", _U64),
        ("bias_q16", _U64),
    )


class KernelRecord(ctypes.Structure):
    """``struct simulation_kernel``."""

    _fields_ = (("length_ns", _U64), ("price", ctypes.c_double))


class ScriptRecord(ctypes.Structure):
    """``struct simulation_script``."""

    _fields_ = (
        ("kernel", KernelRecord * MOST_KERNELS),
        ("kernels", _U32),
        ("streams", _U32),
        ("launches_per_sync", _U32),
        ("has_one_shape", _U32),
    )


class TermsRecord(ctypes.Structure):
    """``struct tf_terms``."""

    _fields_ = (
        ("share_q32", _U64),
        ("trim_k_q16", _U64),
        ("burst_ns", _U64),
        ("inflight_ns", _U64),
        ("left_q32", _U64),
    )


class CountsRecord(ctypes.Structure):
    """``struct simulation_counts``."""

    _fields_ = (
        ("busy_ns", _U64),
        ("kernel_ns", _U64),
        ("launches", _U64),
        ("longest_hold_ns", _U64),
        ("records", _U64),
        ("percent", _U32),
        ("card_percent", _U32),
    )


@cache
def load() -> ctypes.CDLL:
    """Build the simulation where its sources changed, and load it."""
    library = ctypes.CDLL(str(built_library(SOURCES, include=(NATIVE, FAKES, HERE))))
    handle, number = ctypes.c_void_p, ctypes.c_int
    signatures: dict[str, tuple[type | None, list[type]]] = {
        "new": (handle, [ctypes.POINTER(CardRecord)]),
        "free": (None, [handle]),
        "add_pod": (number, [handle, number]),
        "add_process": (number, [handle, number, ctypes.POINTER(ScriptRecord)]),
        "end_process": (None, [handle, number]),
        "set_duty": (None, [handle, number, _U64]),
        "set_gate": (None, [handle, number, number]),
        "set_terms": (None, [handle, number, ctypes.POINTER(TermsRecord)]),
        "set_tokens": (None, [handle, number, ctypes.c_double]),
        "tokens": (ctypes.c_double, [handle, number]),
        "run": (None, [handle, _U64]),
        "use": (ctypes.POINTER(UseGPU), [handle, number]),
        "counts": (CountsRecord, [handle, number]),
        "forget_holds": (None, [handle]),
        "idle_ns": (_U64, [handle]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, f"simulation_{name}")
        function.restype = result
        function.argtypes = arguments
    return library
