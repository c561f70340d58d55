"""What a report knows of a workload besides what ``decide`` sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from recommender.pricing import Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One row of the observation: who owns it, what it is paid with, where its values came from."""

    owner: str = ""
    """Kind and name, for example ``Deployment/chat``; empty where unknown."""
    pool: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels to group by."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """``tflops-request``, ``vram-limit``, ``replicas`` and so on to the stated value's origin."""
    in_force_sources: Mapping[str, str] = field(default_factory=dict)
    """The same keys to where the value in force was seen, where it is not what is stated."""
    price_per_gpu_hour: float | None = None
    prices: Prices | None = None
    """Prices per resource, which win over ``price_per_gpu_hour``."""
    price_source: str = ""
    """Where the price came from, for example ``workloads file``."""
    promql: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Resource name to the exact queries that repeat its evidence."""

    def row_prices(self) -> Prices | None:
        """Return the prices of this row; None where there is none."""
        from recommender.pricing import Prices

        if self.price_per_gpu_hour is None:
            return self.prices
        if self.prices is None:
            return Prices(per_gpu_hour=self.price_per_gpu_hour)
        if np.isnan(self.prices.per_gpu_hour):
            return replace(self.prices, per_gpu_hour=self.price_per_gpu_hour)
        return self.prices
