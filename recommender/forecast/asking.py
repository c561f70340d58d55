"""Which forecasts the policies of a fleet ask for: the streams, their rows, and what each row asks.

A stream looks a fixed time ahead, so that its rows are forecast together; periods are rounded up to
one of a few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from recommender.decision import Layer
from recommender.forecast.asked import Asked, StreamKey
from recommender.forecast.experts.boosting import BOOSTING
from recommender.forecast.experts.histogram import HISTOGRAMS
from recommender.forecast.forecaster import EXPERTS, allowed_by_default
from recommender.forecast.models import ModelName
from recommender.policy.table import MODEL_NAMES
from recommender.usage.blocks import BLOCK_S
from recommender.usage.peaks import HOUR_S
from recommender.usage.quality import SATURATION_ROOM

if TYPE_CHECKING:
    from recommender.observation import Bools, Floats, Ints
    from recommender.policy.table import LimitColumns, PolicyTable, ReplicaColumns, RequestColumns
    from recommender.resources import Resource

VRAM_LEVEL = 0.999
"""Of minutes: what does not fit fails."""
REPLICAS_LEVEL = 0.99
AFTER_STARTUP_S = 300
"""A worker that was added has to serve for a while."""
AHEAD_S: Mapping[Layer, tuple[int, ...]] = {
    Layer.LIMITS: (300, 600, 1800, 3600),
    Layer.REQUESTS: (HOUR_S, 3 * HOUR_S, 6 * HOUR_S, 12 * HOUR_S, 24 * HOUR_S),
    Layer.REPLICAS: (300, 600, 900, 1800, 3600),
}
"""How far ahead a stream looks: the smallest that is no less than the period, else the largest."""
EXPERTS_OF = {
    ModelName.HISTOGRAM: HISTOGRAMS,
    ModelName.SEASONAL: ("seasonal",),
    ModelName.HOLT_WINTERS: ("holt-winters",),
    ModelName.RIDGE: ("ridge",),
    ModelName.GBM: BOOSTING,
}
"""Models by name to the experts that count; the others leave the choice to the scores."""

STAYS_RATIO = 1.25
"""A start has to be so much shorter than a distance allows before the next smaller one is taken."""
Asking = dict[StreamKey, tuple["Ints", Asked]]
"""Of each stream the positions of its rows in the table, ascending, and what each of them asks."""


def asked_of_streams(
    policies: PolicyTable, resources: Sequence[Resource], is_first: Bools, replicas_ahead_s: Ints
) -> Asking:
    """Return what the rows of a table ask for.

    ``is_first`` ``[W]`` are the rows that carry the replicas of their workload;
    ``replicas_ahead_s`` ``[W]`` is what ``ahead_of_replicas`` returns.
    """
    found: Asking = {}
    for r, resource in enumerate(resources):
        found |= _of_limits(policies.limits, r, resource)
        found |= _of_requests(policies.requests, r, resource)
    compressible = [r for r, resource in enumerate(resources) if resource.is_compressible]
    if compressible:
        found |= _of_replicas(policies.replicas, compressible[0], is_first, replicas_ahead_s)
    return found


def ahead_of(layer: Layer, period_s: int) -> int:
    """Return how far ahead a layer looks, in seconds, where its policy says ``period_s``."""
    return int(_ahead_s(layer, np.array([period_s]))[0])


def ahead_of_replicas(rule: ReplicaColumns, startup_s: Floats, before_s: Ints) -> Ints:
    """Return how far ahead the demand of each workload is forecast, ``[W]`` in seconds.

    ``startup_s`` is how long workers take to start, NaN where that is not known, and ``before_s``
    how far it was until now (0: not at all): a start that takes a little less than before leaves it
    as it is, for what was learned of one distance says little of another.
    """
    period_s = rule.prediction_period_s
    least_s = np.nan_to_num(startup_s) + AFTER_STARTUP_S
    ahead_s, stays_s = (
        _ahead_s(Layer.REPLICAS, np.maximum(period_s, (ratio * least_s).astype(np.int64)))
        for ratio in (1.0, STAYS_RATIO)
    )
    return np.where(before_s > ahead_s, np.minimum(before_s, stays_s), ahead_s)


def _of_limits(rule: LimitColumns, r: int, resource: Resource) -> Asking:
    level = rule.percentile[:, r] if resource.is_compressible else VRAM_LEVEL
    risk = _risk(rule, r, resource)
    # a limit has that room above its forecast before anything is ignored
    kept_ratio = 1.0 - (1.0 - rule.ignored_delta[:, r]) / SATURATION_ROOM
    asked = _asked(rule, r, BLOCK_S, level, risk, kept_ratio)
    asks = (rule.predicts[:, r] | ~np.isnan(risk)) & ~rule.is_asked_only[:, r]
    return _by_ahead(StreamKey(Layer.LIMITS, r, 0), asks, rule.prediction_period_s[:, r], asked)


def _of_requests(rule: RequestColumns, r: int, resource: Resource) -> Asking:
    level = np.minimum(rule.percentile[:, r], VRAM_LEVEL)
    risk = _risk(rule, r, resource)
    asked = _asked(rule, r, HOUR_S, level, risk, rule.update_threshold[:, r])
    asks = (rule.predicts[:, r] | ~np.isnan(risk)) & ~rule.is_asked_only[:, r]
    return _by_ahead(StreamKey(Layer.REQUESTS, r, 0), asks, rule.prediction_period_s[:, r], asked)


def _of_replicas(rule: ReplicaColumns, r: int, is_first: Bools, ahead_s: Ints) -> Asking:
    nothing = np.full(len(is_first), np.nan)
    asked = _asked(rule, None, BLOCK_S, REPLICAS_LEVEL, nothing, np.zeros(len(nothing)))
    asks = rule.predicts & is_first & ~rule.is_asked_only
    return _by_ahead(StreamKey(Layer.REPLICAS, r, 0), asks, ahead_s, asked)


def _risk(rule: LimitColumns | RequestColumns, r: int, resource: Resource) -> Floats:
    """Return the share of minutes that may lie above; VRAM has none, for what lies above fails."""
    stated = rule.risk_target[:, r]
    return stated if resource.is_compressible else np.full(len(stated), np.nan)


def _asked(
    rule: LimitColumns | RequestColumns | ReplicaColumns,
    r: int | None,
    block_s: int,
    level: Floats | float,
    risk: Floats,
    kept_ratio: Floats,
) -> Asked:
    """Return what one column of a rule asks for, of all rows."""
    column = ... if r is None else (slice(None), r)
    models = rule.prediction_model[column]
    is_histogram = models == MODEL_NAMES.index(ModelName.HISTOGRAM)
    return Asked(
        level=np.broadcast_to(np.asarray(level, np.float64), len(risk)).copy(),
        risk=risk,
        predicts=rule.predicts[column] & ~is_histogram,
        model=models,
        allowed=_allowed(models),
        reach=np.maximum(rule.prediction_history_s[column] // block_s, 1),
        kept_ratio=kept_ratio,
    )


def _allowed(models: Ints) -> Bools:
    """Return which experts count for series that ask for these models, ``[E, S]``."""
    allowed = allowed_by_default(len(models))
    for name, experts in EXPERTS_OF.items():
        counts = np.isin(EXPERTS, experts)
        allowed[:, models == MODEL_NAMES.index(name)] = counts[:, None]
    return allowed


def _by_ahead(of: StreamKey, asks: Bools, period_s: Ints, asked: Asked) -> Asking:
    """Return a stream for each time ahead that is asked for."""
    ahead_s = _ahead_s(of.layer, period_s)
    found: Asking = {}
    for ahead in np.unique(ahead_s[asks]).tolist():
        position = np.flatnonzero(asks & (ahead_s == ahead))
        found[of._replace(ahead_s=ahead)] = (position, asked.of(position))
    return found


def _ahead_s(layer: Layer, period_s: Ints) -> Ints:
    choices = np.array(AHEAD_S[layer])
    return np.asarray(choices[np.minimum(np.searchsorted(choices, period_s), len(choices) - 1)])
