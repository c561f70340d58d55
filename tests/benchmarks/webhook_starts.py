"""What ``make bench`` measures of the start of the webhook, before a real API server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from tests.benchmarks.own_process import memory_bytes, process_cpu_s
from tests.benchmarks.targets import Measured
from tests.cluster.control_plane import ControlPlane
from tests.cluster.webhook_process import start_webhook
from tests.components.processes import free_port, status_of, until

MB = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One process, from its start until it was ready."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    ready_bytes: int


def webhook_starts(
    plane: ControlPlane, folder: Path, count: int, *, name: str, target_s: float | None = None
) -> Iterator[Measured]:
    """Start the webhook several times, one after the other; the medians.

    The certificate that it serves with must be there already.
    """
    starts = [one_start(plane, folder) for _ in range(count)]
    wall_s = median(start.wall_s for start in starts)
    yield Measured(what=f"{name}: until ready", value=wall_s, unit="s", target=target_s)
    cpu_s = median(start.cpu_s for start in starts)
    yield Measured(what="  its CPU until then", value=cpu_s, unit="s")
    peak_mb = median(start.peak_bytes for start in starts) / MB
    yield Measured(what="  its memory, at the peak", value=peak_mb, unit="MB")
    ready_mb = median(start.ready_bytes for start in starts) / MB
    yield Measured(what="  its memory, once ready", value=ready_mb, unit="MB")


def one_start(plane: ControlPlane, folder: Path) -> Start:
    begin_s = perf_counter()
    process, health_url = start_webhook(plane, folder, port=free_port())
    with process:
        until(lambda: status_of(f"{health_url}/readyz") == 200, what="the webhook is ready")
        return Start(
            wall_s=perf_counter() - begin_s,
            cpu_s=process_cpu_s(process.pid),
            peak_bytes=memory_bytes("VmHWM", process.pid),
            ready_bytes=memory_bytes("VmRSS", process.pid),
        )
