"""What a fleet costs now and as recommended, and what would become free.

Everything here is per workload, because one worker's resources are paid for together: a report
carries the result on one item per workload.  Only changes that a verdict asks for count, and the
number of workers is the one of now: vertical and horizontal savings overlap and are never added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender.observation import Bools, Floats
from recommender.pricing import Prices, gpus_needed, releasable_gpus, worker_cost_per_hour
from recommender.report.blocks import HOURS_PER_MONTH, Money
from recommender.report.model import PoolTotals
from recommender.report.rounding import rounded
from recommender.resources import COMPUTE_PERCENT, TFLOPS, VRAM

if TYPE_CHECKING:
    from recommender.decision import Decisions
    from recommender.observation import Observation
    from recommender.report.subject import Subject

_FULL_PERCENT = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetMoney:
    """Per row: money, and the resource whose item carries it; per pool: whole GPUs."""

    money: tuple[Money | None, ...]
    carrier: tuple[str, ...]
    """Name of the resource that holds the largest share of a device."""
    pools: tuple[PoolTotals, ...]


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Requests and limits of all rows in one state, ``[W]`` each; NaN where nothing is set."""

    tflops: Floats
    tflops_limit: Floats
    vram: Floats
    vram_limit: Floats
    shares: Floats
    """[W, 2] compute and VRAM request as shares of one device."""


def workers_of(observation: Observation) -> Floats:
    """Return the number of workers per row: wanted replicas, else those that run now.

    Replicas of a workload on several GPU models are not known per model; there those that run on
    each count, at least one.
    """
    rows = np.arange(observation.shape[0])
    counted = np.bincount(observation.workloads.replica_row, minlength=len(rows))
    shares_replicas = counted[observation.workloads.replica_row] > 1
    replicas = np.where(shares_replicas, np.nan, observation.workloads.replicas)
    running = np.bincount(observation.workers.workload_row, minlength=len(rows))
    return np.where(np.isfinite(replicas), replicas, np.maximum(running, 1))


def fleet_money(
    subjects: Sequence[Subject],
    observation: Observation,
    decisions: Decisions,
    adopted: Bools,
    workers: Floats,
) -> FleetMoney:
    """Price every row.  ``adopted`` [W, R] says which recommendations a verdict asks for."""
    now, right = _before_and_after(observation, decisions, adopted)
    costs_now, is_estimated = _costs(subjects, observation, now)
    costs_right, _ = _costs(subjects, observation, right)
    # Where nothing can be recommended, "no saving" would be a claim.
    is_known = np.isfinite(decisions.target_request) | np.isfinite(decisions.target_limit)
    costs_right = np.where(is_known.any(axis=1), costs_right, np.nan)
    devices = observation.workloads.gpu_count * workers
    with np.errstate(invalid="ignore"):
        freed = (np.fmax(*now.shares.T) - np.fmax(*right.shares.T)) * devices
        freed = np.where(is_known.any(axis=1), freed, np.nan)
    money = tuple(
        _money(subject, float(before), float(after), bool(estimated), float(share))
        for subject, before, after, estimated, share in zip(
            subjects, costs_now * workers, costs_right * workers, is_estimated, freed, strict=True
        )
    )
    pools = _pools(subjects, observation, now.shares, right.shares, workers)
    return FleetMoney(money=money, carrier=_carriers(now), pools=pools)


def held_shares(observation: Observation) -> Floats:
    """Return [W] the largest share of one device that the requests in force hold; NaN: unknown."""
    work = observation.workloads
    request = np.where(np.isfinite(work.request), work.request, work.limit)
    held: Floats = np.fmax(*_sizes(observation, request, work.limit).shares.T)
    return held


def _before_and_after(
    observation: Observation, decisions: Decisions, adopted: Bools
) -> tuple[_Sizes, _Sizes]:
    """Return the sizes in force, and the same with the adopted recommendations in their place."""
    work = observation.workloads
    # A request that is not set is taken from the limit, as at admission.
    request = np.where(np.isfinite(work.request), work.request, work.limit)
    is_adopted = adopted & np.isfinite(request)
    target_request, target_limit = decisions.target_request, decisions.target_limit
    takes_request = is_adopted & np.isfinite(target_request)
    takes_limit = is_adopted & np.isfinite(target_limit)
    return _sizes(observation, request, work.limit), _sizes(
        observation,
        np.where(takes_request, target_request, request),
        np.where(takes_limit, target_limit, work.limit),
    )


