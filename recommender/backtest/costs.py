"""What workers would have held and cost under a policy: money as reports price it.

Requests and limits are paid for together, so a cost belongs to a workload and not to a layer or a
resource.  The number of workers is the measured one, unless replicas were replayed too.  What a
policy does not size is paid for as it is stated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from recommender.backtest.actuation import InForce
from recommender.backtest.contender import stated_amounts
from recommender.backtest.frame import UsageFrame
from recommender.decision import Layer
from recommender.observation import Bools, Floats, Workloads
from recommender.pricing import Prices, worker_cost_per_hour
from recommender.resources import COMPUTE_PERCENT, TFLOPS, VRAM

_FULL_PERCENT = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Of every workload, ``[W]``, over the time in which all compared policies are known."""

    worker_hours: Floats
    gpu_hours: Floats
    """Largest requested share of a device x devices x hours; NaN: a card is not known."""
    money: Floats
    """In the currency of the prices; NaN: no price."""
    is_estimated: Bools
    """From the price of a whole GPU, not from prices per resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What one policy holds at every step, ``[W, T]``; NaN where nothing is stated or decided."""

    workers: Floats
    compute_share: Floats
    vram_share: Floats
    money_per_hour: Floats
    is_estimated: Bools
    is_decided: Bools
    """Every amount that the policy decides at all is decided."""

    @property
    def pattern(self) -> Bools:
        """Which of the two shares a workload holds at any time, ``[W, 2]``."""
        shares = np.stack([self.compute_share, self.vram_share], axis=1)
        return np.asarray(np.isfinite(shares).any(axis=2))


def costs_of(
    frame: UsageFrame,
    workloads: Workloads,
    prices: Sequence[Prices | None],
    amounts: Sequence[Mapping[Layer, InForce]],
) -> tuple[Costs, ...]:
    """Return the costs of several policies over the same time.

    ``prices`` are per workload; ``amounts`` of each policy are in the order of ``workloads``.  A
    workload of which policies hold different resources has no costs that could be compared: NaN.
    """
    held = [_held(frame, workloads, prices, each) for each in amounts]
    is_known = np.logical_and.reduce([each.is_decided & (each.workers > 0) for each in held])
    is_alike = np.logical_and.reduce([(h.pattern == held[0].pattern).all(axis=1) for h in held])
    hours = frame.step_s / 3600.0
    return tuple(_summed(each, is_known, is_alike, workloads, hours) for each in held)


def _summed(
    held: _Held, is_known: Bools, is_alike: Bools, workloads: Workloads, hours: float
) -> Costs:
    weight = np.where(is_known, held.workers, 0.0) * hours
    share: Floats = np.fmax(held.compute_share, held.vram_share) * workloads.gpu_count[:, None]

    def total(rate: Floats) -> Floats:
        is_missing = (np.isnan(rate) & is_known).any(axis=1)
        summed = np.where(is_known, rate * weight, 0.0).sum(axis=1)
        is_usable = is_alike & is_known.any(axis=1) & ~is_missing
        return np.where(is_usable, summed, np.nan)

    return Costs(
        worker_hours=weight.sum(axis=1),
        gpu_hours=total(share),
        money=total(held.money_per_hour),
        is_estimated=np.any(held.is_estimated & is_known, axis=1),
    )


def _held(
    frame: UsageFrame,
    workloads: Workloads,
    prices: Sequence[Prices | None],
    amounts: Mapping[Layer, InForce],
) -> _Held:
    names = [resource.name for resource in frame.resources]

    def over_time(layer: Layer, name: str) -> Floats:
        if name not in names:
            return np.full(workers.shape, np.nan)
        r = names.index(name)
        column = amounts[layer].column(r) if layer in amounts else None
        return _over_time(frame, stated_amounts(workloads, layer)[:, r], column)

    workers = _workers(frame)
    if Layer.REPLICAS in amounts:
        stated = stated_amounts(workloads, Layer.REPLICAS)
        replicas = _over_time(frame, stated, amounts[Layer.REPLICAS])
        workers = np.where((workers > 0) & np.isfinite(replicas), replicas, workers)
    tflops, vram = (over_time(Layer.REQUESTS, each.name) for each in (TFLOPS, VRAM))
    percent = over_time(Layer.REQUESTS, COMPUTE_PERCENT.name)
    of_card = tflops / _card(workloads, names, TFLOPS.name)
    compute_share = np.where(np.isfinite(of_card), of_card, percent / _FULL_PERCENT)
    vram_share = vram / _card(workloads, names, VRAM.name)
    costs = worker_cost_per_hour(
        prices=_per_row(prices),
        tflops_request=tflops,
        tflops_limit=over_time(Layer.LIMITS, TFLOPS.name),
        vram_request_bytes=vram,
        vram_limit_bytes=over_time(Layer.LIMITS, VRAM.name),
        compute_share=compute_share,
        vram_share=vram_share,
        gpu_count=workloads.gpu_count[:, None],
    )
    return _Held(
        workers=workers,
        compute_share=compute_share,
        vram_share=vram_share,
        money_per_hour=costs.per_hour,
        is_estimated=costs.is_estimated,
        is_decided=_is_decided(frame, amounts),
    )


def _over_time(frame: UsageFrame, stated: Floats, in_force: InForce | None) -> Floats:
    """Return an amount at every step, ``[W, T]``: the decided one where it is ever decided."""
    shape = (len(stated), frame.steps)
    if in_force is None:
        return np.broadcast_to(stated[:, None], shape)
    decided = in_force.at(frame.times_s(), np.arange(len(stated))).astype(np.float64)
    is_sized = np.any(np.isfinite(decided), axis=1)
    return np.where(is_sized[:, None], decided, stated[:, None])


def _is_decided(frame: UsageFrame, amounts: Mapping[Layer, InForce]) -> Bools:
    """Return where no amount is yet to come that will be decided later, ``[W, T]``."""
    rows = np.arange(len(frame.workloads))
    is_decided = np.ones((len(rows), frame.steps), np.bool_)
    for each in amounts.values():
        is_ever = np.any(np.isfinite(each.amounts), axis=0)
        is_to_come = np.isnan(each.amounts) & is_ever
        is_missing = np.any(is_to_come, axis=2) if is_to_come.ndim > 2 else is_to_come
        held = replace(each, amounts=np.where(is_missing, np.nan, 1.0))
        is_decided &= np.isfinite(held.at(frame.times_s(), rows))
    return is_decided


def _workers(frame: UsageFrame) -> Floats:
    """Return how many workers of each workload were measured at every step, ``[W, T]``."""
    is_there = ~np.isnan(frame.values).all(axis=0)
    workers = np.zeros((len(frame.workloads), frame.steps))
    np.add.at(workers, frame.row_of_series, is_there)
    return workers


def _card(workloads: Workloads, names: Sequence[str], name: str) -> Floats:
    """Return the capacity of each workload's device, ``[W, 1]``."""
    if name not in names:
        return np.full((len(workloads.workload), 1), np.nan)
    return workloads.card[:, [names.index(name)]]


def _per_row(prices: Sequence[Prices | None]) -> Prices:
    """Return prices as ``[W, 1]`` columns, to be multiplied with amounts over time."""
    rows = Prices.of_rows(prices)
    return Prices(**{f.name: np.asarray(getattr(rows, f.name))[:, None] for f in fields(Prices)})
