"""What a Prometheus holds of a running installation: the text of the real exporters over a while.

Each process has the registry that its command puts together, filled with a number in each field.
The one that does not lead exports what it does live: caches, books, and that it does not lead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.kube.candidate import Standing
from autoscaler.kube.certificate_keeper import KeeperSnapshot
from autoscaler.scaling.loop_snapshot import LoopSnapshot, counts_of
from autoscaler.scaling.running.counts.autoscaler_snapshot import AutoscalerSnapshot
from autoscaler.scaling.running.counts.tick_counts import TickCounts
from autoscaler.scaling.running.health_gate import NOT_LOOKED_AT, GatePart
from autoscaler.sources.prometheus.query_counts import Outcome, QueryCounts
from autoscaler.telemetry.exposition import registry_of, render
from autoscaler.telemetry.workload_text import workload_text
from autoscaler.webhook.counts import AdmissionCounts, Webhook
from autoscaler.webhook.counts import Outcome as Admitted
from autoscaler.workloads.counts import ControllerCounts
from recommender.usage.quality import SampleCounts
from tests.autoscaler.agent.running.moments import snapshot as agent_snapshot
from tests.autoscaler.telemetry import parts
from tests.components.openmetrics import Family, Series

GPU_MODEL = "NVIDIA A100-SXM4-80GB"
STEP_S, LENGTH_S = 15, 90 * 60
IN_FORCE = ("workload_request", "workload_limit", "workload_replicas")
"""What changes once in the time that is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process as it is scraped."""

    name: str
    text: Callable[[], bytes]
    is_standby: bool = False

    @property
    def labels(self) -> Mapping[str, str]:
        """What a PodMonitor with honorLabels adds where the process says nothing else."""
        job = "tensor-fusion-agent" if self.name == "agent" else "tensor-fusion-autoscaler"
        return {"job": f"{job}/{job}", "instance": f"{self.name}:8080", "namespace": job}


def processes() -> tuple[Process, ...]:
    """Return an installation with one node."""
    return (
        Process(name="autoscaler-0", text=_autoscaler),
        Process(name="autoscaler-1", text=_standby_autoscaler, is_standby=True),
        Process(name="controller-0", text=_controller),
        Process(name="controller-1", text=_standby_controller, is_standby=True),
        Process(name="webhook-0", text=_webhook),
        Process(name="agent", text=_agent),
    )


def histories(shown: tuple[Process, ...], end_s: int) -> Iterator[Family]:
    """Return the series of all processes until ``end_s``, in the order of their names."""
    by_name: dict[str, list[Series]] = defaultdict(list)
    kinds: dict[str, str] = {}
    ts_ms = np.arange(end_s - LENGTH_S, end_s + 1, STEP_S, dtype=np.int64) * 1000
    for process in shown:
        for family in text_string_to_metric_families(process.text().decode()):
            for sample in family.samples:
                grows = family.type in {"counter", "histogram"}
                kinds[sample.name] = "counter" if family.type == "counter" else "gauge"
                values = _course(sample.name, sample.value, len(ts_ms), grows=grows)
                labels = {**process.labels, **sample.labels}
                by_name[sample.name].append(Series(labels=labels, ts_ms=ts_ms, value=values))
    for name, series in sorted(by_name.items()):
        yield Family(name=name, kind=kinds[name], series=series)


def _course(name: str, value: float, count: int, *, grows: bool) -> np.ndarray:
    """Return the values over time: counters grow by themselves each minute."""
    steps = np.arange(count)
    if grows:
        return value * (1.0 + steps * STEP_S / 60.0)
    if name.endswith(IN_FORCE):
        return np.where(steps < count / 2, value, 2.0 * value)
    return np.full(count, value)


def _autoscaler() -> bytes:
    loop = LoopSnapshot(
        samples=counts_of(SampleCounts(accepted=9, late=1)),
        workloads=1,
        workers=1,
        collect_errors={("tflops", "timeout"): 1},
        collect_partial={"tflops": 1},
        checkpoint_bytes=10,
        checkpoint_saved_s=1.0,
    )
    counts = QueryCounts()
    for outcome in Outcome:
        counts.observe(outcome, duration_s=0.2, now_s=1.0, samples=9, answer_bytes=9)
    registry = registry_of(
        source=counts.snapshot,
        loop=lambda: loop,
        caches=lambda: [parts.cache()],
        queue=parts.queue,
        budget=parts.budget,
        elector=parts.elector,
        events=parts.events,
        autoscaler=parts.autoscaler,
    )
    table = parts.table(parts.workload(gpu_model=GPU_MODEL))
    return render(registry) + workload_text(table, 1000.0)


def _standby_autoscaler() -> bytes:
    snapshot = AutoscalerSnapshot(
        ticks=TickCounts().snapshot(), jobs={}, gate=dict.fromkeys(GatePart, (NOT_LOOKED_AT,))
    )
    registry = registry_of(
        source=QueryCounts().snapshot,
        loop=lambda: LoopSnapshot(samples=counts_of(SampleCounts()), workloads=0, workers=0),
        caches=lambda: [parts.cache()],
        queue=parts.queue,
        budget=parts.budget,
        elector=_standing_by,
        events=parts.events,
        autoscaler=lambda: snapshot,
    )
    return render(registry)


def _controller() -> bytes:
    return _of_controller(elector=parts.elector, controller=parts.controller, keeper=parts.keeper)


def _standby_controller() -> bytes:
    nothing_done = ControllerCounts().snapshot()
    return _of_controller(
        elector=_standing_by,
        controller=lambda: parts.controller(counts=nothing_done),
        keeper=KeeperSnapshot,
    )


def _of_controller(**changing: Callable) -> bytes:
    registry = registry_of(
        caches=lambda: [parts.cache()],
        queue=parts.queue,
        budget=parts.budget,
        events=parts.events,
        **changing,
    )
    return render(registry)


def _webhook() -> bytes:
    counts = AdmissionCounts()
    for webhook in Webhook:
        counts.observe(webhook, Admitted.ALLOWED, duration_s=0.003)
    registry = registry_of(
        admissions=counts.snapshot,
        certificate=parts.certificate,
        caches=lambda: [parts.cache()],
    )
    return render(registry)


def _agent() -> bytes:
    registry = registry_of(
        agent=agent_snapshot,
        caches=lambda: [parts.cache()],
        budget=parts.budget,
        events=parts.events,
    )
    return render(registry)


def _standing_by():
    return parts.elector(standing=Standing.FOLLOWING, is_leader=False)
