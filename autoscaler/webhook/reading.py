"""Everything that admission decides about one pod, in the order in which it is decided.

Each step notes its reasons in the verdict and goes on with what it has, so that one refusal names
all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autoscaler.api.ceilings import read_ceilings
from autoscaler.api.in_force import amounts_at_start
from autoscaler.api.names import INJECT_CONTAINER, WorkloadMode
from autoscaler.webhook.containers import choose_containers
from autoscaler.webhook.devices import Devices, choose_devices
from autoscaler.webhook.layers import Layers, read_layers
from autoscaler.webhook.modes import (
    SHARED,
    Placing,
    check_worker_template,
    choose_isolation,
    choose_mode,
)
from autoscaler.webhook.pools import Pool, choose_pool
from autoscaler.webhook.qos import Level, choose_qos, priority_class_for
from autoscaler.webhook.quotas import check_quotas
from autoscaler.webhook.reserved import injection_problems
from autoscaler.webhook.snapshot import Snapshot
from autoscaler.webhook.statements import resolve_statements, with_whole_gpus
from autoscaler.webhook.submitted import Submitted
from autoscaler.webhook.verdict import Verdict
from recommender.errors import Problem
from recommender.policy.stated import Stated


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A pod that can be admitted, as admission understands it."""

    layers: Layers
    pool: Pool
    stated: Stated
    in_force: Mapping[str, str]
    """Statement key to quantity."""
    devices: Devices
    qos: Level
    priority_class: str | None
    placing: Placing
    isolation: str
    """Empty: nobody says it (soft)."""
    containers: tuple[str, ...]


def read_pod(submitted: Submitted, snapshot: Snapshot, verdict: Verdict) -> Reading | None:
    """Return what a pod asks for; None where it is refused."""
    pod = submitted.pod
    layers = read_layers(submitted, snapshot, verdict)
    pool = choose_pool(layers, snapshot, verdict)
    quotas = snapshot.quotas(submitted.namespace)
    resolved = resolve_statements(submitted, layers, pool, quotas, verdict)
    stated = with_whole_gpus(resolved.stated, pod, verdict)
    devices = choose_devices(pod, layers, stated, verdict)
    ceilings = read_ceilings(quotas, stated, verdict)
    check_quotas(ceilings, stated, devices, verdict)
    qos = choose_qos(stated, pool, ceilings, verdict)
    placing = _placing(stated, layers, pool, snapshot, verdict)
    isolation = choose_isolation(layers, verdict)
    choice = choose_containers(pod, submitted.annotations.get(INJECT_CONTAINER))
    verdict.refuse(*choice.problems)
    verdict.warn(*choice.warnings)
    verdict.refuse(*_injection_problems(submitted, choice.names, placing, isolation))
    if verdict.errors or pool is None or placing is None:
        return None
    return Reading(
        layers=layers,
        pool=pool,
        stated=stated,
        in_force=amounts_at_start(
            stated, resolved.policy, layers.existing, snapshot.control, ceilings.amounts, verdict
        ),
        devices=devices,
        qos=qos,
        priority_class=priority_class_for(qos.name, pod, snapshot, verdict),
        placing=placing,
        isolation=isolation,
        containers=choice.names,
    )


def is_limited(mode: WorkloadMode, isolation: str) -> bool:
    """Return whether a pod gets the limiter."""
    return mode is WorkloadMode.EMBEDDED and isolation != SHARED


def is_gated(mode: WorkloadMode) -> bool:
    """Return whether a pod waits for a GPU, its own or that of the worker beside it."""
    return mode is not WorkloadMode.REMOTE


def _placing(
    stated: Stated, layers: Layers, pool: Pool | None, snapshot: Snapshot, verdict: Verdict
) -> Placing | None:
    if pool is None:
        return None
    placing = choose_mode(stated, layers, pool, snapshot.installation, verdict)
    check_worker_template(layers, placing.mode, verdict)
    return placing


def _injection_problems(
    submitted: Submitted, containers: tuple[str, ...], placing: Placing | None, isolation: str
) -> tuple[Problem, ...]:
    if placing is None or not containers:
        return ()
    return injection_problems(
        submitted.pod,
        containers,
        is_limited=is_limited(placing.mode, isolation),
        is_gated=is_gated(placing.mode),
    )
