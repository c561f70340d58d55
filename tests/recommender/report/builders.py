"""Small fleets and reports, valid by default, with keyword overrides."""

from dataclasses import dataclass, field, replace

import numpy as np

from recommender.backtest.whatif import Scores, WhatIf
from recommender.decision import Code, Decisions, Layer, StepLog
from recommender.observation import Observation, UsageStatistics, Workers, Workloads
from recommender.policy.model import (
    Buffer,
    Dimension,
    LimitBasis,
    LimitRule,
    Mode,
    Policy,
    ReplicaRule,
    RequestRule,
)
from recommender.report.blocks import HistoryEntry
from recommender.report.build import build_report
from recommender.report.diagnosing import NO_DIAGNOSES
from recommender.report.model import Meta, Window
from recommender.report.subject import Subject
from recommender.report.thresholds import Thresholds
from recommender.resources import GIB, TFLOPS, VRAM
from recommender.usage.evidence import Evidence

NAN = float("nan")
NOW_S = 1_790_000_000 - 1_790_000_000 % 300
BLOCK_S = 300
RESOURCES = (TFLOPS, VRAM)
RUNNING, SEEN = 2, 7
"""Workers of each row now, and those that were ever measured."""


@dataclass(frozen=True, kw_only=True)
class Sized:
    """One resource of one workload."""

    request: float = NAN
    limit: float = NAN
    stated_request: float | None = None
    target_request: float = NAN
    target_limit: float = NAN
    next_request: float | None = None
    next_limit: float | None = None
    card: float = NAN
    p95: float = NAN
    highest: float = NAN
    points: int = 10_000
    at_limit_share: float = 0.0
    denials: float = 0.0
    is_opaque: bool = False
    unknown: Code | None = None
    blocks: tuple[float, ...] | None = None
    confidence: float = 1.0
    is_stale: bool = False
    last_sample_age_s: float = 30.0


def tflops(**overrides) -> Sized:
    """Return a request of 12 of 100 TFLOPS that fits."""
    return replace(
        Sized(
            request=12.0,
            limit=24.0,
            target_request=12.0,
            target_limit=24.0,
            card=100.0,
            p95=10.0,
            highest=20.0,
        ),
        **overrides,
    )


def vram(**overrides) -> Sized:
    """Return a request of 8 of 80 GiB that fits."""
    return replace(
        Sized(
            request=8 * GIB,
            limit=8 * GIB,
            target_request=8 * GIB,
            target_limit=8 * GIB,
            card=80 * GIB,
            p95=6 * GIB,
            highest=7 * GIB,
        ),
        **overrides,
    )


@dataclass(frozen=True, kw_only=True)
class Row:
    """One workload."""

    namespace: str = "team-a"
    workload: str = "chat"
    gpu_model: str = "H100"
    tflops: Sized = field(default_factory=tflops)
    vram: Sized = field(default_factory=vram)
    replicas: float = 2.0
    target_replicas: float = 2.0
    unknown_replicas: Code | None = None
    gpu_count: int = 1
    span_s: int = 7 * 86_400
    is_enrolled: bool = False
    policy: Policy | None = None
    """In place of the defaults of the project."""
    subject: Subject = field(
        default_factory=lambda: Subject(
            owner="Deployment/chat",
            pool="default-pool",
            labels={"team": "search"},
            sources={"tflops-request": "annotation", "vram-request": "profile team/small"},
        )
    )


def policy(*, is_enrolled: bool = False) -> Policy:
    """Defaults of the project, one mode for all layers."""
    request = RequestRule(
        is_enrolled=is_enrolled,
        mode=Mode.APPLY,
        percentile=0.95,
        lower_percentile=0.5,
        upper_percentile=0.99,
        is_load_weighted=True,
        buffer=Buffer(1.15),
        risk_target=None,
        history_s=172_800,
        update_threshold=0.1,
        min_ratio=0.1,
        max_ratio=10.0,
        min_allowed=None,
        max_allowed=None,
        initial_delay_s=0,
        evaluation_s=600,
    )
    limit = LimitRule(
        is_enrolled=is_enrolled,
        mode=Mode.APPLY,
        basis=LimitBasis.BURST,
        percentile=0.99,
        buffer=Buffer(1.2),
        risk_target=None,
        ignored_delta=0.1,
        scale_up_step=1.2,
        max_ratio_to_requests=5.0,
        min_ratio=0.1,
        max_ratio=10.0,
        min_allowed=None,
        max_allowed=None,
        evaluation_s=60,
    )
    replicas = ReplicaRule(
        is_enrolled=is_enrolled,
        mode=Mode.APPLY,
        target_of_limit=0.7,
        tolerance_up=0.1,
        tolerance_down=0.1,
        scale_up_step=2.0,
        scale_down_step=0.9,
        scale_up_cooldown_s=0,
        scale_down_cooldown_s=300,
        min_replicas=1,
        max_replicas=None,
        evaluation_s=60,
    )
    return Policy(
        requests=dict.fromkeys(Dimension, request),
        limits=dict.fromkeys(Dimension, limit),
        replicas=replicas,
        sources={"requests.compute.percentile": "profile team/small"},
    )


