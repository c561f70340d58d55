"""The result of ``decide``: amounts as arrays, and the typed steps that led to them.

Every percentile, margin, clamp and skip is one step, kept as columns.  A step's reason is data from
birth: reports, status, events, logs and metrics render the same step, and sentences are only made
when somebody reads them (``recommender.sentences``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recommender.observation import Bools, Floats

if TYPE_CHECKING:
    from collections.abc import Iterator


class Layer(IntEnum):
    """What a decision is about; the order in which the layers are decided."""

    REQUESTS = 0
    LIMITS = 1
    REPLICAS = 2


class Code(Enum):
    """Stable reasons, CamelCase as in conditions and events; upstream's words where it has them.

    The value is (number, sentence template).  Templates may use {before}, {after}, {transition},
    {instead} and {arg}; amounts are formatted in the unit of the step's resource.
    """

    number: int
    template: str

    def __init__(self, number: int, template: str) -> None:
        self.number = number
        self.template = template

    # where a value comes from
    Percentile = (1, "p{arg:level} of demand over time is at most {after}")
    LoadWeightedPercentile = (2, "p{arg:level} of demand, weighted by load, is at most {after}")
    HourlyPeaks = (3, "the highest 1-hour peak is at most {after}")
    PeakPercentile = (4, "p{arg:level} of the 1-hour peaks is at most {after}")
    RiskTarget = (5, "demand stays below {after} with a risk of {arg:percent}")
    Burst = (6, "demand of the last minute reaches {after} (EWMA of 30 s + 3 sigma, p99 of 60 s)")
    CoarseSteps = (
        7,
        "samples are {arg:duration} apart: last three and p99 of the 1-h histogram give {after}",
    )
    UpperPercentile = (8, "limit from the upper percentile p{arg:level}: {after}")
    ReplicaDemand = (9, "demand is {arg:ratio} of the target per worker: {transition}")
    Buffer = (10, "margin: {transition}")
    DayFloor = (11, "not below p99 of the last day: {transition}")
    Saturated = (12, "use reached the limit, the demand above it is hidden: {transition}")
    VramPressure = (13, "90 % of the VRAM limit is in use: {transition}")
    VramDenied = (14, "an allocation was refused: {transition}")
    LoadedModelFloor = (15, "the loaded model needs {after}: {transition}")
    ExternalRecommendation = (16, "the external scaler asks for more: {transition}")
    CronFloor = (17, "an active cron rule asks for at least {after}: {transition}")
    RequestWins = (18, "a limit is never below its request: {transition}")
    RecentVram = (19, "VRAM in use now and p99 of the 1-h histogram are at most {after}")
    DayPeakReplicas = (20, "a fixed count has to last a day: {transition}")
    Contended = (21, "its GPU gave it less than its limit and hid its demand: {transition}")
    Forecast = (22, "demand to come is forecast to stay below {after}")
    ForecastFloor = (23, "not below the forecast with its margin: {transition}")
    LastSamples = (
        24,
        "samples are {arg:duration} apart: the last three and the forecast give {after}",
    )
    SegmentFloor = (25, "not below the highest hour of this part of the day: {transition}")
    ReplicaForecast = (
        26,
        "forecast demand is {arg:ratio} of the target per worker: {transition}",
    )
    SaturationRoom = (27, "a worker counts as held down from 98 % of its limit on: {transition}")
    # bounds of the target
    Floor = (30, "smallest amount is {after}: {transition}")
    MinAllowed = (31, "minAllowed: {transition}")
    MaxAllowed = (32, "maxAllowed: {transition}")
    CardCapacity = (33, "one GPU has {after}: {transition}")
    LargestPlaceable = (34, "the largest free share of a GPU is {after}: {transition}")
    QuotaCapped = (35, "the namespace's quota allows {after}: {transition}")
    MinReplicas = (36, "minReplicas: {transition}")
    MaxReplicas = (37, "maxReplicas: {transition}")
    GpuBudget = (38, "the GPU budget allows {after} replicas: {transition}")
    # why a forecast that is asked for does not count
    ForecastYoung = (40, "no forecast yet: less than 6 h of use are known")
    ForecastGaps = (41, "no forecast: less than 70 % of the last 6 h are known")
    ForecastUnproven = (42, "no forecast yet: fewer than 100 of its outcomes are known")
    ForecastNoGain = (43, "no forecast: it is no better than the histogram")
    ForecastStep = (44, "no forecast: demand has left all that was expected behind")
    ForecastNotMade = (45, "no forecast: prediction.model asks for the histogram")
    # what may be written now
    RatioBound = (
        50,
        "bounded by {arg:ratio} times the stated value: {instead}",
    )
    MaxRatioToRequests = (
        51,
        "at most {arg:ratio} times the stated request: {instead}",
    )
    LowConfidence = (52, "confidence {arg:percent} is too low to change {before}")
    InsideUpdateThreshold = (53, "within {arg:percent} of {before}: no change")
    RaisePace = (
        54,
        "raised step by step, to at most {arg:ratio} times what was in force or in use: {instead}",
    )
    LowerPace = (55, "lowered step by step: {instead}")
    SmallestRaise = (
        56,
        "a raise is at least {arg:ratio} times: {instead}",
    )
    NotCalm = (57, "lowered only after 5 calm minutes: stays at {after}")
    ChangesPerDay = (58, "at most {arg:count} changes in 24 h: stays at {after}")
    ResidentPeak = (59, "VRAM in use is never taken away: {after} now, {before} at the next start")
    LimitInForce = (
        60,
        "limits are not automatic, so it ends at the limit: {instead}",
    )
    StaleMetrics = (61, "no fresh samples: stays at {after}")
    SafeLimit = (62, "no fresh samples: back to the last safe limit {after}")
    Stabilized = (
        63,
        "the highest wish of the cool-down counts: {instead}",
    )
    StabilizedUp = (
        64,
        "the lowest wish of the cool-down counts: {instead}",
    )
    ScaleUpRate = (65, "replicas grow step by step: {instead}")
    ScaleDownRate = (66, "replicas shrink step by step: {instead}")
    WithinTolerance = (67, "within the tolerance of {arg:percent}: stays at {after}")
    MissingMetrics = (68, "{arg:count} without samples: {transition}")
    UnreadyWorkers = (69, "{arg:count} not ready: {transition}")
    RolledBack = (70, "trouble after the last decrease, rolled back: {transition}")
    NoDecreaseAfterRollBack = (71, "no decrease for 24 h after a roll-back: stays at {after}")
    BudgetExhausted = (72, "the fleet's change budget is used up: stays at {after}")
    Paused = (73, "paused: stays at {after}")
    OpaqueVram = (75, "the allocator takes a constant share of the limit: {after} is kept")
    LimitNotDue = (
        76,
        "limits are not due, so it ends at the limit: {instead}",
    )
    NotEvaluated = (78, "evaluated every {arg:duration}: stays at {after}")
    CronWindowEnded = (77, "the cron window is over: {transition}")
    SegmentBegins = (80, "a part of the day begins that it is planned for: {transition}")
    UseNotFollowed = (79, "only cron rules and the external scaler are enrolled: {instead}")
    # no value at all
    NotEnoughHistory = (90, "less than 30 min or 12 samples: no recommendation")
    NoSamples = (91, "no usable sample")
    NoPositiveSample = (92, "use was never above zero, and the unit has no smallest amount")
    NoStatedLimit = (93, "no stated limit to relate the demand to")
    NoReplicas = (94, "the owner has no replicas to scale")
    NoFreshDemand = (95, "no worker past its start-up has a fresh sample")
    NotDecidedYet = (96, "its first decision is still to come")
    ScaledToZero = (97, "scaled to zero by its owner: it stays there")


CODES_BY_NUMBER = {code.number: code for code in Code}

UNKNOWN_CODES = tuple(code for code in Code if code.number >= 90)

REPLICAS_COLUMN = -1
"""``resource`` of steps of the replicas layer."""


@dataclass(frozen=True, slots=True)
class StepTable:
    """Steps as columns, in the order in which they were taken within each (row, layer)."""

    row: NDArray[np.int32]
    resource: NDArray[np.int16]
    layer: NDArray[np.int8]
    code: NDArray[np.int16]
    before: Floats
    after: Floats
    arg: Floats
    """Extra number of the sentence (a level, a ratio, a count); NaN where it needs none."""

    def __len__(self) -> int:
        return len(self.row)

    def of(self, row: int, layer: Layer, resource: int = REPLICAS_COLUMN) -> Iterator[Step]:
        """Yield the steps of one row and layer in order."""
        mask = (self.row == row) & (self.layer == layer) & (self.resource == resource)
        for i in np.flatnonzero(mask):
            yield Step(
                code=CODES_BY_NUMBER[int(self.code[i])],
                before=float(self.before[i]),
                after=float(self.after[i]),
                arg=float(self.arg[i]),
            )

    def counts(self) -> dict[Code, int]:
        """Return how often each code occurs, for metrics."""
        numbers, counts = np.unique(self.code, return_counts=True)
        return {CODES_BY_NUMBER[int(n)]: int(c) for n, c in zip(numbers, counts, strict=True)}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one decision."""

    code: Code
    before: float
    after: float
    arg: float


