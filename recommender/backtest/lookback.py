"""What a report says of a recommendation: had it been in force over the last 7 days.

Each workload is replayed on its own recorded blocks; every decision saw earlier blocks only.
Beside it stands today's value over the same time, which is hindsight and labelled so.  Recorded use
is taken as the demand: what an earlier limit cut off cannot be seen (open loop).

Two passes feed the usage model what its histograms take.  Requests take means of minutes, of which
a block keeps the mean and the highest: it is replayed as one minute at its maximum and the others
at what remains of its mean.  Limits and VRAM take maxima.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

import numpy as np

from recommender.backtest.actuation import InForce
from recommender.backtest.frame import UsageFrame, frame_of_evidence
from recommender.backtest.judging import judged, unchanged
from recommender.backtest.plan import ReplayPlan
from recommender.backtest.replay import Progress, replay
from recommender.backtest.replayed_fleet import rows_of
from recommender.backtest.whatif import Scores, WhatIf
from recommender.decision import Layer
from recommender.forecast.asking import asked_of_streams
from recommender.observation import Floats, Ints, Observation, Workloads
from recommender.policy.model import Policy
from recommender.policy.table import policy_table
from recommender.resources import Resource
from recommender.usage.evidence import Evidence
from recommender.usage.minutes import MINUTE_S

WINDOW_S = 7 * 86400
REQUESTS_STEP_S = 3600
LIMITS_STEP_S = 1800
REQUESTS_PLAN = ReplayPlan(steps_s=MappingProxyType({Layer.REQUESTS: REQUESTS_STEP_S}))
LIMITS_PLAN = ReplayPlan(steps_s=MappingProxyType({Layer.LIMITS: LIMITS_STEP_S}))


def what_if(
    observation: Observation,
    policies: Sequence[Policy],
    evidence: Evidence,
    *,
    now_s: int,
    wanted: Collection[int] | None = None,
    progress: Progress | None = None,
) -> WhatIf | None:
    """Return the back-test of the last 7 days (or what there is); None where there is no block.

    ``policies`` and the rows of ``evidence`` are in the order of ``observation``.  Amounts in force
    follow the targets: raised at once, lowered when more than the update threshold below.
    ``wanted`` are the only rows that somebody will look at: their scores are those that they have
    in the whole fleet, and others may have none.
    """
    workloads = observation.workloads
    keys = list(zip(workloads.namespace, _row_names(workloads), strict=True))
    frame = frame_of_evidence(evidence, keys, observation.resources)
    if frame is None:
        return None
    frame = frame.between(now_s - WINDOW_S, now_s)
    if frame.steps == 0:
        return None
    if wanted is None:
        return _looked_back(frame, policies, workloads, progress or _silent)
    rows = _rows_to_replay(wanted, policies, observation.resources)
    if len(rows) == 0:
        return None
    found = _looked_back(
        frame.of_workloads(rows),
        [policies[i] for i in rows],
        rows_of(workloads, rows),
        progress or _silent,
    )
    return _in_rows(found, rows, len(policies))


def _rows_to_replay(
    wanted: Collection[int], policies: Sequence[Policy], resources: Sequence[Resource]
) -> Ints:
    """Return the wanted rows, and all that they learn from: forecasts learn of one another."""
    nobody_starts = np.zeros(len(policies), np.int64)
    is_first = np.ones(len(policies), np.bool_)
    streams = asked_of_streams(
        policy_table(policies, resources), resources, is_first, nobody_starts
    )
    asking = {row for rows, _ in streams.values() for row in rows.tolist()}
    of_fleet = set() if asking.isdisjoint(wanted) else asking
    return np.array(sorted(of_fleet.union(wanted)), np.int64)


def _in_rows(found: WhatIf, rows: Ints, count: int) -> WhatIf:
    """Return what was found of some rows at their places among ``count``; NaN in all others."""

    def spread(scores: Scores) -> Scores:
        columns = {}
        for item in fields(Scores):
            column = getattr(scores, item.name)
            columns[item.name] = np.full((count, column.shape[1]), np.nan)
            columns[item.name][rows] = column
        return Scores(**columns)

    return replace(
        found,
        requests=spread(found.requests),
        limits=spread(found.limits),
        current_requests=spread(found.current_requests),
        current_limits=spread(found.current_limits),
    )


def _looked_back(
    frame: UsageFrame, policies: Sequence[Policy], workloads: Workloads, report: Progress
) -> WhatIf:
    """Replay all workloads of a frame, and judge."""
    start = _nothing_in_force(workloads)
    of_requests = replay(
        _as_minutes(frame),
        policies,
        REQUESTS_PLAN,
        workloads=start,
        progress=_part(report, 0.0, 0.5),
    ).in_force[Layer.REQUESTS]
    of_limits = replay(
        frame, policies, LIMITS_PLAN, workloads=start, progress=_part(report, 0.5, 1.0)
    ).in_force[Layer.LIMITS]
    of_limits = _never_below(of_limits, of_requests)
    return WhatIf(
        start_s=frame.t0_s,
        end_s=frame.end_s,
        decision_step_s=LIMITS_STEP_S,
        requests=judged(frame, of_requests).scores,
        limits=judged(frame, of_limits).scores,
        current_requests=judged(frame, unchanged(workloads.request, of_requests)).scores,
        current_limits=judged(frame, unchanged(workloads.limit, of_limits)).scores,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """Progress of one of several passes."""

    whole: Progress
    begin: float
    end: float

    def __call__(self, share: float) -> None:
        self.whole(self.begin + share * (self.end - self.begin))


def _part(whole: Progress, begin: float, end: float) -> Progress:
    return _Part(whole, begin, end)


def _silent(_share: float) -> None:
    """Tell nobody."""


def _row_names(workloads: Workloads) -> list[str]:
    """Return names that are unique per row: a workload on two GPU models has two rows."""
    pairs = zip(workloads.workload, workloads.gpu_model, strict=True)
    return [f"{name} on {model}" if model else name for name, model in pairs]


def _nothing_in_force(workloads: Workloads) -> Workloads:
    """Return the workloads as they are stated, before anything was recommended."""
    nothing = np.full(workloads.request.shape, np.nan)
    rows = np.arange(len(workloads.workload))
    return replace(
        workloads,
        request=nothing,
        limit=nothing,
        replica_row=rows,
        external_request=nothing,
        external_limit=nothing,
        largest_placeable=nothing,
        quota=nothing,
        is_paused=np.zeros(len(rows), np.bool_),
    )


def _as_minutes(frame: UsageFrame) -> UsageFrame:
    """Return blocks as minutes with the same maximum and (where it can be) the same mean."""
    per_block = frame.step_s // MINUTE_S
    if per_block <= 1:
        return frame
    shape = (*frame.values.shape, per_block)
    minutes = np.full(shape, np.nan, np.float32)
    minutes[..., 0] = frame.values
    rest = (per_block * frame.means - frame.values) / (per_block - 1)
    for r, resource in enumerate(frame.resources):
        if resource.is_compressible:
            minutes[r, ..., 1:] = np.maximum(rest[r], 0)[..., None]
    values = minutes.reshape(*frame.values.shape[:2], -1)
    return replace(frame, values=values, means=values, step_s=MINUTE_S)


def _never_below(limits: InForce, requests: InForce) -> InForce:
    """Return limits that are at least the request in force at the same time."""
    which = np.searchsorted(requests.since_s, limits.since_s, side="right") - 1
    floor: Floats = np.full(limits.amounts.shape, np.nan)
    known = which >= 0
    floor[known] = requests.amounts[which[known]]
    raised = np.where(limits.amounts < floor, floor, limits.amounts)
    return replace(limits, amounts=raised)