def meta(**overrides) -> Meta:
    return replace(
        Meta(
            generated_s=NOW_S,
            tool_version="0.1.0",
            source="usage.csv",
            window=Window(start_s=NOW_S - 7 * 86_400, end_s=NOW_S, step_s=60),
            scanned_workloads=1,
        ),
        **overrides,
    )


def table(rows, name):
    """[W, 2] of one attribute of the sized resources."""
    return np.array(
        [[_float(getattr(row.tflops, name)), _float(getattr(row.vram, name))] for row in rows],
        np.float64,
    ).reshape(len(rows), 2)


def observation(rows) -> Observation:
    w = len(rows)
    request, limit = table(rows, "request"), table(rows, "limit")
    stated = [[size.stated_request for size in (row.tflops, row.vram)] for row in rows]
    stated_request = np.where(
        np.isfinite(np.array(stated, np.float64).reshape(w, 2)),
        np.array(stated, np.float64).reshape(w, 2),
        request,
    )
    nothing, wide = np.full(w, np.nan), np.full((w, 2), np.nan)
    names = [row.namespace + "/" + row.workload for row in rows]
    workloads = Workloads(
        namespace=tuple(row.namespace for row in rows),
        workload=tuple(row.workload for row in rows),
        gpu_model=tuple(row.gpu_model for row in rows),
        uid=np.array(names),
        stated_request=stated_request,
        stated_limit=limit,
        request=request,
        limit=limit,
        replicas=np.array([row.replicas for row in rows]),
        stated_replicas=np.array([row.replicas for row in rows]),
        gpu_count=np.array([row.gpu_count for row in rows], np.int64),
        qos=np.ones(w, np.int8),
        is_job=np.zeros(w, bool),
        card=table(rows, "card"),
        largest_placeable=table(rows, "card"),
        quota=wide,
        replica_quota=nothing,
        is_paused=np.zeros(w, bool),
        external_request=wide,
        external_limit=wide,
        external_replicas=nothing,
        replica_row=np.array([names.index(name) for name in names], np.int64),
    )
    usage = {
        name: np.full((w, 2), np.nan)
        for name in UsageStatistics.__dataclass_fields__
        if name not in {"step_s", "startup_s", "is_opaque", "is_saturated"}
    }
    statistics = UsageStatistics(
        **usage,
        step_s=np.full((w, 2), 60),
        startup_s=nothing,
        is_opaque=np.zeros((w, 2), bool),
        is_saturated=np.zeros((w, 2), bool),
    )
    row = np.repeat(np.arange(w), RUNNING)
    workers = Workers(
        workload_row=row, demand=np.full(len(row), np.nan), is_ready=np.ones(len(row), bool)
    )
    return Observation(resources=RESOURCES, workloads=workloads, workers=workers, usage=statistics)


def decisions(rows) -> Decisions:
    w = len(rows)
    request, limit = table(rows, "target_request"), table(rows, "target_limit")
    unknown = np.array(
        [
            [size.unknown.number if size.unknown else 0 for size in (row.tflops, row.vram)]
            for row in rows
        ],
        np.int16,
    ).reshape(w, 2)
    log = StepLog()
    known = np.isfinite(request)
    log.add(Layer.REQUESTS, Code.Percentile, known, request, request / 1.15, 0.95)
    log.changed(Layer.REQUESTS, Code.Buffer, request / 1.15, request)
    log.add(Layer.LIMITS, Code.Burst, np.isfinite(limit), limit, limit / 1.2)
    log.changed(Layer.LIMITS, Code.Buffer, limit / 1.2, limit)
    replicas = np.array([row.target_replicas for row in rows])
    now = np.array([row.replicas for row in rows])
    log.add(Layer.REPLICAS, Code.ReplicaDemand, np.isfinite(replicas), now, replicas, 1.3)
    return Decisions(
        raw_request=request / 1.15,
        target_request=request,
        lower_request=request * 0.8,
        upper_request=request * 1.3,
        next_request=_or(table(rows, "next_request"), request),
        start_request=request,
        raw_limit=limit / 1.2,
        target_limit=limit,
        next_limit=_or(table(rows, "next_limit"), limit),
        start_limit=limit,
        raw_replicas=replicas,
        target_replicas=replicas,
        next_replicas=replicas,
        confidence=table(rows, "confidence"),
        is_stale=table(rows, "is_stale").astype(bool),
        is_urgent=np.zeros((w, 2), bool),
        is_decided_request=np.ones((w, 2), bool),
        is_decided_limit=np.ones((w, 2), bool),
        unknown_request=unknown,
        unknown_limit=unknown,
        unknown_replicas=np.array(
            [row.unknown_replicas.number if row.unknown_replicas else 0 for row in rows], np.int16
        ),
        steps=log.table(),
        due=frozenset(Layer),
    )


