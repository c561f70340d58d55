"""The layout of both pages: ``native/abi.h`` once more, for Python; a test compares offsets."""

from __future__ import annotations

from ctypes import LittleEndianStructure, c_char, c_uint32, c_uint64

ABI_VERSION = 1
CTL_MAGIC = 0x31304C5443465400
USE_MAGIC = 0x3130455355465400
MOST_GPUS = 16
MOST_PROCESSES = 256
UUID_BYTES = 64
"""The terminating zero included; a pod's UID has as much room."""
CTL_FILE = "ctl"
USE_FILE = "use"
CTL_BYTES = 4096
USE_BYTES = 53248
ONE_Q32 = 1 << 32
"""A whole GPU, as a share."""
ONE_Q16 = 1 << 16
"""A factor of one."""
CTL_ENABLED = 1
CTL_NO_CONTEXT = 2
GPU_NO_TRIM = 1


class CtlGPU(LittleEndianStructure):
    """``struct tf_ctl_gpu``."""

    _fields_ = (
        ("uuid", c_char * UUID_BYTES),
        ("share_q32", c_uint64),
        ("trim_k_q16", c_uint64),
        ("burst_ns", c_uint64),
        ("inflight_ns", c_uint64),
        ("memory_limit_bytes", c_uint64),
        ("qos", c_uint32),
        ("flags", c_uint32),
        ("left_q32", c_uint64),
        ("hidden_bytes", c_uint64),
    )


class Ctl(LittleEndianStructure):
    """``struct tf_ctl``."""

    _fields_ = (
        ("magic", c_uint64),
        ("abi_version", c_uint32),
        ("size_bytes", c_uint32),
        ("generation", c_uint64),
        ("heartbeat_ns", c_uint64),
        ("flags", c_uint64),
        ("gpu_count", c_uint32),
        ("reserved0", c_uint32),
        ("pod_uid", c_char * 64),
        ("reserved1", c_uint64 * 2),
        ("gpu", CtlGPU * MOST_GPUS),
        ("dead_slot", c_uint32 * MOST_PROCESSES),
    )


class UseGPU(LittleEndianStructure):
    """``struct tf_use_gpu``."""

    _fields_ = (
        ("tat_ns", c_uint64),
        ("tat_share_q32", c_uint64),
        ("charged_ns", c_uint64),
        ("launches", c_uint64),
        ("blocked_ns", c_uint64),
        ("denied_allocations", c_uint64),
        ("denied_bytes", c_uint64),
        ("waited_ns", c_uint64),
    )


class UseProcess(LittleEndianStructure):
    """``struct tf_use_process``."""

    _fields_ = (
        ("pid", c_uint32),
        ("generation", c_uint32),
        ("start_time", c_uint64),
        ("pid_namespace", c_uint64),
        ("memory_bytes", c_uint64 * MOST_GPUS),
        ("charged_ns", c_uint64),
        ("context_bytes", c_uint64),
        ("ready_generation", c_uint64),
        ("reserved", c_uint64 * 2),
    )


class Use(LittleEndianStructure):
    """``struct tf_use``."""

    _fields_ = (
        ("magic", c_uint64),
        ("abi_version", c_uint32),
        ("size_bytes", c_uint32),
        ("created_ns", c_uint64),
        ("slots_used", c_uint64),
        ("reserved", c_uint64 * 3),
        ("unknown_symbols", c_uint64),
        ("gpu", UseGPU * MOST_GPUS),
        ("process", UseProcess * MOST_PROCESSES),
    )
