"""What is to be in force for a worker: the content of its control page."""

from __future__ import annotations

from ctypes import sizeof
from typing import NamedTuple

from autoscaler.agent.pages.abi import (
    ABI_VERSION,
    CTL_BYTES,
    CTL_ENABLED,
    CTL_MAGIC,
    CTL_NO_CONTEXT,
    GPU_NO_TRIM,
    MOST_GPUS,
    ONE_Q16,
    ONE_Q32,
    UUID_BYTES,
    Ctl,
)
from autoscaler.agent.pages.errors import PageError

_NS = 1e9
_MOST_WORD = (1 << 64) - 1


class GPUTerms(NamedTuple):
    """One GPU of a worker; made ten times a second, to be compared with what is in force."""

    uuid: str
    share: float
    """Effective share of its time, above 0 and at most 1."""
    memory_limit_bytes: int
    qos_rank: int
    """0 low, 1 medium, 2 high, 3 critical."""
    trim_k: float = 1.0
    is_time_shared: bool = True
    """False for MIG and MPS, where a share is none of time and costs are not trimmed."""
    burst_s: float = 0.0
    """Wall time that may be caught up at once; 0: the limiter's default."""
    inflight_s: float = 0.0
    """Most device time outstanding per process; 0: the limiter's default."""
    hidden_bytes: int = 0
    """Of memory that the worker holds and its processes do not account for."""
    left_share: float | None = None
    """Of its time, what other workers leave, above 0 and at most 1; None: it is not known."""


class Terms(NamedTuple):
    """One worker."""

    pod_uid: str
    gpus: tuple[GPUTerms, ...]
    """In the order of the worker's UUIDs; it never changes while the page is in use."""
    counts_contexts: bool = True
    """Whether what contexts themselves take counts for the memory limit."""


def encode(terms: Terms) -> Ctl:
    """Return the page of these terms, generation, heartbeat and dead slots left 0.

    What is stated is never written as 0, which means "not set".  Raises ``PageError``.
    """
    if not 1 <= len(terms.gpus) <= MOST_GPUS:
        raise PageError(
            f"pod {terms.pod_uid}: {len(terms.gpus)} GPUs; allowed: 1 to {MOST_GPUS} in one worker"
        )
    page = Ctl(
        magic=CTL_MAGIC,
        abi_version=ABI_VERSION,
        size_bytes=CTL_BYTES,
        flags=CTL_ENABLED | CTL_NO_CONTEXT * (not terms.counts_contexts),
        gpu_count=len(terms.gpus),
        pod_uid=_text(terms.pod_uid, "pod UID"),
    )
    for record, gpu in zip(page.gpu, terms.gpus, strict=False):
        record.uuid = _text(gpu.uuid, "UUID of a GPU")
        record.share_q32 = _within(gpu.share * ONE_Q32, ONE_Q32)
        record.trim_k_q16 = _within(gpu.trim_k * ONE_Q16, _MOST_WORD) if gpu.is_time_shared else 0
        record.burst_ns = round(gpu.burst_s * _NS)
        record.inflight_ns = round(gpu.inflight_s * _NS)
        record.memory_limit_bytes = _within(gpu.memory_limit_bytes, _MOST_WORD)
        record.hidden_bytes = gpu.hidden_bytes
        record.qos = gpu.qos_rank
        if gpu.left_share is not None:
            record.left_q32 = _within(gpu.left_share * ONE_Q32, ONE_Q32)
        record.flags = GPU_NO_TRIM * (not gpu.is_time_shared)
    return page


def _text(text: str, what: str) -> bytes:
    raw = text.encode("utf-8", "surrogateescape")
    if 0 < len(raw) < UUID_BYTES and b"\0" not in raw:
        return raw
    raise PageError(f"{what}: {text!r} is not valid; allowed: 1 to {UUID_BYTES - 1} bytes")


def _within(amount: float, most: int) -> int:
    return min(max(round(amount), 1), most)


assert sizeof(Ctl) <= CTL_BYTES