def evidence(rows, blocks: int = 2016) -> Evidence:
    w = len(rows)
    highest = table(rows, "highest")
    block_max = np.full((w, 2, blocks), np.nan, np.float32)
    for i, row in enumerate(rows):
        for r, size in enumerate((row.tflops, row.vram)):
            if size.blocks is not None:
                block_max[i, r, -len(size.blocks) :] = size.blocks
            elif np.isfinite(size.highest):
                block_max[i, r] = day_wave(blocks, size.highest, phase=i)
    return Evidence(
        p50=highest * 0.4,
        p90=highest * 0.7,
        p95=table(rows, "p95"),
        p99=highest * 0.9,
        highest=highest,
        mean=highest * 0.3,
        points=table(rows, "points").astype(np.int64),
        span_s=np.array([[row.span_s] * 2 for row in rows], np.int64).reshape(w, 2),
        coverage=np.full((w, 2), 0.99),
        workers_seen=np.full((w, 2), SEEN),
        last_sample_age_s=table(rows, "last_sample_age_s"),
        saturated_share=table(rows, "at_limit_share"),
        denials=table(rows, "denials"),
        is_opaque=table(rows, "is_opaque").astype(bool),
        hourly_profile=highest[:, :, None] * np.linspace(0.3, 0.8, 24),
        block_start_s=np.arange(blocks, dtype=np.int64) * BLOCK_S + NOW_S - blocks * BLOCK_S,
        block_max=block_max,
        block_mean=block_max * 0.6,
    )


def day_wave(blocks: int, highest: float, phase: int = 0):
    """Return a daily wave whose maximum is ``highest``."""
    hours = np.arange(blocks) * BLOCK_S / 3600 + phase
    jitter = 0.85 + 0.15 * np.abs(np.sin(np.arange(blocks) * 12.9898 + phase))
    wave = (0.55 + 0.45 * np.sin(2 * np.pi * hours / 24)) * jitter
    return wave * highest / wave.max()


def what_if(rows) -> WhatIf:
    def scores(violated, slack):
        full = np.ones((len(rows), 2))
        return Scores(
            slack=full * slack,
            violated_share=full * violated,
            throttled_volume=full * violated / 3,
            changes_per_day=full * 1.5,
        )

    return WhatIf(
        start_s=NOW_S - 7 * 86_400,
        end_s=NOW_S,
        decision_step_s=600,
        requests=scores(0.012, 0.4),
        limits=scores(0.001, 1.2),
        current_requests=scores(0.0, 2.1),
        current_limits=scores(0.0, 4.0),
    )


def report(
    *rows,
    history=None,
    errors=(),
    with_what_if=True,
    forecasts=None,
    diagnoses=NO_DIAGNOSES,
    **meta_overrides,
):
    """Build the report of some rows (one workload that fits, where none is given)."""
    rows = rows or (Row(),)
    return build_report(
        meta=meta(**{"scanned_workloads": len(rows), **meta_overrides}),
        subjects=[row.subject for row in rows],
        observation=observation(rows),
        policies=[row.policy or policy(is_enrolled=row.is_enrolled) for row in rows],
        decisions=decisions(rows),
        evidence=evidence(rows),
        whatif=what_if(rows) if with_what_if else None,
        history=history or {},
        errors=errors,
        thresholds=Thresholds(),
        forecasts=forecasts,
        diagnoses=diagnoses,
    )


def change(resource="tflops", **overrides) -> HistoryEntry:
    return replace(
        HistoryEntry(
            time_s=NOW_S - 3600,
            resource=resource,
            layer="requests",
            before=14.0,
            after=12.0,
            reason="lowered step by step: 14 TFLOPS -> 12 TFLOPS",
        ),
        **overrides,
    )


def _or(values, fallback):
    return np.where(np.isfinite(values), values, fallback)


def _float(value):
    return NAN if value is None else float(value)
