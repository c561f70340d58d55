"""Pages as a limiter and an agent leave them, for tests."""

from __future__ import annotations

from autoscaler.agent.pages.abi import ABI_VERSION, CTL_BYTES, USE_BYTES, USE_MAGIC, Ctl, Use
from autoscaler.agent.pages.terms import GPUTerms, Terms

UUIDS = ("GPU-0a", "GPU-0b")
POD_UID = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
GIB = 1024**3


def terms(shares=(0.5, 0.25), *, uuids=UUIDS, pod_uid=POD_UID, **changes):
    gpus = tuple(
        GPUTerms(uuid=uuid, share=share, memory_limit_bytes=16 * GIB, qos_rank=1)
        for uuid, share in zip(uuids, shares, strict=True)
    )
    return Terms(**({"pod_uid": pod_uid, "gpus": gpus} | changes))


def use_page():
    return Use(magic=USE_MAGIC, abi_version=ABI_VERSION, size_bytes=USE_BYTES)


def claim(page, slot, *, pid, generation=1, start_time=100, pid_namespace=7, memory_bytes=()):
    """Fill a slot in as a process that has moved in does."""
    process = page.process[slot]
    process.pid, process.generation, process.ready_generation = pid, generation, generation
    process.start_time, process.pid_namespace = start_time, pid_namespace
    for gpu, held_bytes in enumerate(memory_bytes):
        process.memory_bytes[gpu] = held_bytes
    return process


def use_bytes(page):
    return bytes(page).ljust(USE_BYTES, b"\0")


def write_use(folder, page):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "use").write_bytes(use_bytes(page))


def ctl_of(folder):
    content = (folder / "ctl").read_bytes()
    assert len(content) == CTL_BYTES
    return Ctl.from_buffer_copy(content)
