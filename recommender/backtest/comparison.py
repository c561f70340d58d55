"""Two policies on the same usage: which is better, by what, and for whom.

Less slack can always be had for more violation, so neither alone says which policy is better.  The
pinball loss weighs both: it is least for the quantile of use that a layer is meant to cover.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender.backtest.scores import hours, pinball_volume
from recommender.decision import Layer
from recommender.errors import ContractError

if TYPE_CHECKING:
    from recommender.backtest.fleet import BacktestResult
    from recommender.observation import Floats, Ints
    from recommender.resources import Resource

LEVELS = {Layer.REQUESTS: 0.95, Layer.LIMITS: 0.99, Layer.REPLICAS: 0.99}
"""Share of time in which use should stay below an amount of each layer."""
VRAM_LEVEL = 0.999
"""Of either layer: use above it is refused, and work fails."""


def loss_level(layer: Layer, resource: Resource | None) -> float:
    """Return the level at which amounts are weighed; ``resource`` None: replicas."""
    if resource is None or resource.is_compressible:
        return LEVELS[layer]
    return VRAM_LEVEL


def loss_hours(result: BacktestResult, layer: Layer) -> Floats:
    """Return each workload's pinball loss, ``[W, R]`` in amount-hours; NaN: nothing judged."""
    tally = result.layers[layer].tally
    resources = [None] if layer is Layer.REPLICAS else result.resources
    levels = np.array([loss_level(layer, resource) for resource in resources])
    volume = hours(pinball_volume(tally, levels), result.step_s)
    return np.where(tally.judged > 0, volume, np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Better:
    """Which of two losses is the smaller one."""

    which: int | None
    """0 or 1; None: there is no difference."""
    by_ratio: float
    """By what share of the other one it is smaller, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover:
    """A workload that one policy suits better than the other."""

    row: int
    share: float
    """Change of its loss from the first policy to the second, all layers and resources together,
    as shares of the fleet's use of each."""
    layer: Layer
    """The layer and resource (index) in which it changes most."""
    resource: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two back-tests of one fleet."""

    first: BacktestResult
    second: BacktestResult

    def __post_init__(self) -> None:
        if self.first.workloads != self.second.workloads:
            raise ContractError("two back-tests of different fleets cannot be compared")

    def resource_name(self, layer: Layer, resource: int) -> str:
        """Return the name that a layer's resource is shown under."""
        is_replicas = layer is Layer.REPLICAS
        return "replicas" if is_replicas else self.first.resources[resource].name

    def overall(self) -> Better | None:
        """Return which policy is better for the fleet: each layer and resource weighs the same.

        None where nothing was judged.
        """
        if not any(np.any(judged.tally.judged > 0) for judged in self.first.layers.values()):
            return None
        return better(
            *(
                sum(float(np.nansum(shares)) for shares in self._shares(result).values())
                for result in (self.first, self.second)
            )
        )

    def movers(self, most: int) -> tuple[tuple[Mover, ...], tuple[Mover, ...]]:
        """Return the workloads that gain most, and that lose most, with the second policy."""
        before, after = self._shares(self.first), self._shares(self.second)
        columns = [(layer, r) for layer, shares in after.items() for r in range(shares.shape[1])]
        change = np.concatenate([after[layer] - before[layer] for layer in after], axis=1)
        change = np.nan_to_num(change)
        total = change.sum(axis=1)
        order = np.argsort(total, kind="stable")
        most_changed = np.abs(change).argmax(axis=1)

        def movers(rows: Ints) -> tuple[Mover, ...]:
            return tuple(
                Mover(
                    row=int(row),
                    share=float(total[row]),
                    layer=columns[most_changed[row]][0],
                    resource=columns[most_changed[row]][1],
                )
                for row in rows
            )

        gaining, losing = order[total[order] < 0], order[total[order] > 0][::-1]
        return movers(gaining[:most]), movers(losing[:most])

    def _shares(self, result: BacktestResult) -> dict[Layer, Floats]:
        """Return losses as shares of the fleet's use, so that different units can be added."""
        shares = {}
        for layer, judged in result.layers.items():
            used = hours(judged.tally.used.sum(axis=0), result.step_s)
            with np.errstate(invalid="ignore", divide="ignore"):
                shares[layer] = np.where(used > 0, loss_hours(result, layer) / used, np.nan)
        return shares


def better(first: float, second: float) -> Better:
    """Return which of two losses is smaller, and by what share of the other."""
    if first == second:
        return Better(which=None, by_ratio=0.0)
    which = 0 if first < second else 1
    low, high = sorted((first, second))
    return Better(which=which, by_ratio=1.0 - low / high)
