"""Which cards have room: capacity, what requests hold of it, where a worker fits best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.simulate.fleet import gpu_model
from recommender.observation import Bools, Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscaler.simulate.fleet import CardGroup, SimulatedWorkload
    from autoscaler.simulate.slots import Slots

_SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class Cards:
    """All cards; ``capacity`` is ``[C, 2]`` (TFLOPS, VRAM bytes)."""

    pool: tuple[str, ...]
    gpu_model: tuple[str, ...]
    capacity: Floats

    def suiting(self, workload: SimulatedWorkload) -> Bools:
        """Return which cards a workload may run on."""
        name = gpu_model(workload.gpu_model).name
        return np.array(
            [
                pool == workload.pool and model == name
                for pool, model in zip(self.pool, self.gpu_model, strict=True)
            ],
            bool,
        )


def cards_of(groups: Sequence[CardGroup]) -> Cards:
    """Return the cards of all groups."""
    rows = [
        (group.pool, gpu_model(group.gpu_model)) for group in groups for _ in range(group.count)
    ]
    return Cards(
        pool=tuple(pool for pool, _ in rows),
        gpu_model=tuple(model.name for _, model in rows),
        capacity=np.array([[model.fp16_tflops, model.vram_bytes] for _, model in rows], float),
    )


def free_requests(cards: Cards, slots: Slots) -> Floats:
    """Return what of each card is not requested, ``[C, 2]``."""
    held = np.zeros_like(cards.capacity)
    np.add.at(held, slots.card, slots.request)
    free: Floats = cards.capacity - held
    return free


def best_cards(free: Floats, capacity: Floats, suits: Bools, request: Floats, count: int) -> Ints:
    """Return ``count`` cards that a worker fits on, the fullest first; empty where it fits not."""
    fits = suits & (free >= request * (1.0 - _SLACK)).all(axis=1)
    candidates = np.flatnonzero(fits)
    if len(candidates) < count:
        return np.empty(0, np.int64)
    fullness = (free[candidates] / capacity[candidates]).sum(axis=1)
    return candidates[np.argsort(fullness, kind="stable")[:count]].astype(np.int64)


def largest_placeable(cards: Cards, free: Floats, suits: Sequence[Bools], slots: Slots) -> Floats:
    """Return the largest request that some suiting card could hold, ``[W, 2]``.

    A workload's own share of a card counts as free for it.
    """
    largest = np.array([free[mask].max(axis=0, initial=0.0) for mask in suits])
    np.maximum.at(largest, slots.workload, free[slots.card] + slots.request)
    whole = np.array([cards.capacity[mask].max(axis=0) for mask in suits])
    return np.asarray(np.minimum(largest, whole), np.float64)
