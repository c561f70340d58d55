"""What a tick decided, as the columns that its showing needs.  Arrays over all rows at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.scaling.cluster import Amounts, amounts
from autoscaler.scaling.live.amount_units import in_tflops
from autoscaler.scaling.live.status.desired_amounts import SIDES
from recommender.amounts import ResourceAmounts
from recommender.decision import CODES_BY_NUMBER, Code

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from recommender.decision import Decisions
    from recommender.observation import Bools, Floats, Ints
    from recommender.resources import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class TickColumns:
    """``W`` rows; ``N`` resources that the API can carry."""

    names: tuple[str, ...]
    """Of the resources."""
    targets: Floats
    """[W, 2N]: requests, then limits; NaN where nothing is recommended."""
    next: Floats
    """[W, 2N]: what was decided now for running workers; NaN where earlier decisions stand."""
    verdict: Ints
    """[W]: 0 where something is recommended, else the number of the ``Code`` that says why not."""
    is_stale: Bools
    """[W]"""

    @classmethod
    def of(cls, decisions: Decisions, resources: Sequence[Resource]) -> TickColumns:
        """Return the columns of a tick."""
        known = [i for i, resource in enumerate(resources) if resource.is_known]
        targets = np.hstack([decisions.target_request[:, known], decisions.target_limit[:, known]])
        unknown = np.hstack(
            [decisions.unknown_request[:, known], decisions.unknown_limit[:, known]]
        ).astype(np.int64)
        has_target = np.isfinite(targets)
        first = np.where(unknown > 0, unknown, Code.NotDecidedYet.number)
        reason = first.min(axis=1, initial=Code.NotDecidedYet.number)
        following = np.hstack([decisions.next_request[:, known], decisions.next_limit[:, known]])
        is_decided = np.hstack(
            [decisions.is_decided_request[:, known], decisions.is_decided_limit[:, known]]
        )
        is_stale = decisions.is_stale[:, known] & np.isfinite(decisions.target_request[:, known])
        return cls(
            names=tuple(resources[i].name for i in known),
            targets=targets,
            next=np.where(is_decided, following, np.nan),
            verdict=np.where(has_target.any(axis=1), 0, reason),
            is_stale=np.asarray(is_stale.any(axis=1), np.bool_),
        )

    def targets_of(self, row: int) -> tuple[Amounts, Amounts]:
        """Return the recommended request and limit of a row."""
        return self._amounts(self.targets[row])

    def next_of(self, row: int) -> tuple[Amounts, Amounts]:
        """Return the request and the limit of a row that were decided now."""
        return self._amounts(self.next[row])

    def unknown_of(self, rows: Sequence[int]) -> Code | None:
        """Return why nothing is recommended for these rows; None where something is."""
        number = int(self.verdict[list(rows)].min())
        return CODES_BY_NUMBER[number] if number else None

    def values_in(self, recommendation: Mapping[str, Any], card: Amounts) -> list[float]:
        """Return a recommendation of the API as a row of ``targets``."""
        values = []
        for side in SIDES:
            read, _ = ResourceAmounts.from_mapping(recommendation.get(side) or {}, side)
            found = in_tflops(amounts(read.base_units()), card)
            values += [found.get(name, np.nan) for name in self.names]
        return values

    def _amounts(self, values: Floats) -> tuple[Amounts, Amounts]:
        request, limit = np.split(values, 2)
        return self._known(request), self._known(limit)

    def _known(self, values: Floats) -> Amounts:
        pairs = zip(self.names, values.tolist(), strict=True)
        return amounts({name: value for name, value in pairs if np.isfinite(value)})
