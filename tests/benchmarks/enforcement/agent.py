"""What the agent of a node costs, and how soon it is ready, on a plain host with a fake NVML.

Its workers are real processes with the limiter in them, which work a little: what the agent does
for a worker does not depend on how much that works.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.benchmarks.enforcement.host import PERCENT, Host, HostWorker
from tests.benchmarks.latencies import p50_p99
from tests.benchmarks.own_process import memory_bytes, process_cpu_s
from tests.benchmarks.targets import Measured
from tests.fakes.gpu.cards import CardTraits

READY_S, CPU_PERCENT, UPDATE_S = 1.5, 2.0, 0.5
MB = 1e6
WORKING = ("--kernel-ns", 100_000, "--duty", 0.002, "--report-ms", 3_600_000)
LOOK_S, NEAR = 0.001, 1e-6
DEADLINE_S = 30.0
LIMITS_PERCENT = (30.0, 60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSizes:
    """How much is measured."""

    workers: int = 16
    gpus: Sequence[int] = (1, 8)
    """Of the host, and of each of its workers."""
    settle_s: float = 3.0
    span_s: float = 20.0
    """Over which CPU is counted."""
    starts: int = 5
    updates: int = 50


def node_agent(sizes: AgentSizes) -> Iterator[Measured]:
    """Yield start, CPU and memory of the agent, and how soon a changed file is in force."""
    yield from start_rows(sizes)
    for gpus in sizes.gpus:
        yield from cost_rows(sizes, gpus)
    yield from update_rows(sizes)


def start_rows(sizes: AgentSizes) -> Iterator[Measured]:
    """Yield how soon an agent is ready."""
    with TemporaryDirectory() as name, Host(Path(name), CardTraits()) as host:
        host.state(_workers(sizes.workers, 1))
        times_s, cpu_s = [], []
        for _ in range(sizes.starts):
            times_s.append(host.start_agent())
            cpu_s.append(process_cpu_s(host.agent_pid))
            host.kill_agent()
    yield Measured(
        what=f"agent, {sizes.workers} workers: until ready",
        value=median(times_s),
        unit="s",
        target=READY_S,
    )
    yield Measured(what="  its CPU until then", value=median(cpu_s), unit="s")


def cost_rows(sizes: AgentSizes, gpus: int) -> Iterator[Measured]:
    """Yield CPU and memory of an agent whose workers all have all GPUs."""
    workers = _workers(sizes.workers, gpus)
    with (
        TemporaryDirectory() as name,
        Host(Path(name), *[CardTraits()] * gpus) as host,
        ExitStack() as running,
    ):
        host.state(workers)
        host.start_agent()
        host.wait_for_pages(workers)
        for worker in workers:
            running.enter_context(host.load(worker, *WORKING)).answer()
        time.sleep(sizes.settle_s)
        begin_s, begin_cpu_s = time.perf_counter(), process_cpu_s(host.agent_pid)
        time.sleep(sizes.span_s)
        cpu_s = process_cpu_s(host.agent_pid) - begin_cpu_s
        percent = PERCENT * cpu_s / (time.perf_counter() - begin_s)
        resident_bytes = memory_bytes("VmRSS", host.agent_pid)
    yield Measured(
        what=f"agent, {sizes.workers} workers x {gpus} GPUs: CPU of a core",
        value=percent,
        unit="%",
        target=CPU_PERCENT if gpus == 1 else None,
    )
    yield Measured(what="  its memory", value=resident_bytes / MB, unit="MB")


def update_rows(sizes: AgentSizes) -> Iterator[Measured]:
    """Yield how soon a limit in the file is in the page of its worker."""
    [worker, *others] = _workers(sizes.workers, 1)
    with TemporaryDirectory() as name, Host(Path(name), CardTraits()) as host:
        host.state([worker, *others])
        host.start_agent()
        host.wait_for_pages([worker, *others])
        times_s = []
        for number in range(sizes.updates):
            percent = LIMITS_PERCENT[number % len(LIMITS_PERCENT)]
            begin_s = time.perf_counter()
            host.state([worker.limited_to(percent), *others])
            _wait_until_in_force(host, worker, percent)
            times_s.append(time.perf_counter() - begin_s)
    shares = p50_p99(times_s)
    what = "a limit in the file of workers is in the page"
    yield Measured(what=f"{what}, p50", value=shares["p50_s"], unit="s")
    yield Measured(what=f"{what}, p99", value=shares["p99_s"], unit="s", target=UPDATE_S)


def _wait_until_in_force(host: Host, worker: HostWorker, percent: float) -> None:
    end_s = time.perf_counter() + DEADLINE_S
    while abs(host.share_in_force(worker) - percent / PERCENT) > NEAR:
        if time.perf_counter() > end_s:
            raise TimeoutError(f"{percent:g} % was not in force after {DEADLINE_S:g} s")
        time.sleep(LOOK_S)


def _workers(count: int, gpus: int) -> list[HostWorker]:
    """Return workers that each have all GPUs."""
    return [
        HostWorker(
            name=f"worker-{number}",
            limit_percent=LIMITS_PERCENT[-1],
            request_percent=1.0,
            gpus=range(gpus),
        )
        for number in range(count)
    ]
