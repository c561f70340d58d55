"""Samples of a card, pages of use and processes of pods, for tests."""

from __future__ import annotations

from autoscaler.agent.accounting.card_look import look_at
from autoscaler.agent.devices.device import Device
from autoscaler.agent.devices.samples import DeviceSample, ProcessSample
from autoscaler.agent.mapping.pod_processes import PodProcess
from autoscaler.agent.pages.use_page import parse_use
from autoscaler.agent.workers.worker import Worker
from tests.autoscaler.agent.pages.pages import claim, use_bytes, use_page

GIB = 1024**3
UUID = "GPU-a"


def device(**changes):
    known = {
        "uuid": UUID,
        "index": 0,
        "minor": 0,
        "gpu_model": "NVIDIA H100 80GB HBM3",
        "model": "H100",
        "tflops": 1000.0,
        "vram_bytes": 80 * GIB,
        "is_derived": False,
        "is_mig": False,
    }
    return Device(**(known | changes))


def worker(**changes):
    known = {
        "uid": "a",
        "namespace": "team",
        "workload": "serve",
        "name": "serve-0",
        "pool": "main",
        "qos": "medium",
        "uuids": (UUID,),
        "tflops_request": 100.0,
        "tflops_limit": 300.0,
        "vram_request_bytes": GIB,
        "vram_limit_bytes": 2 * GIB,
        "is_ready": True,
    }
    return Worker(**(known | changes))


def process(pid, sm_percent=0.0, memory_bytes=GIB):
    return ProcessSample(pid=pid, uuid=UUID, sm_percent=sm_percent, memory_bytes=memory_bytes)


def pod_process(pid, pod_uid):
    """Return a process of a pod; in its own namespace its PID is 1000 less."""
    return PodProcess(
        pid=pid,
        start_time=100,
        pod_uid=pod_uid,
        container_id="",
        namespace_pid=pid - 1000,
    )


def reading(*pids, now_ns=0, memory_bytes=GIB, **counters):
    """Return a page in which these host PIDs hold slots."""
    page = use_page()
    for slot, pid in enumerate(pids):
        claim(page, slot, pid=pid - 1000, memory_bytes=(memory_bytes,))
    for name, value in counters.items():
        setattr(page.gpu[0], name, value)
    return parse_use(use_bytes(page), 1, now_ns, "use")


def look(*processes, owners, metered=(), busy_percent=None, **figures):
    """Return a look at a card; ``owners`` says whose each PID is, ``metered`` who holds a slot."""
    sample = DeviceSample(
        uuid=UUID, monotonic_s=0.0, processes=processes, busy_percent=busy_percent, **figures
    )
    pods = {pid: pod_process(pid, uid) for pid, uid in owners.items()}
    readings = {
        uid: reading(*(pid for pid in metered if owners.get(pid) == uid))
        for uid in sorted(set(owners.values()))
    }
    return look_at(sample, pods, readings)
