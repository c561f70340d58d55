"""What ``make bench`` measures of the controller: alone, and on a real control plane.

There are no scheduler, no kubelets and no other controllers; what these do is in the stored state
of the cluster already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from autoscaler.workloads.work import WorkKind
from tests.benchmarks.cluster import control_plane
from tests.benchmarks.controller_pods import gated_s, raised_s
from tests.benchmarks.gpu_cells import DECIDED, GPUS_OF_A_NODE, WORKERS_OF_A_NODE
from tests.benchmarks.gpu_filling import add_node, copy_nodes, settle, wait_until_idle
from tests.benchmarks.latencies import p50_p99
from tests.benchmarks.own_process import answer_of, memory_bytes, process_cpu_s
from tests.benchmarks.targets import Measured
from tests.cluster.control_plane import ControlPlane
from tests.cluster.controller_process import ControllerProcess, installed, wait_until_ready
from tests.cluster.webhook_process import is_asked
from tests.components.processes import until

MB, MS = 1e6, 1e3
CHOICE_MS, LOOK_MS, RAISED_S = 3.0, 0.5, 1.0
LONGEST_RESYNC = "1h"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSizes:
    """How much is measured."""

    nodes: Sequence[int] = (25, 250)
    """Of the controller alone, one after the other; the last ones on the control plane, too."""
    rates_per_s: Sequence[float] = (20.0, 50.0)
    span_s: float = 10.0
    """How long pods come at each rate."""
    raised: int = 200


def on_controllers(sizes: ControllerSizes) -> Iterator[Measured]:
    """Measure all of it.  Raises ``ProgramMissingError`` where Kubernetes is not built."""
    for nodes in sizes.nodes:
        yield from alone(answer_of("tests.benchmarks.controller_alone", nodes), nodes)
    with control_plane() as (plane, folder):
        yield from on_a_plane(plane, folder, sizes)


def alone(answer: dict[str, Any], nodes: int) -> Iterator[Measured]:
    """Return what is computed without an API server."""
    gpus = nodes * GPUS_OF_A_NODE
    name = f"controller alone, {answer['workloads']} workloads, {gpus} GPUs"
    yield Measured(what=f"{name}: caches and books", value=answer["caches_s"], unit="s")
    choices = answer["choices"]
    for what, key in (("one GPU", "one"), ("four GPUs", "four"), ("none, why", "none")):
        target = CHOICE_MS if key != "none" else None
        yield Measured(
            what=f"  choice of {what}", value=choices[key] * MS, unit="ms", target=target
        )
    yield Measured(what="  decisions to place", value=1 / answer["decide_s"], unit="/s")
    for kind in (WorkKind.WORKLOAD, WorkKind.GPU, WorkKind.POD):
        target = LOOK_MS if kind is WorkKind.WORKLOAD else None
        yield Measured(
            what=f"  look at an unchanged {kind}",
            value=answer["looks"][kind] * MS,
            unit="ms",
            target=target,
        )
    yield Measured(what="  books checked against all pods", value=answer["check_s"], unit="s")


def on_a_plane(plane: ControlPlane, folder: Path, sizes: ControllerSizes) -> Iterator[Measured]:
    """Fill a cluster, start a controller on it, and let pods and decisions come."""
    nodes = sizes.nodes[-1]
    workloads = nodes * WORKERS_OF_A_NODE
    with installed(plane, folder) as installation:
        first = installation.leading()
        until(lambda: is_asked(plane), what="the API server asks the webhook")
        add_node(plane)
        settle(plane, first)
        first.process.stop()
        copy_nodes(plane, nodes)
        name = f"tfa controller, {workloads} workloads, {nodes * GPUS_OF_A_NODE} GPUs"
        begin_s = perf_counter()
        controller = installation.start(f"--resync={LONGEST_RESYNC}")
        wait_until_ready(controller)
        yield from start_rows(controller, name, perf_counter() - begin_s)
        for rate_per_s in sizes.rates_per_s:
            pods = round(rate_per_s * sizes.span_s)
            yield from gated_rows(plane, controller, rate_per_s, pods)
        yield from raised_rows(plane, controller, sizes.raised)


def start_rows(controller: ControllerProcess, name: str, ready_s: float) -> Iterator[Measured]:
    """Return how a controller starts that has nothing to do but to find that out."""
    pid = controller.process.pid
    yield Measured(what=f"{name}: until ready", value=ready_s, unit="s")
    yield Measured(what="  its CPU until then", value=process_cpu_s(pid), unit="s")
    yield Measured(
        what="  its memory, at the peak", value=memory_bytes("VmHWM", pid) / MB, unit="MB"
    )
    begin_s, begin_cpu_s = perf_counter(), process_cpu_s(pid)
    wait_until_idle(controller)
    looks = controller.metric("controller_reconciles_total")
    yield Measured(what="  then until all was looked at", value=perf_counter() - begin_s, unit="s")
    yield Measured(what="  its CPU for that", value=process_cpu_s(pid) - begin_cpu_s, unit="s")
    yield Measured(what="  objects looked at", value=looks, unit="")
    yield Measured(what="  writes", value=controller.metric("writes_total"), unit="")
    yield Measured(what="  its memory then", value=memory_bytes("VmRSS", pid) / MB, unit="MB")


def gated_rows(
    plane: ControlPlane, controller: ControllerProcess, rate_per_s: float, pods: int
) -> Iterator[Measured]:
    """Return how soon pods have their GPUs, and what else follows from them."""
    writes, cpu_s = controller.metric("writes_total"), process_cpu_s(controller.process.pid)
    begin_s = perf_counter()
    times = p50_p99(gated_s(plane, rate_per_s, pods))
    wait_until_idle(controller)
    span_s = perf_counter() - begin_s
    cpu_s = process_cpu_s(controller.process.pid) - cpu_s
    name = f"{pods} pods of as many workloads at {rate_per_s:g}/s: without gate"
    for share in ("p50", "p99"):
        yield Measured(what=f"{name}, {share}", value=times[f"{share}_s"] * MS, unit="ms")
    writes = controller.metric("writes_total") - writes
    yield Measured(what="  writes for each", value=writes / pods, unit="")
    yield Measured(what="  CPU of the controller for each", value=cpu_s / pods * MS, unit="ms")
    yield Measured(what="  until all was done", value=span_s, unit="s")


def raised_rows(
    plane: ControlPlane, controller: ControllerProcess, workers: int
) -> Iterator[Measured]:
    """Return how soon workers have what was decided for all of them in one moment."""
    amounts = {"tflops": "14", "vram": "8Gi"}
    decided = {**DECIDED, "sequence": DECIDED["sequence"] + 1, "requests": amounts}
    times_s = raised_s(plane, workers, decided)
    name = f"{workers} workers raised at once"
    yield Measured(what=f"{name}: all have it", value=max(times_s), unit="s", target=RAISED_S)
    yield Measured(what="  half of them", value=p50_p99(times_s)["p50_s"], unit="s")
    begin_s = perf_counter()
    wait_until_idle(controller)
    yield Measured(
        what="  then until each status says so", value=perf_counter() - begin_s, unit="s"
    )