@dataclass(slots=True)
class StepLog:
    """Collects steps during one call of ``decide``."""

    _parts: list[tuple[NDArray[np.generic], ...]] = field(default_factory=list)

    def add(
        self,
        layer: Layer,
        code: Code,
        mask: Bools,
        before: Floats,
        after: Floats,
        arg: Floats | float = np.nan,
    ) -> None:
        """Record one step for every True of ``mask`` ([W, R], or [W] for replicas)."""
        where = np.nonzero(mask)
        n = len(where[0])
        if n == 0:
            return
        column = where[1] if len(where) == 2 else np.full(n, REPLICAS_COLUMN)
        args = arg[where] if isinstance(arg, np.ndarray) else np.full(n, arg)
        self._parts.append(
            (
                where[0].astype(np.int32),
                column.astype(np.int16),
                np.full(n, layer, np.int8),
                np.full(n, code.number, np.int16),
                np.asarray(before, np.float64)[where],
                np.asarray(after, np.float64)[where],
                np.asarray(args, np.float64),
            )
        )

    def changed(
        self,
        layer: Layer,
        code: Code,
        before: Floats,
        after: Floats,
        arg: Floats | float = np.nan,
    ) -> Floats:
        """Record a step wherever ``after`` differs from ``before``; return ``after``."""
        self.add(layer, code, (before != after) & ~np.isnan(after), before, after, arg)
        return after

    def table(self) -> StepTable:
        """Return all steps so far."""
        dtypes = (np.int32, np.int16, np.int8, np.int16, np.float64, np.float64, np.float64)
        if not self._parts:
            empty: list[Any] = [np.empty(0, dtype) for dtype in dtypes]
            return StepTable(*empty)
        columns: list[Any] = [np.concatenate(part) for part in zip(*self._parts, strict=True)]
        return StepTable(*columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """Amounts of all workloads after one tick.  Arrays ``[W, R]``, replicas ``[W]``.

    ``target_*`` is what is right (raw value, margin, floors, allowed range, card, quota), shown in
    reports; ``next_*`` is what may be written for running workers now; ``start_*`` is what
    admission gives to a worker that starts now.  NaN: no value, and ``unknown_*`` says why.
    Layers that were not due keep the amounts of their last tick.
    """

    raw_request: Floats
    target_request: Floats
    lower_request: Floats
    upper_request: Floats
    next_request: Floats
    start_request: Floats
    raw_limit: Floats
    target_limit: Floats
    next_limit: Floats
    start_limit: Floats
    raw_replicas: Floats
    target_replicas: Floats
    next_replicas: Floats
    confidence: Floats
    """0 to 1."""
    is_stale: Bools
    is_urgent: Bools
    """[W, R] a raise after a denial or saturation: written first, exempt from budgets."""
    is_decided_request: Bools
    """[W, R] decided in this tick, be it to keep what is in force; elsewhere an earlier decision
    stands, in force or not."""
    is_decided_limit: Bools
    unknown_request: NDArray[np.int16]
    """[W, R] number of the ``Code`` why there is no value; 0: there is one."""
    unknown_limit: NDArray[np.int16]
    unknown_replicas: NDArray[np.int16]
    steps: StepTable
    due: frozenset[Layer]
