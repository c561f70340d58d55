"""Looks into the days of some series for a report: their pattern, and models fitted to them alone.

Both cost milliseconds to seconds a series, where everything else of a report is batched.  They are
made for what asks for forecasts, up to a number, or for what somebody looks at.  Nothing that is
recommended rests on them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from recommender.forecast.models import FITTED_BY_NAME
from recommender.policy.table import dimension_of
from recommender.resources import VRAM
from recommender.usage.blocks import BLOCK_S
from recommender.usage.peaks import HOUR_S
from recommender.usage.store import DAY_S

if TYPE_CHECKING:
    from recommender.forecast.diagnosis import Diagnosis
    from recommender.forecast.named.fit import NamedForecast
    from recommender.forecast.pool import NamedFit
    from recommender.observation import Floats
    from recommender.policy.model import LimitRule, Policy, ReplicaRule, RequestRule
    from recommender.report.hours import Hours
    from recommender.resources import Resource
    from recommender.usage.evidence import Evidence

MOST_PATTERNS = 200
MOST_FITS = 40
FIT_LIMIT_S = 10.0
FITS_OF_ONE_PROCESS = 8
"""A process loads its libraries for as long as some fits take."""
HIGHEST_LEVEL = 0.999
"""Of a fitted model: a maximum, which VRAM asks for, is no quantile."""

Place = tuple[int, int]
"""Row and resource column."""
FitPlace = tuple[int, int, str]
"""Row, resource column and layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnoses:
    """What was found."""

    patterns: Mapping[Place, Diagnosis] = field(default_factory=lambda: MappingProxyType({}))
    fits: Mapping[FitPlace, NamedForecast] = field(default_factory=lambda: MappingProxyType({}))
    span_s: int = 0
    """Of the history that patterns are of."""
    notes: tuple[str, ...] = ()
    """What was left out, for the head of a report."""


NO_DIAGNOSES = Diagnoses()


def diagnosed(
    policies: Sequence[Policy],
    resources: Sequence[Resource],
    evidence: Evidence,
    *,
    clock: Callable[[], float] | None = None,
    rows: Collection[int] | None = None,
    hours: Hours | None = None,
) -> Diagnoses:
    """Return the patterns of series that ask for a forecast, and the models they ask for by name.

    ``rows`` are the only ones looked at, whether they ask or not.  ``clock`` gives seconds that
    never run backwards; without it no model is fitted.  Patterns are of ``hours`` where there are
    some, else of the blocks of the evidence.
    """
    if len(evidence.block_start_s) == 0:
        return NO_DIAGNOSES
    wanted = range(len(policies)) if rows is None else sorted(rows)
    places = [
        (i, r)
        for i in wanted
        for r, resource in enumerate(resources)
        if evidence.points[i, r] > 0 and (rows is not None or asks(policies[i], resource))
    ]
    series = _Series.of(evidence, hours)
    fits = {} if clock is None else _wishes(policies, resources, evidence, places)
    return Diagnoses(
        patterns=_patterns(series, places[:MOST_PATTERNS]),
        fits={} if clock is None else _fitted(fits, clock),
        span_s=series.mean.shape[2] * series.step_s,
        notes=notes_of(places=len(places), fits=len(fits)),
    )


def asks(policy: Policy, resource: Resource) -> bool:
    """Return whether a layer asks for a forecast of a resource, or promises a share of risk."""
    dimension = dimension_of(resource)
    sized = (policy.requests[dimension], policy.limits[dimension])
    return any(rule.prediction.enabled or rule.risk_target is not None for rule in sized) or (
        resource.is_compressible and policy.replicas.prediction.enabled
    )


def fitted_level(rule: RequestRule | LimitRule | ReplicaRule) -> float:
    """Return the quantile that a layer would ask a fitted model for."""
    risk: float | None = getattr(rule, "risk_target", None)
    level: float = getattr(rule, "percentile", HIGHEST_LEVEL) if risk is None else 1.0 - risk
    return min(level, HIGHEST_LEVEL)


class _Series(NamedTuple):
    """What patterns are looked for in."""

    mean: Floats
    """[W, R, T]"""
    step_s: int
    end_s: int

    @classmethod
    def of(cls, evidence: Evidence, hours: Hours | None) -> _Series:
        if hours is not None:
            return cls(hours.mean, HOUR_S, hours.end_s)
        return cls(evidence.block_mean, BLOCK_S, int(evidence.block_start_s[-1]) + BLOCK_S)


def _patterns(series: _Series, places: Sequence[Place]) -> dict[Place, Diagnosis]:
    if not places:
        return {}
    from recommender.forecast.diagnosis import diagnose

    use = np.stack([series.mean[place] for place in places], axis=1).astype(np.float64)
    found = diagnose(use, block_s=series.step_s, end_s=series.end_s)
    return dict(zip(places, found, strict=True))


def _wishes(
    policies: Sequence[Policy],
    resources: Sequence[Resource],
    evidence: Evidence,
    places: Sequence[Place],
) -> dict[FitPlace, NamedFit]:
    """Return every fit that is asked for, by its place."""
    wishes = {}
    for i, r in places:
        dimension = dimension_of(resources[r])
        for layer, rule in (
            ("requests", policies[i].requests[dimension]),
            ("limits", policies[i].limits[dimension]),
        ):
            prediction = rule.prediction
            if prediction.enabled and prediction.model in FITTED_BY_NAME:
                is_mean = layer == "requests" and resources[r].name != VRAM.name
                use = evidence.block_mean if is_mean else evidence.block_max
                wishes[i, r, layer] = _fit(use[i, r].astype(np.float64), rule)
    return wishes


def _fit(use: Floats, rule: RequestRule | LimitRule) -> NamedFit:
    from recommender.forecast.pool import NamedFit

    return NamedFit(
        history=use,
        model=rule.prediction.model,
        season_blocks=DAY_S // BLOCK_S,
        horizon_blocks=max(1, round(rule.prediction.period_s / BLOCK_S)),
        levels=(fitted_level(rule),),
    )


def _fitted(
    wishes: Mapping[FitPlace, NamedFit], clock: Callable[[], float]
) -> dict[FitPlace, NamedForecast]:
    if not wishes:
        return {}
    from recommender.forecast.pool import fit_all

    places = list(wishes)[:MOST_FITS]
    found = fit_all(
        [wishes[place] for place in places],
        clock=clock,
        limit_s=FIT_LIMIT_S,
        processes=1 if len(places) <= FITS_OF_ONE_PROCESS else 2,
    )
    return dict(zip(places, found, strict=True))


def notes_of(*, places: int, fits: int) -> tuple[str, ...]:
    """Return what a report leaves out of so many series and fits that are asked for."""
    notes = []
    if places > MOST_PATTERNS:
        notes.append(
            f"{places - MOST_PATTERNS} series that ask for forecasts have no pattern here, because "
            f"a report looks into {MOST_PATTERNS}: tfa explain looks into those of its workload"
        )
    if fits > MOST_FITS:
        notes.append(
            f"{fits - MOST_FITS} models that are asked for by name were not fitted, because a "
            f"report fits {MOST_FITS}: tfa explain fits those of its workload"
        )
    return tuple(notes)
