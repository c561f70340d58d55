"""What the JSON API answers, as plain values; the report itself is ``recommender.report.model``.

Amounts are per worker and GPU device in base units, by the names of the report's resources; one
that is not known is absent.  Times are UTC seconds.  Readers must ignore fields that they do not
know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from recommender.report.model import Report

WORKLOAD_SCHEMA = "tensorfusion-workload/v1"
DECISIONS_SCHEMA = "tensorfusion-decisions/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a request was not answered as asked."""

    error: str
    """For people: what was wrong, and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What a workload has on one GPU model, as the last tick saw it."""

    gpu_model: str | None = None
    uid: str
    """Of the object that owns the workload."""
    owner: str | None = None
    """Kind and name, for example ``Deployment/chat``."""
    request: Mapping[str, float] = field(default_factory=dict)
    """In force, by resource."""
    limit: Mapping[str, float] = field(default_factory=dict)
    """In force, by resource."""
    stated_request: Mapping[str, float] = field(default_factory=dict)
    """What the user declared."""
    stated_limit: Mapping[str, float] = field(default_factory=dict)
    """What the user declared."""
    start_request: Mapping[str, float] = field(default_factory=dict)
    """What workers get that start from now on, where that differs."""
    start_limit: Mapping[str, float] = field(default_factory=dict)
    """The same of limits."""
    replicas: int | None = None
    """In force."""
    stated_replicas: int | None = None
    """What the user declared."""
    replicas_held: str | None = None
    """Why nobody may set its replicas now."""
    workers: int = 0
    """Running ones, without the surplus of a rollout."""
    ready_workers: int = 0
    """Those that are known to be ready; metrics alone do not tell it."""
    is_paused: bool = False
    """Whether its user asked that nothing be changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionStep:
    """One step of the way to a decision."""

    layer: str
    """``requests``, ``limits`` or ``replicas``."""
    resource: str
    """``replicas`` for steps of that layer."""
    code: str
    """Stable; the list is in the reference of reasons."""
    before: float | None = None
    """The amount that came into the step."""
    after: float | None = None
    """The amount that left it."""
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One decision of one workload on one GPU model that said something new."""

    namespace: str
    workload: str
    gpu_model: str | None = None
    time_s: int
    target_request: Mapping[str, float] = field(default_factory=dict)
    """What is right."""
    next_request: Mapping[str, float] = field(default_factory=dict)
    """What may be written now."""
    target_limit: Mapping[str, float] = field(default_factory=dict)
    """What is right."""
    next_limit: Mapping[str, float] = field(default_factory=dict)
    """What may be written now."""
    target_replicas: int | None = None
    """What is right."""
    next_replicas: int | None = None
    """What may be written now."""
    steps: tuple[DecisionStep, ...] = ()
    """The way to it, first step first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One change that was tried, with the steps of the decision that asked for it."""

    time_s: int
    resource: str
    layer: str
    """``requests``, ``limits`` or ``replicas``."""
    before: float | None = None
    after: float | None = None
    reason: str = ""
    """The step that decided, as a sentence."""
    outcome: str
    """``applied``, ``capped``, ``rolled back``, or why it was not applied."""
    steps: tuple[DecisionStep, ...] = ()
    """Empty where the decision is no longer remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadAnswer:
    """Everything that is known of one workload."""

    schema: str = WORKLOAD_SCHEMA
    namespace: str
    workload: str
    as_of_s: int
    """Time of the tick that saw what is in force."""
    mode: str
    """``recommend``: nothing is changed; ``apply``: what is enrolled is changed."""
    holds: tuple[str, ...] = ()
    """Why only some changes pass now."""
    in_force: tuple[InForce, ...] = ()
    """A part for each GPU model."""
    decisions: tuple[Decided, ...] = ()
    """Newest first."""
    changes: tuple[Tried, ...] = ()
    """Newest first."""
    report: Report | None = None
    """Its items; null while no report has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionsAnswer:
    """Remembered decisions of a fleet, newest first."""

    schema: str = DECISIONS_SCHEMA
    as_of_s: int
    """Time of the last tick."""
    decisions: tuple[Decided, ...]
    has_more: bool = False
    """Whether ``limit`` left out older ones."""
