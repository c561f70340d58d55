"""What workers cost, and how many whole GPUs a recommendation sets free.

Money follows the formula that the TensorFusion operator bills with (``getWorkerRawCost``), so that
a saving agrees with the ``raw_cost`` in the user's own database.  Where a pool has no such price,
the price of one GPU times the larger share of it is an estimate, and is marked so.  Where there is
neither, the cost is NaN: unknown, never zero.  Currencies and rounding belong to the reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from recommender.errors import ContractError
from recommender.observation import Bools, Floats
from recommender.resources import GIB

_FULL = 1.0 + 1e-9
"""Shares that sum up to one GPU within float noise fit on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Prices of one pool and QoS level, in any one currency; or ``[W]`` of them.

    NaN is "no such price".  A price per resource needs both numbers, and wins over the price of a
    whole GPU.
    """

    per_tflops_hour: float | Floats = np.nan
    per_vram_gib_hour: float | Floats = np.nan
    limit_over_request_ratio: float | Floats = 0.0
    """What is charged for the part of a limit above the request, as a share of the price."""
    per_gpu_hour: float | Floats = np.nan
    """One whole GPU for one hour; the fallback."""

    @classmethod
    def of_rows(cls, rows: Sequence[Prices | None]) -> Prices:
        """Return one ``Prices`` of ``[W]`` columns; None is a row without any price."""
        unknown = cls()
        return cls(
            **{
                item.name: np.array(
                    [getattr(row or unknown, item.name) for row in rows], np.float64
                )
                for item in fields(cls)
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCosts:
    """Cost of one worker with all its GPUs, per workload."""

    per_hour: Floats
    """[W]; NaN is unknown."""
    is_estimated: Bools
    """[W] from the price of a whole GPU, not from prices per resource."""


def worker_cost_per_hour(
    *,
    prices: Prices,
    tflops_request: ArrayLike,
    tflops_limit: ArrayLike,
    vram_request_bytes: ArrayLike,
    vram_limit_bytes: ArrayLike,
    compute_share: ArrayLike,
    vram_share: ArrayLike,
    gpu_count: ArrayLike,
    protection_factor: ArrayLike = 1.0,
) -> WorkerCosts:
    """Return what one worker of each workload costs in an hour, ``[W]``.

    Upstream's formula, per device and times ``gpu_count``: request x price, plus (limit - request)
    x price x ``limit_over_request_ratio``, for TFLOPS and for VRAM in GiB, times the factor for
    eviction protection (1 where it does not apply).  A limit of NaN is not set and charges nothing
    above the request; a request of NaN makes the formula's cost unknown.

    Where the formula gives no number: price of one GPU hour x the larger of ``compute_share`` and
    ``vram_share`` (request as a share of one card, 0 to 1; NaN where unknown) x ``gpu_count``.
    All arguments broadcast to ``[W]``; amounts are per device.
    """
    count = np.asarray(gpu_count, np.float64)
    compute = _charged_units(tflops_request, tflops_limit, prices.limit_over_request_ratio)
    vram = _charged_units(vram_request_bytes, vram_limit_bytes, prices.limit_over_request_ratio)
    metered = (
        compute * np.asarray(prices.per_tflops_hour, np.float64)
        + vram / GIB * np.asarray(prices.per_vram_gib_hour, np.float64)
    ) * (count * np.asarray(protection_factor, np.float64))
    # fmax: the share that is known, where only one is.
    share = np.fmax(np.asarray(compute_share, np.float64), np.asarray(vram_share, np.float64))
    estimated = np.asarray(prices.per_gpu_hour, np.float64) * share * count
    metered, estimated = np.broadcast_arrays(np.atleast_1d(metered), np.atleast_1d(estimated))
    is_metered = np.isfinite(metered)
    return WorkerCosts(
        per_hour=np.where(is_metered, metered, estimated),
        is_estimated=~is_metered & np.isfinite(estimated),
    )


def releasable_gpus(
    current_shares: Floats, recommended_shares: Floats, gpu_count: ArrayLike = 1
) -> int:
    """Return how many whole GPUs of one pool a recommendation would set free.

    Both arrays are ``[N, 2]``, one row per worker: the TFLOPS and the VRAM share of one card that
    it requests on each of its ``gpu_count`` (``[N]``, or one for all) devices.  A freed share is no
    money until a GPU is empty, so both states are packed and compared: what better packing alone
    would free is not counted, because no recommendation is needed for it.  Workers with an unknown
    (NaN) share in either state keep their GPUs and are left out.  Never negative.
    """
    if current_shares.shape != recommended_shares.shape:
        raise ContractError(
            f"shares differ in shape: {current_shares.shape} and {recommended_shares.shape}"
        )
    counts = np.broadcast_to(np.asarray(gpu_count, np.int64), (len(current_shares),))
    known = ~np.isnan(current_shares).any(axis=1) & ~np.isnan(recommended_shares).any(axis=1)
    current = gpus_needed(current_shares[known], counts[known])
    return max(0, current - gpus_needed(recommended_shares[known], counts[known]))


def gpus_needed(shares: Floats, gpu_count: ArrayLike = 1) -> int:
    """Return how many GPUs the workers fill when packed first-fit decreasing.

    ``shares`` is ``[N, 2]`` (TFLOPS, VRAM) per worker and device, ``gpu_count`` ``[N]``.  Workers
    on several GPUs come first, then by their larger share; a worker's devices are different GPUs.
    A share above 1 counts as 1, and all must be finite and not negative (``ContractError``).
    First-fit decreasing needs few more GPUs than the best packing (for one resource at most
    11/9 of it + 6/9: Dósa, 2007).
    """
    if shares.ndim != 2 or shares.shape[1] != 2:
        raise ContractError(f"shares must be [N, 2], not {shares.shape}")
    if not (np.isfinite(shares).all() and (shares >= 0).all()):
        raise ContractError("shares must be finite and not negative")
    counts = np.broadcast_to(np.asarray(gpu_count, np.float64), (len(shares),))
    if (counts < 1).any():
        raise ContractError("gpu_count must be at least 1")
    rows = np.column_stack([counts, np.minimum(shares, 1.0)])
    # Replicas are alike: they are placed together, which leaves the packing as it is.
    groups, workers = np.unique(rows, axis=0, return_counts=True)
    largest_first = np.lexsort((-groups[:, 1:].sum(axis=1), -groups[:, 1:].max(axis=1, initial=0)))
    largest_first = largest_first[np.argsort(-groups[largest_first, 0], kind="stable")]
    most = int(counts.sum()) if len(counts) else 0
    free = np.full((most, 2), _FULL)
    used = 0
    for i in largest_first:
        used = _place(free, used, groups[i, 1:], int(workers[i]), devices=int(groups[i, 0]))
    return used


def _place(free: Floats, used: int, share: Floats, workers: int, *, devices: int) -> int:
    """Place like workers on the first GPUs that hold them; return how many GPUs are in use.

    ``free`` [M, 2] is changed in place; rows from ``used`` on are empty GPUs.
    """
    room = _room(free[:used], share)
    if devices == 1:
        before = np.concatenate([[0.0], np.cumsum(room)[:-1]]) if used else np.zeros(0)
        taken = np.clip(workers - before, 0.0, room)
        free[:used] -= taken[:, None] * share
        left = workers - int(taken.sum())
        each = int(min(_room(np.full((1, 2), _FULL), share)[0], max(left, 1)))
        new = -(-left // each)
        if new:
            on_new = np.full(new, each)
            on_new[-1] = left - each * (new - 1)
            free[used : used + new] -= on_new[:, None] * share
        return used + new
    for _ in range(workers):
        fits = np.flatnonzero(_room(free[:used], share) >= 1)[:devices]
        new = devices - len(fits)
        free[fits] -= share
        free[used : used + new] -= share
        used += new
    return used


def _room(free: Floats, share: Floats) -> Floats:
    """Return [M] how many shares fit into each GPU; infinite for a share of nothing."""
    room = np.full(len(free), np.inf)
    for column in range(2):
        if share[column] > 0:
            room = np.minimum(room, np.floor(free[:, column] / share[column]))
    return room


def _charged_units(request: ArrayLike, limit: ArrayLike, ratio: ArrayLike) -> Floats:
    requested = np.asarray(request, np.float64)
    bound = np.asarray(limit, np.float64)
    above = np.where(np.isnan(bound), 0.0, bound - requested)
    units: Floats = requested + above * np.asarray(ratio, np.float64)
    return units
