"""Rules for requests and limits of one dimension, from the settings that govern it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, cast

from recommender.policy.generations import LIMITS, REQUESTS, RESOURCES, Governing
from recommender.policy.model import (
    Buffer,
    Dimension,
    LimitBasis,
    LimitRule,
    Mode,
    RequestRule,
)
from recommender.policy.predicting import prediction_of
from recommender.policy.risk import risk_target
from recommender.resources import MIB, TFLOPS, VRAM
from recommender.sentences import amount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recommender.policy.settings import Settings
    from recommender.policy.taking import Taking
    from recommender.resources import Resource

VRAM_PERCENTILE = 1.0
"""Of the highest use of each hour: what does not fit fails, so nothing is left out."""
VRAM_BUFFER = Buffer(factor=1.10, least=512 * MIB)
NO_BUFFER = Buffer(factor=1.0)
NO_STEP = 1.0
"""Beside a promise a raise of a fifth would be paid for, and lowered again soon after."""
LOWER_PERCENTILE = 0.5
UPPER_PERCENTILE = {Dimension.COMPUTE: 0.99, Dimension.VRAM: 1.0}
LIMIT_PERCENTILE = 0.99
UPDATE_THRESHOLD = 0.1
INITIAL_DELAY_S = 1800
MIN_RATIO = {Dimension.COMPUTE: 0.1, Dimension.VRAM: 0.2}
MAX_RATIO = {Dimension.COMPUTE: 10.0, Dimension.VRAM: 5.0}
UNBOUNDED = math.inf
_SPELLING = {Dimension.COMPUTE: "Compute", Dimension.VRAM: "VRAM"}


class Crossed(NamedTuple):
    """A smallest amount that is above the largest one."""

    block: str
    low_field: str
    high_field: str
    low: float
    high: float
    resource: Resource


def crossed_bounds(settings: Settings) -> Iterator[Crossed]:
    """Yield each ``minAllowed`` that is above its ``maxAllowed``."""
    for block in (REQUESTS, LIMITS):
        for name, resource in (("tflops", TFLOPS), ("vram", VRAM)):
            low_field, high_field = f"{block}.minAllowed.{name}", f"{block}.maxAllowed.{name}"
            low = cast("float | None", settings.value(low_field))
            high = cast("float | None", settings.value(high_field))
            if low is not None and high is not None and low > high:
                yield Crossed(block, low_field, high_field, low, high, resource)


def hold_crossed_bounds(taking: Taking) -> None:
    """Let a block whose ``minAllowed`` is above its ``maxAllowed`` only recommend."""
    for crossed in crossed_bounds(taking.settings):
        where = taking.where(crossed.low_field)
        taking.hold(crossed.block, where)
        taking.problem(
            where,
            f"{amount(crossed.low, crossed.resource, 6)} is above "
            f"{taking.where(crossed.high_field)}, {amount(crossed.high, crossed.resource, 6)}; "
            "allowed: at most as much",
            consequence=f"until it is corrected, nothing is changed by {crossed.block}",
        )


def request_rule(
    taking: Taking, dimension: Dimension, chosen: Governing, *, is_job: bool, is_critical: bool
) -> RequestRule:
    """Return auto-requests of a dimension."""
    if chosen.is_current:
        return _current_request(taking, dimension, chosen, is_critical=is_critical)
    return _first_request(taking, dimension, chosen, is_job=is_job)


def limit_rule(taking: Taking, dimension: Dimension, chosen: Governing) -> LimitRule:
    """Return auto-limits of a dimension."""
    if chosen.is_current:
        return _current_limit(taking, dimension, chosen)
    return _first_limit(taking, dimension, chosen)


def _first_request(
    taking: Taking, dimension: Dimension, chosen: Governing, *, is_job: bool
) -> RequestRule:
    at = f"requests.{dimension}"
    is_vram = dimension is Dimension.VRAM
    percentile_field = f"{REQUESTS}.percentileForAutoRequests"
    percentile = cast(
        "float",
        taking.take(
            percentile_field, f"{at}.percentile", default=VRAM_PERCENTILE if is_vram else None
        ),
    )
    is_load_weighted = not (is_vram or is_job or taking.is_set(percentile_field))
    if taking.is_set(percentile_field) and not is_vram:
        taking.take(percentile_field, f"{at}.is_load_weighted")
    buffer = _buffer(taking, f"{REQUESTS}.extraBufferRatio", f"{at}.buffer", is_vram=is_vram)
    risk = risk_target(taking, REQUESTS, dimension)
    if risk is not None:
        percentile, buffer, is_load_weighted = 1 - risk, NO_BUFFER, False
    low, high = _allowed(taking, REQUESTS, at, dimension)
    return RequestRule(
        is_enrolled=chosen.acts_on_requests,
        mode=_mode(taking, REQUESTS, at, is_enrolled=chosen.acts_on_requests),
        percentile=percentile,
        lower_percentile=min(LOWER_PERCENTILE, percentile),
        upper_percentile=max(UPPER_PERCENTILE[dimension], percentile),
        is_load_weighted=is_load_weighted,
        buffer=buffer,
        risk_target=risk,
        history_s=cast("int", taking.take(f"{REQUESTS}.aggregationPeriod", f"{at}.history_s")),
        update_threshold=UPDATE_THRESHOLD,
        min_ratio=MIN_RATIO[dimension],
        max_ratio=MAX_RATIO[dimension],
        min_allowed=low,
        max_allowed=high,
        initial_delay_s=INITIAL_DELAY_S,
        evaluation_s=cast("int", taking.take(f"{REQUESTS}.evaluationPeriod", f"{at}.evaluation_s")),
        prediction=prediction_of(taking, REQUESTS, at),
    )


def _first_limit(taking: Taking, dimension: Dimension, chosen: Governing) -> LimitRule:
    at = f"limits.{dimension}"
    is_vram = dimension is Dimension.VRAM
    buffer_field = f"{LIMITS}.extraTFlopsBufferRatio"
    buffer = VRAM_BUFFER if is_vram else _buffer(taking, buffer_field, f"{at}.buffer")
    risk = risk_target(taking, LIMITS, dimension)
    if risk is not None:
        buffer = NO_BUFFER
    low, high = _allowed(taking, LIMITS, at, dimension)
    return LimitRule(
        is_enrolled=chosen.acts_on_limits,
        mode=_mode(taking, LIMITS, at, is_enrolled=chosen.acts_on_limits),
        basis=LimitBasis.BURST,
        percentile=LIMIT_PERCENTILE if risk is None else 1 - risk,
        buffer=buffer,
        risk_target=risk,
        ignored_delta=_number(taking, f"{LIMITS}.ignoredDeltaRange", f"{at}.ignored_delta"),
        scale_up_step=cast(
            "float",
            taking.take(
                f"{LIMITS}.scaleUpStep",
                f"{at}.scale_up_step",
                default=None if risk is None else NO_STEP,
            ),
        ),
        max_ratio_to_requests=_number(
            taking, f"{LIMITS}.maxRatioToRequests", f"{at}.max_ratio_to_requests"
        ),
        min_ratio=0.0,
        max_ratio=UNBOUNDED,
        min_allowed=low,
        max_allowed=high,
        evaluation_s=cast("int", taking.take(f"{LIMITS}.evaluationPeriod", f"{at}.evaluation_s")),
        prediction=prediction_of(taking, LIMITS, at),
    )


def _current_request(
    taking: Taking, dimension: Dimension, chosen: Governing, *, is_critical: bool
) -> RequestRule:
    at = f"requests.{dimension}"
    lower, target, upper = _percentiles(taking, dimension)
    if is_critical:
        target = upper
        taking.note("QoS critical", f"{at}.percentile")
    low, high = _ratios(taking, at, dimension)
    return RequestRule(
        is_enrolled=chosen.acts_on_requests,
        mode=_mode(taking, RESOURCES, at, is_enrolled=chosen.acts_on_requests),
        percentile=target,
        lower_percentile=lower,
        upper_percentile=upper,
        is_load_weighted=False,
        buffer=_margin(taking, f"{at}.buffer"),
        risk_target=None,
        history_s=cast("int", taking.take(f"{RESOURCES}.historyDataPeriod", f"{at}.history_s")),
        update_threshold=_threshold(taking, f"{at}.update_threshold"),
        min_ratio=low,
        max_ratio=high,
        min_allowed=None,
        max_allowed=None,
        initial_delay_s=cast(
            "int", taking.take(f"{RESOURCES}.initialDelayPeriod", f"{at}.initial_delay_s")
        ),
        evaluation_s=cast("int", taking.take(f"{RESOURCES}.interval", f"{at}.evaluation_s")),
    )


def _current_limit(taking: Taking, dimension: Dimension, chosen: Governing) -> LimitRule:
    at = f"limits.{dimension}"
    _, _, upper = _percentiles(taking, dimension)
    low, high = _ratios(taking, at, dimension)
    return LimitRule(
        is_enrolled=chosen.acts_on_limits,
        mode=_mode(taking, RESOURCES, at, is_enrolled=chosen.acts_on_limits),
        basis=LimitBasis.UPPER_PERCENTILE,
        percentile=upper,
        buffer=_margin(taking, f"{at}.buffer"),
        risk_target=None,
        ignored_delta=_threshold(taking, f"{at}.ignored_delta"),
        scale_up_step=1.0,
        max_ratio_to_requests=UNBOUNDED,
        min_ratio=low,
        max_ratio=high,
        min_allowed=None,
        max_allowed=None,
        evaluation_s=cast("int", taking.take(f"{RESOURCES}.interval", f"{at}.evaluation_s")),
    )


def _number(taking: Taking, field_path: str, *lands: str) -> float:
    return cast("float", taking.take(field_path, *lands))


def _mode(taking: Taking, block: str, at: str, *, is_enrolled: bool) -> Mode:
    if is_enrolled:
        names = (f"{block}.enable", f"{block}.targetResource")
        for name in names:
            taking.take(name, f"{at}.is_enrolled")
    return taking.mode(block, f"{at}.mode")


def _buffer(taking: Taking, field_path: str, land: str, *, is_vram: bool = False) -> Buffer:
    value = taking.take(field_path, land, default=VRAM_BUFFER if is_vram else None)
    return value if isinstance(value, Buffer) else Buffer(cast("float", value))


def _margin(taking: Taking, land: str) -> Buffer:
    return Buffer(factor=1 + _number(taking, f"{RESOURCES}.marginFraction", land))


def _allowed(
    taking: Taking, block: str, at: str, dimension: Dimension
) -> tuple[float | None, float | None]:
    name = "vram" if dimension is Dimension.VRAM else "tflops"
    low_field, high_field = f"{block}.minAllowed.{name}", f"{block}.maxAllowed.{name}"
    low = cast("float | None", taking.take(low_field, f"{at}.min_allowed"))
    high = cast("float | None", taking.take(high_field, f"{at}.max_allowed"))
    return (None if low is not None and high is not None and low > high else low), high


def _percentiles(taking: Taking, dimension: Dimension) -> tuple[float, float, float]:
    """Return (lower, target, upper) in order: the target stands, a bound on its wrong side moves.

    Only where both were set is that a problem; a default gives way silently.
    """
    name = f"{_SPELLING[dimension]}Percentile"
    fields = [f"{RESOURCES}.{side}{name}" for side in ("lowerBound", "target", "upperBound")]
    at = f"requests.{dimension}"
    lower = _number(taking, fields[0], f"{at}.lower_percentile")
    target = _number(taking, fields[1], f"{at}.percentile")
    upper = _number(taking, fields[2], f"{at}.upper_percentile", f"limits.{dimension}.percentile")
    for bound, field_path, word in ((lower, fields[0], "above"), (upper, fields[2], "below")):
        is_wrong = bound > target if word == "above" else bound < target
        if is_wrong and taking.is_set(field_path) and taking.is_set(fields[1]):
            taking.problem(
                taking.where(field_path),
                f"is {word} {taking.where(fields[1])}; {target:g} is used for both",
            )
    return min(lower, target), target, max(upper, target)


def _threshold(taking: Taking, land: str) -> float:
    threshold_field, margin_field = f"{RESOURCES}.updateThreshold", f"{RESOURCES}.marginFraction"
    threshold = _number(taking, threshold_field, land)
    margin = _number(taking, margin_field)
    if threshold > margin and taking.is_set(threshold_field):
        other = taking.where(margin_field) or f"the default marginFraction {margin:g}"
        taking.problem(
            taking.where(threshold_field),
            f"is above {other}, so that no change would ever be large enough; {margin:g} is used",
        )
    return min(threshold, margin)


def _ratios(taking: Taking, at: str, dimension: Dimension) -> tuple[float, float]:
    name = f"{_SPELLING[dimension]}ResourcesRatio"
    return (
        _number(taking, f"{RESOURCES}.min{name}", f"{at}.min_ratio"),
        _number(taking, f"{RESOURCES}.max{name}", f"{at}.max_ratio"),
    )
