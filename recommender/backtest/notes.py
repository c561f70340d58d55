"""What a back-test says beside its figures: models that did not count, decisions that come late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from recommender.decision import Layer
from recommender.forecast.absence import Absence, absence_sentence
from recommender.forecast.asking import ahead_of
from recommender.policy.table import dimension_of
from recommender.sentences import counted, duration

if TYPE_CHECKING:
    from recommender.forecast.models import ModelName
    from recommender.forecast.promises import ForecastEvidence
    from recommender.observation import Ints
    from recommender.policy.model import Policy
    from recommender.resources import Resource

MOST_NAMED = 5
"""Workloads that a note names."""
Absences = Mapping[Layer, "Ints"]
"""Of each layer the ``Absence``, ``[W, R]``; of replicas ``[W, 1]``."""


def absences_of(evidence: ForecastEvidence) -> dict[Layer, Ints]:
    """Return what is absent in each layer."""
    return {
        Layer.REQUESTS: evidence.requests.absence,
        Layer.LIMITS: evidence.limits.absence,
        Layer.REPLICAS: evidence.replicas.absence,
    }


def absence_notes(
    policies: Sequence[Policy],
    workloads: Sequence[tuple[str, str]],
    resources: Sequence[Resource],
    absences: Absences,
) -> tuple[str, ...]:
    """Return one sentence for each model that did not count and reason, with who asked for it."""
    found: dict[tuple[ModelName, Absence], dict[str, None]] = {}
    for layer, table in absences.items():
        for row, column in np.argwhere(table != Absence.NONE).tolist():
            model = _asked(policies[row], layer, resources, column)
            names = found.setdefault((model, Absence(int(table[row, column]))), {})
            names["/".join(workloads[row])] = None
    return tuple(
        f"{absence_sentence(*reason).rstrip('.')} ({_listed(list(names))})"
        for reason, names in found.items()
    )


def late_decision_notes(
    policies: Sequence[Policy],
    workloads: Sequence[tuple[str, str]],
    steps_s: Mapping[Layer, int],
) -> tuple[str, ...]:
    """Return one sentence for each layer whose forecasts look less far than a decision lasts.

    ``steps_s`` is the time between the decisions of each layer.
    """
    found: dict[tuple[Layer, int], list[str]] = {}
    for policy, key in zip(policies, workloads, strict=True):
        for layer, step_s in steps_s.items():
            ahead_s = _shortest_ahead_s(policy, layer)
            if ahead_s is not None and ahead_s < step_s:
                found.setdefault((layer, ahead_s), []).append("/".join(key))
    return tuple(
        f"{layer.name.capitalize()} are decided every {duration(steps_s[layer])} and forecast "
        f"{duration(ahead_s)} ahead: of later minutes nothing is forecast and no risk is promised "
        f"({_listed(names)})"
        for (layer, ahead_s), names in found.items()
    )


def _shortest_ahead_s(policy: Policy, layer: Layer) -> int | None:
    """Return how far the forecasts of a layer look that looks least far; None: it asks for none."""
    if layer is Layer.REPLICAS:
        prediction = policy.replicas.prediction
        return ahead_of(layer, prediction.period_s) if prediction.enabled else None
    rules = policy.requests if layer is Layer.REQUESTS else policy.limits
    asking = [each for each in rules.values() if each.prediction.enabled or each.risk_target]
    return min((ahead_of(layer, each.prediction.period_s) for each in asking), default=None)


def _asked(policy: Policy, layer: Layer, resources: Sequence[Resource], column: int) -> ModelName:
    if layer is Layer.REPLICAS:
        return policy.replicas.prediction.model
    dimension = dimension_of(resources[column])
    rules = policy.requests if layer is Layer.REQUESTS else policy.limits
    return rules[dimension].prediction.model


def _listed(names: Sequence[str]) -> str:
    more = " and more" if len(names) > MOST_NAMED else ""
    return f"{counted(len(names), 'workload')}: {', '.join(names[:MOST_NAMED])}{more}"