def _carriers(now: _Sizes) -> tuple[str, ...]:
    """Return per row the name of the resource that holds the larger share of a device."""
    compute, vram = np.nan_to_num(now.shares, nan=-1.0).T
    has_tflops = np.isfinite(now.tflops)
    return tuple(
        VRAM.name if is_vram else TFLOPS.name if is_tflops else COMPUTE_PERCENT.name
        for is_vram, is_tflops in zip(vram > compute, has_tflops, strict=True)
    )


def _sizes(observation: Observation, request: Floats, limit: Floats) -> _Sizes:
    rows = observation.shape[0]
    columns = {resource.name: i for i, resource in enumerate(observation.resources)}
    nothing = np.full(rows, np.nan)

    def column(table: Floats, name: str) -> Floats:
        return table[:, columns[name]] if name in columns else nothing

    card = observation.workloads.card
    tflops, percent = column(request, TFLOPS.name), column(request, COMPUTE_PERCENT.name)
    by_tflops = tflops / column(card, TFLOPS.name)
    compute = np.where(np.isfinite(by_tflops), by_tflops, percent / _FULL_PERCENT)
    vram = column(request, VRAM.name)
    return _Sizes(
        tflops=tflops,
        tflops_limit=column(limit, TFLOPS.name),
        vram=vram,
        vram_limit=column(limit, VRAM.name),
        shares=np.column_stack([compute, vram / column(card, VRAM.name)]),
    )


def _costs(
    subjects: Sequence[Subject], observation: Observation, sizes: _Sizes
) -> tuple[Floats, Bools]:
    costs = worker_cost_per_hour(
        prices=Prices.of_rows([subject.row_prices() for subject in subjects]),
        tflops_request=sizes.tflops,
        tflops_limit=sizes.tflops_limit,
        vram_request_bytes=sizes.vram,
        vram_limit_bytes=sizes.vram_limit,
        compute_share=sizes.shares[:, 0],
        vram_share=sizes.shares[:, 1],
        gpu_count=observation.workloads.gpu_count,
    )
    return costs.per_hour, costs.is_estimated


def _money(
    subject: Subject, before: float, after: float, estimated: bool, freed: float
) -> Money | None:
    current, recommended = rounded(before, 6), rounded(after, 6)
    freed_gpus = rounded(freed, 4)
    if current is None and freed_gpus is None:
        return None
    saving = None
    if current is not None and recommended is not None:
        saving = rounded((before - after) * HOURS_PER_MONTH, 6)
    return Money(
        current_per_hour=current,
        recommended_per_hour=recommended,
        saving_per_month=saving,
        price_source=(subject.price_source or None) if current is not None else None,
        is_estimated=estimated and current is not None,
        freed_gpus=freed_gpus,
    )


def _pools(
    subjects: Sequence[Subject],
    observation: Observation,
    now: Floats,
    right: Floats,
    workers: Floats,
) -> tuple[PoolTotals, ...]:
    rows_of: dict[tuple[str, str], list[int]] = {}
    for i, subject in enumerate(subjects):
        key = subject.pool, observation.workloads.gpu_model[i]
        rows_of.setdefault(key, []).append(i)
    totals = []
    for (pool, gpu_model), members in rows_of.items():
        rows = np.array(members)
        counts = workers[rows].astype(np.int64)
        known = np.isfinite(now[rows]).all(axis=1) & np.isfinite(right[rows]).all(axis=1)
        kept, repeats = rows[known], counts[known]
        devices = np.repeat(observation.workloads.gpu_count[kept], repeats)
        before, after = (
            np.repeat(now[kept], repeats, axis=0),
            np.repeat(right[kept], repeats, axis=0),
        )
        has_any = len(before) > 0
        totals.append(
            PoolTotals(
                pool=pool or None,
                gpu_model=gpu_model or None,
                workers=int(counts.sum()),
                gpus_now=gpus_needed(before, devices) if has_any else None,
                releasable_gpus=releasable_gpus(before, after, devices) if has_any else None,
            )
        )
    return tuple(totals)
