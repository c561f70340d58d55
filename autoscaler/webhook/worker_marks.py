"""What an admitted pod carries: resolved values written back, labels, and the plan of injection.

Scheduler, controller, agent and autoscaler read these alone and never the layers behind them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaler.api.names import (
    AMOUNT_KEYS,
    COMPONENT,
    DECLARED,
    GPU_COUNT,
    GPU_INDICES,
    GPU_MODEL,
    GPU_POOL,
    IN_FORCE,
    INJECT_CONTAINER,
    IS_LOCAL_GPU,
    ISOLATION,
    MODE,
    POOL_LABEL,
    QOS,
    SELECTED_WORKLOAD,
    SOURCES,
    SYSTEM_ANNOTATIONS,
    SYSTEM_LABELS,
    VENDOR,
    WORKLOAD,
    WORKLOAD_LABEL,
    Component,
    WorkloadMode,
)
from autoscaler.webhook.client_environment import client_environment
from autoscaler.webhook.declared import declared_annotations, sources_annotation
from autoscaler.webhook.inject import InjectionPlan
from autoscaler.webhook.pools import Pool
from autoscaler.webhook.reading import Reading, is_gated, is_limited
from autoscaler.webhook.snapshot import Installation
from recommender.policy.values import is_unset

_REWRITTEN = (*SYSTEM_ANNOTATIONS, *DECLARED, *IN_FORCE, SOURCES)
"""Annotations that come out as decided, or not at all."""
_SPELT_BY_USER = (GPU_POOL, QOS, GPU_COUNT, GPU_MODEL, VENDOR, GPU_INDICES, ISOLATION)
"""Annotations that stay as they were written, blanks and capitals included.

Tenants may not change them later, which applying the manifest of a bare pod again would do.
"""


def injection_plan(reading: Reading, installation: Installation) -> InjectionPlan:
    """Return what is to be put into a pod."""
    mode, pool = reading.placing.mode, reading.pool
    limited = is_limited(mode, reading.isolation)
    limiter = pool.component("limiter")
    return InjectionPlan(
        containers=reading.containers,
        is_limited=limited,
        is_gated=is_gated(mode),
        limiter_image=str(limiter.get("image") or installation.limiter_image),
        limiter_pull_policy=str(limiter.get("imagePullPolicy") or ""),
        limiter_pull_secrets=_secrets(pool),
        limiter_resources=limiter.get("resources") or {},
        runtime_class_name=str(pool.spec.get("runtimeClassName") or ""),
        priority_class=reading.priority_class,
        client_environment=client_environment(
            mode, pool, installation.connection_endpoint, is_limited=limited
        ),
        annotations=_annotations(reading),
        labels=_labels(reading),
        stripped_annotations=_REWRITTEN,
        stripped_labels=SYSTEM_LABELS,
    )


def _annotations(reading: Reading) -> dict[str, str]:
    devices, mode = reading.devices, reading.placing.mode
    in_force = dict(zip(AMOUNT_KEYS, IN_FORCE, strict=True))
    stated_only = {
        GPU_MODEL: devices.model,
        VENDOR: devices.vendor,
        GPU_INDICES: ",".join(map(str, devices.indices)),
        ISOLATION: reading.isolation,
        SELECTED_WORKLOAD: "" if mode is WorkloadMode.EMBEDDED else reading.layers.workload_name,
    }
    return {
        **declared_annotations(reading.stated),
        SOURCES: sources_annotation(
            reading.layers.annotations, reading.stated, _chosen_sources(reading)
        ),
        **{in_force[key]: quantity for key, quantity in reading.in_force.items()},
        WORKLOAD: reading.layers.workload_name,
        GPU_POOL: reading.pool.name,
        QOS: reading.qos.name,
        GPU_COUNT: str(devices.count),
        INJECT_CONTAINER: ",".join(reading.containers),
        IS_LOCAL_GPU: "true" if reading.placing.is_local else "false",
        MODE: str(mode),
        **{key: value for key, value in stated_only.items() if value},
        **_spelt(reading),
    }


def _spelt(reading: Reading) -> dict[str, str]:
    """Return the user's own words; a count that ``gpu-indices`` overrules does not stay."""
    written = reading.layers.annotations
    has_count = reading.stated.gpu_count == reading.devices.count
    kept = [key for key in _SPELT_BY_USER if key != GPU_COUNT or has_count]
    return {key: written[key] for key in kept if not is_unset(written.get(key))}


def _chosen_sources(reading: Reading) -> Mapping[str, str]:
    return {
        "qos": reading.qos.source,
        "gpupool": reading.pool.source,
        "gpu-count": reading.devices.count_source,
        "is-local-gpu": reading.placing.source,
    }


def _labels(reading: Reading) -> dict[str, str]:
    is_worker = reading.placing.mode is WorkloadMode.EMBEDDED
    return {
        COMPONENT: str(Component.WORKER if is_worker else Component.CLIENT),
        WORKLOAD_LABEL: reading.layers.workload_name,
        POOL_LABEL: reading.pool.name,
    }


def _secrets(pool: Pool) -> tuple[str, ...]:
    """Return names of pull secrets, written as names or as Kubernetes' references."""
    written: list[Any] = pool.component("limiter").get("imagePullSecrets") or []
    return tuple(
        str(secret.get("name") if isinstance(secret, Mapping) else secret) for secret in written
    )
