"""A policy that takes part in a back-test, alone or beside others on the same usage.

Policies go through ``decide``, as live; a rule of another autoscaler through its own histograms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from recommender.decision import Layer
from recommender.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recommender.backtest.actuation import InForce
    from recommender.backtest.rules import Rule
    from recommender.observation import Floats, Workloads
    from recommender.policy.model import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """Policies of all workloads, or one rule for all of them; neither: what is stated stays."""

    name: str
    policies: tuple[Policy, ...] | None = None
    """In the order of the fleet's workloads."""
    rule: Rule | None = None

    def of_rows(self, rows: Sequence[int]) -> Contender:
        """Return the same of some workloads."""
        if self.policies is None:
            return self
        return replace(self, policies=tuple(self.policies[i] for i in rows))


def stated_amounts(workloads: Workloads, layer: Layer) -> Floats:
    """Return what users declared, ``[W, R]`` (replicas ``[W]``); NaN: nothing.

    A request that is not declared is the limit, as at admission.
    """
    if layer is Layer.REPLICAS:
        return workloads.stated_replicas
    if layer is Layer.LIMITS:
        return workloads.stated_limit
    request, limit = workloads.stated_request, workloads.stated_limit
    return np.where(np.isnan(request), limit, request)


def known_to_all(amounts: Sequence[Mapping[Layer, InForce]]) -> tuple[dict[Layer, InForce], ...]:
    """Return amounts of several policies where all of them have one: NaN in one is NaN in all.

    Policies are judged on the same steps then.  Raises ``ContractError`` where their decisions lie
    at different times.
    """
    jointly: list[dict[Layer, InForce]] = [{} for _ in amounts]
    for layer in amounts[0]:
        own = [each[layer] for each in amounts]
        if any(not np.array_equal(own[0].since_s, other.since_s) for other in own):
            raise ContractError(f"{layer.name.lower()}: amounts in force at different times")
        is_missing = np.logical_or.reduce([np.isnan(each.amounts) for each in own])
        for result, each in zip(jointly, own, strict=True):
            result[layer] = replace(each, amounts=np.where(is_missing, np.nan, each.amounts))
    return tuple(jointly)
