"""What ``make bench`` measures of the whole loop on a large cluster.

Real: API server, Prometheus, webhook, controller, autoscaler.  There are no scheduler, no kubelets
and no other controllers, and all agents are one page (``live_exporter``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.cluster import control_plane
from tests.benchmarks.gpu_filling import wait_until_idle
from tests.benchmarks.live_cells import WORKERS_OF_A_WORKLOAD, WORKLOADS_OF_A_CELL, Placed
from tests.benchmarks.live_exporting import Exporter, exported, write_past
from tests.benchmarks.live_filling import fill_cluster
from tests.benchmarks.live_raising import raised_s
from tests.benchmarks.own_process import memory_bytes, process_cpu_s
from tests.benchmarks.targets import Measured
from tests.cluster.autoscaler_process import AutoscalerProcess
from tests.cluster.control_plane import ControlPlane
from tests.cluster.controller_process import Installed, installed, wait_until_ready
from tests.cluster.live_prometheus import ScrapingPrometheus
from tests.cluster.webhook_process import is_asked
from tests.components.processes import until

MB, MS = 1e6, 1e3
TICK_S = 15
DEADLINE_S = 1200.0
STAGES = (
    "snapshot",
    "collect",
    "observe",
    "decide",
    "plan",
    "validate",
    "apply",
    "show",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSizes:
    """How much is measured."""

    cells: int = 1000
    """Nodes of 40 workers: 10 000 workloads of 4 workers on 8 000 GPUs."""
    past_minutes: int = 40
    ticks: int = 8
    saturated: Sequence[int] = (1, 50)
    """Workloads whose workers are saturated at once."""
    tick_s: int = TICK_S

    @property
    def workloads(self) -> int:
        return self.cells * WORKLOADS_OF_A_CELL


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The cluster that is measured, with all but the autoscaler."""

    plane: ControlPlane
    installation: Installed
    exporter: Exporter
    workers: Sequence[Placed]
    arguments: Sequence[str]
    """Of an autoscaler."""
    sizes: LiveSizes


def on_a_live_cluster(sizes: LiveSizes) -> Iterator[Measured]:
    """Measure all of it.  Raises ``ProgramMissingError`` where something is not built."""
    with control_plane() as (plane, folder), installed(plane, folder) as installation:
        controller = installation.leading()
        until(lambda: is_asked(plane), what="the API server asks the webhook")
        workers = fill_cluster(plane, controller, sizes.cells)
        with exported(folder, workers) as exporter:
            tsdb = write_past(folder, workers, sizes.past_minutes)
            targets, every_s = [exporter.target], sizes.tick_s
            with ScrapingPrometheus(
                folder / "prometheus", targets, tsdb=tsdb, interval_s=every_s
            ) as server:
                controller = installation.start("--resync=1h")
                wait_until_ready(controller)
                wait_until_idle(controller)
                live = Live(
                    plane=plane,
                    installation=installation,
                    exporter=exporter,
                    workers=workers,
                    arguments=arguments_of(server, folder, sizes),
                    sizes=sizes,
                )
                yield from loop_rows(live)


def arguments_of(server: ScrapingPrometheus, folder: Path, sizes: LiveSizes) -> list[str]:
    """Return the arguments of an autoscaler that keeps its state."""
    pace = [f"--tick={sizes.tick_s}s", "--step=15s", "--since=1h"]
    return [f"--prometheus-url={server.url}", f"--state-file={folder / 'state'}", *pace]


def loop_rows(live: Live) -> Iterator[Measured]:
    """Return how an autoscaler starts, ticks, raises, and starts again."""
    workloads, workers = live.sizes.workloads, len(live.workers)
    name = f"tfa autoscaler, {workloads} workloads, {workers} workers"
    begin_s = time.perf_counter()
    autoscaler = started(live)
    yield from start_rows(autoscaler, f"{name}: first decision", time.perf_counter() - begin_s)
    begin_s = time.perf_counter()
    until(lambda: is_warm(autoscaler), what="the history is read", deadline_s=DEADLINE_S)
    yield Measured(
        what="  then until the history is read", value=time.perf_counter() - begin_s, unit="s"
    )
    yield from tick_rows(live, autoscaler, name)
    for count in live.sizes.saturated:
        yield from raised_rows(live, count)
    yield from restart_rows(live, autoscaler, name)


def started(live: Live) -> AutoscalerProcess:
    """Start an autoscaler and wait until it has decided."""
    autoscaler = live.installation.start_autoscaler(*live.arguments)
    autoscaler.wait_until_leader()
    until(
        lambda: autoscaler.metric("ticks_total") > 0,
        what="something is decided",
        deadline_s=DEADLINE_S,
    )
    return autoscaler


