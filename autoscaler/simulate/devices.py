"""How workers behave on their devices from moment to moment: load, start-up, VRAM, denials.

Pure functions on the table of slots; the cluster owns the table and the clock.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.simulate.granting import grant
from autoscaler.simulate.placement import Cards
from autoscaler.simulate.slots import Slots
from recommender.observation import Bools, Floats, Ints
from recommender.resources import MIB

LOADED_AFTER = 0.5
"""Share of the start-up after which the model is in VRAM and warm-up begins."""
WARM_UP_OF_LIMIT = 0.7
"""TFLOPS of the warm-up, as a share of the limit."""
EMPTY_BYTES = 300 * MIB
"""A process that has made a context and loaded nothing yet."""
_UNEVEN = 0.15
_GOLDEN = 0.618034


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What happened in ``[S]`` moments on ``[D]`` slots."""

    used: Floats
    share: Floats
    throttled_ratio: Floats
    resident: Floats
    denied: Floats
    ready_s: Ints
    """[D] a worker that cannot load its model does not become ready."""


def run(
    slots: Slots,
    cards: Cards,
    ts: Ints,
    step_s: int,
    tflops: Floats,
    vram_bytes: Floats,
    is_shared: Bools,
) -> Course:
    """Run the slots over the moments ``ts``, which are ``step_s`` apart.

    ``tflops`` and ``vram_bytes`` are the demand of each workload, ``[S, W]``; ``is_shared`` says
    which workloads ``[W]`` share theirs over their ready workers.
    """
    resident, denied, ready_s = _memory(slots, cards, ts, step_s, vram_bytes)
    is_ready = ready_s <= ts[:, None]
    demand = _demand(slots, ts, tflops, is_ready, is_shared)
    used, share = grant(
        demand, slots.request[:, 0], slots.limit[:, 0], slots.qos, slots.card, cards.capacity[:, 0]
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        throttled = np.where(demand > used, 1.0 - used / demand, 0.0)
    return Course(
        used=used,
        share=share,
        throttled_ratio=throttled,
        resident=resident,
        denied=denied,
        ready_s=ready_s,
    )


def _demand(slots: Slots, ts: Ints, tflops: Floats, is_ready: Bools, is_shared: Bools) -> Floats:
    """Return what each slot would use, ``[S, D]``: shared load unevenly, as balancers do."""
    unevenness = 1.0 + _UNEVEN * ((slots.worker * _GOLDEN) % 1.0 - 0.5)
    counted = is_ready * unevenness * (slots.device == 0)
    of_workload = np.zeros((len(slots), tflops.shape[1]))
    of_workload[np.arange(len(slots)), slots.workload] = 1.0
    total = (counted @ of_workload)[:, slots.workload]
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.where(total > 0, is_ready * unevenness / total, 0.0)
    part = np.where(is_shared[slots.workload], part, is_ready)
    # Devices of one worker are not equally busy; the first one is the busiest.
    demand = tflops[:, slots.workload] * part * (1.0 - 0.03 * slots.device)
    warms_up = ~is_ready & (_progress(slots, ts) >= LOADED_AFTER)
    return np.where(warms_up, WARM_UP_OF_LIMIT * slots.limit[:, 0], demand)


def _progress(slots: Slots, ts: Ints) -> Floats:
    """Return the share of its start-up that each worker has behind it, ``[S, D]``."""
    duration_s = np.maximum(slots.ready_s - slots.started_s, 1)
    return np.asarray((ts[:, None] - slots.started_s) / duration_s, np.float64)


def _memory(
    slots: Slots, cards: Cards, ts: Ints, step_s: int, vram_bytes: Floats
) -> tuple[Floats, Floats, Ints]:
    """Return VRAM in use and refused allocations, ``[S, D]``, and when workers become ready.

    An allocation above the limit, or above what the card has left, is refused: the worker keeps
    what it holds, and gets what it requested.  A worker that cannot load its model keeps trying
    and does not become ready.
    """
    loads = _progress(slots, ts) >= LOADED_AFTER
    is_running = (slots.ready_s <= ts[:, None]) | loads
    wanted = np.where(np.isnan(slots.opaque_bytes), vram_bytes[:, slots.workload],
                      slots.opaque_bytes)  # fmt: skip
    wanted = np.where(is_running, wanted, np.minimum(wanted, EMPTY_BYTES))
    limit, request = slots.limit[:, 1], slots.request[:, 1]
    held, ready_s = slots.resident, slots.ready_s
    resident, denied = np.empty(wanted.shape), np.zeros(wanted.shape)
    for s, moment in enumerate(ts):
        refused = wanted[s] > limit
        proposed = np.where(refused, held, wanted[s])
        on_card = np.bincount(slots.card, proposed, minlength=len(cards.capacity))
        is_full = (on_card > cards.capacity[:, 1])[slots.card]
        crowded = is_full & (proposed > held) & (proposed > request)
        # What is requested is reserved on the card, so only what goes beyond it can be refused.
        held = np.where(crowded, np.maximum(held, request), proposed)
        resident[s] = held
        denied[s] = refused | crowded
        cannot_start = (refused | crowded) & (ready_s >= moment) & is_running[s]
        ready_s = np.where(cannot_start, np.maximum(ready_s, moment + 1 + step_s), ready_s)
    return resident, denied, ready_s
