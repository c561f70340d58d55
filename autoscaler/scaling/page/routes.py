"""Everything that can be asked, in one table: the server and its description are made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from autoscaler.scaling.page import parameters
from autoscaler.scaling.page.answers import DecisionsAnswer, WorkloadAnswer
from autoscaler.scaling.page.formats import HTML_TYPE, JSON_TYPE, MEDIA_TYPES, Format
from autoscaler.scaling.page.parameters import Parameter
from recommender.report.model import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One path.  It answers GET and HEAD and nothing else."""

    path: str
    name: str
    """Of the operation."""
    summary: str
    parameters: tuple[Parameter, ...] = ()
    answers: Mapping[str, type | None] = field(default_factory=lambda: MappingProxyType({}))
    """Media type to the type of what is answered; None: text, or any JSON."""
    may_be_missing: bool = False
    """Whether it can answer 404 for what a caller names."""


PAGE = Route(
    path="/",
    name="getPage",
    summary="The review page of all workloads: one HTML document that works without JavaScript.",
    answers=MappingProxyType({HTML_TYPE: None}),
)
REPORT = Route(
    path="/api/v1/report",
    name="getReport",
    summary="The report of all workloads, most urgent item first, in any format of tfa report.",
    parameters=(
        parameters.NAMESPACE_GLOB,
        parameters.WORKLOAD_GLOB,
        parameters.POOL,
        parameters.SEVERITY,
        parameters.SORT,
        parameters.FORMAT,
    ),
    answers=MappingProxyType(
        {
            media: Report if format_ is Format.JSON else None
            for format_, media in MEDIA_TYPES.items()
        }
    ),
)
WORKLOAD = Route(
    path="/api/v1/workloads/{namespace}/{name}",
    name="getWorkload",
    summary="One workload: what is in force, its items, decisions, and the changes so far.",
    parameters=(parameters.NAMESPACE_PART, parameters.NAME_PART),
    answers=MappingProxyType({JSON_TYPE: WorkloadAnswer}),
    may_be_missing=True,
)
DECISIONS = Route(
    path="/api/v1/decisions",
    name="getDecisions",
    summary="Decisions that said something new, newest first, each with its steps as sentences.",
    parameters=(
        parameters.NAMESPACE,
        parameters.WORKLOAD,
        parameters.SINCE,
        parameters.LIMIT,
    ),
    answers=MappingProxyType({JSON_TYPE: DecisionsAnswer}),
    may_be_missing=True,
)
DESCRIPTION = Route(
    path="/openapi.json",
    name="getDescription",
    summary="This description.",
    answers=MappingProxyType({JSON_TYPE: None}),
)
ROUTES = (PAGE, REPORT, WORKLOAD, DECISIONS, DESCRIPTION)