def is_warm(autoscaler: AutoscalerProcess) -> bool:
    """Return whether decisions no longer wait for the history."""
    return autoscaler.metric("warming") == 0.0


def start_rows(autoscaler: AutoscalerProcess, name: str, span_s: float) -> Iterator[Measured]:
    """Return what a start costs."""
    pid = autoscaler.process.pid
    yield Measured(what=name, value=span_s, unit="s")
    yield Measured(what="  its CPU until then", value=process_cpu_s(pid), unit="s")
    peak_mb = memory_bytes("VmHWM", pid) / MB
    yield Measured(what="  its memory, at the peak", value=peak_mb, unit="MB")


def tick_rows(live: Live, autoscaler: AutoscalerProcess, name: str) -> Iterator[Measured]:
    """Return what a tick costs: of the process, of Prometheus and of the API server."""
    pid, backlog = autoscaler.process.pid, 0.0
    before, begin_s = totals(autoscaler), time.perf_counter()
    cpu_s, requests = process_cpu_s(pid), requests_of(live.plane)
    while totals(autoscaler)["ticks"] < before["ticks"] + live.sizes.ticks:
        backlog = max(backlog, autoscaler.metric("write_backlog"))
        time.sleep(live.sizes.tick_s / 5)
    gained = {key: value - before[key] for key, value in totals(autoscaler).items()}
    span_s, ticks = time.perf_counter() - begin_s, gained["ticks"]
    whole_s = sum(gained[stage] for stage in STAGES) / ticks
    yield Measured(what=f"{name}: a tick", value=whole_s, unit="s", target=live.sizes.tick_s)
    for stage in STAGES:
        yield Measured(what=f"  {stage}", value=gained[stage] / ticks, unit="s")
    yield Measured(what="  queries of a tick", value=gained["query_s"] / ticks, unit="s")
    yield Measured(what="  their number", value=gained["queries"] / ticks, unit="")
    per_tick_s = (process_cpu_s(pid) - cpu_s) / ticks
    yield Measured(what="  CPU of the process for each", value=per_tick_s, unit="s")
    rss_mb = memory_bytes("VmRSS", pid) / MB
    yield Measured(what="  its memory then", value=rss_mb, unit="MB")
    yield Measured(what="  its writes", value=gained["writes"] / span_s, unit="/s")
    asked = (requests_of(live.plane) - requests) / span_s
    yield Measured(what="  requests to the API server, of all", value=asked, unit="/s")
    yield Measured(what="  statuses that waited, at most", value=backlog, unit="")


def totals(autoscaler: AutoscalerProcess) -> Mapping[str, float]:
    """Return what the process has counted since its start."""
    counted = {
        "ticks": "ticks_total",
        "queries": "source_query_duration_seconds_count",
        "query_s": "source_query_duration_seconds_sum",
        "writes": "writes_total",
    }
    stages = {
        stage: autoscaler.metric("cycle_duration_seconds_sum", stage=stage) for stage in STAGES
    }
    return stages | {key: autoscaler.metric(name) for key, name in counted.items()}


def requests_of(plane: ControlPlane) -> float:
    """Return how many requests the API server has answered."""
    lines = plane.kubectl("get", "--raw", "/metrics").well().out.splitlines()
    counts = [line for line in lines if line.startswith("apiserver_request_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in counts)


def raised_rows(live: Live, count: int) -> Iterator[Measured]:
    """Return how soon workers have a higher limit, from the first scrape that shows them short."""
    times_s = raised_s(live.plane, live.exporter, live.workers, count=count)
    workers = count * WORKERS_OF_A_WORKLOAD
    name = f"{workers} workers at their limit at once: all have more"
    # One tick of layer 1 and a second.
    target = live.sizes.tick_s + 1.0
    yield Measured(what=name, value=max(times_s), unit="s", target=target)
    yield Measured(what="  the first of them", value=min(times_s), unit="s")


def restart_rows(live: Live, autoscaler: AutoscalerProcess, name: str) -> Iterator[Measured]:
    """End the process as a rollout does, and start one that goes on from its state."""
    begin_s = time.perf_counter()
    autoscaler.process.stop(deadline_s=DEADLINE_S)
    yield Measured(what=f"{name}: its end", value=time.perf_counter() - begin_s, unit="s")
    begin_s = time.perf_counter()
    again = started(live)
    what = f"{name}: first decision after a restart"
    yield from start_rows(again, what, time.perf_counter() - begin_s)
    again.process.stop(deadline_s=DEADLINE_S)
