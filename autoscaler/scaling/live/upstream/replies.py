"""What an upstream operator is answered.  Pure.

The operator merges what it is told with its own recommendations by the larger request, and the
limit follows the winner; a zero in either of the two keeps the resource as it is.  So a resource
that is to change is always told with both, and one that is not is left out.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from autoscaler.scaling.cluster import amounts
from autoscaler.scaling.external.protocol import Reply
from autoscaler.scaling.live.amount_units import highest
from autoscaler.scaling.live.upstream.published import Published
from recommender.policy.model import Mode
from recommender.policy.table import dimension_of
from recommender.resources import COMPUTE_PERCENT, TFLOPS, VRAM, resource_named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscaler.scaling.cluster import Amounts, WorkloadView
    from autoscaler.scaling.external.protocol import Question
    from recommender.policy.model import Dimension, LimitRule, RequestRule

NOT_DECIDING = Reply(
    reason="NotDeciding",
    message="this process does not lead, or has not decided lately: nothing is asked for",
)
UNKNOWN = Reply(reason="UnknownWorkload", message="no running worker of this workload is known")
RECOMMENDED_ONLY = Reply(
    reason="RecommendOnly",
    message="the installation is in mode recommend: nothing is asked for",
)
NO_CHANGE = Reply(reason="NoScalingNeeded", message="what is in force is what was decided")
MORE, LESS = "MoreNeeded", "LessNeeded"
SAME_RATIO = 1e-6


def reply_to(
    question: Question, views: Sequence[WorkloadView], published: Sequence[Published]
) -> Reply:
    """Return the answer to a question on a workload with these views, one per GPU model.

    The protocol knows one amount for all workers: of several GPU models the highest is told.  What
    the question does not say of what is in force, the views say.
    """
    if not views:
        return UNKNOWN
    request = _current(question.request, highest(view.request for view in views))
    limit = _current(question.limit, highest(view.limit for view in views))
    wanted_request = {**request, **highest(each.request for each in published)}
    wanted_limit = {**limit, **highest(each.limit for each in published)}
    told = [
        name
        for name in (TFLOPS.name, COMPUTE_PERCENT.name, VRAM.name)
        if name in wanted_request and name in wanted_limit
        if _differs(wanted_request[name], request.get(name))
        or _differs(wanted_limit[name], limit.get(name))
    ]
    if not told:
        return NO_CHANGE
    raises = any(
        wanted[name] > current.get(name, 0.0)
        for name in told
        for wanted, current in ((wanted_request, request), (wanted_limit, limit))
        if _differs(wanted[name], current.get(name))
    )
    return Reply(
        needs_more=raises,
        needs_less=not raises,
        reason=MORE if raises else LESS,
        message="; ".join(dict.fromkeys(each.reason for each in published if each.reason)),
        request=amounts({name: min(wanted_request[name], wanted_limit[name]) for name in told}),
        limit=amounts({name: wanted_limit[name] for name in told}),
    )


def permitted(published: Published, view: WorkloadView) -> Published:
    """Return what of it may still be asked for: the layer enrolled, in mode apply, not paused."""
    if view.is_paused:
        return Published()
    return replace(
        published,
        request=_enrolled(published.request, view.policy.requests),
        limit=_enrolled(published.limit, view.policy.limits),
    )


def _enrolled(
    values: Amounts, rules: Mapping[Dimension, RequestRule] | Mapping[Dimension, LimitRule]
) -> Amounts:
    named = ((name, rules[dimension_of(resource_named(name))]) for name in values)
    may = {name for name, rule in named if rule.is_enrolled and rule.mode is Mode.APPLY}
    return amounts({name: value for name, value in values.items() if name in may})


def _current(asked: Amounts, known: Mapping[str, float]) -> dict[str, float]:
    """Return what is in force: as the operator says it, else as the workers have it."""
    units = {TFLOPS.name, COMPUTE_PERCENT.name}
    has_compute = not units.isdisjoint(asked)
    rest = {name: amount for name, amount in known.items() if not (has_compute and name in units)}
    return {**rest, **asked}


def _differs(wanted: float, current: float | None) -> bool:
    return current is None or not math.isclose(wanted, current, rel_tol=SAME_RATIO)
