"""Which workloads of a fleet have an endpoint, and what it is told of them.

A workload on several GPU models is asked for once: its amounts in the question are the highest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoscaler.scaling.cluster import Amounts, amounts
from autoscaler.scaling.external.protocol import Question

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from autoscaler.scaling.cluster import WorkloadView
    from recommender.observation import Ints
    from recommender.policy.model import ExternalScaler


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One workload whose endpoint is to be asked."""

    uid: str
    scaler: ExternalScaler
    question: Question
    card: Amounts
    """Capacity of one device; of the first GPU model where there are several."""
    sampled_s: int | None
    """First sample of its use; None: there is none, or it is not known."""
    started_s: int | None
    """Start of its oldest worker."""

    @property
    def namespace(self) -> str:
        """Return its namespace."""
        return self.question.namespace

    @property
    def workload(self) -> str:
        """Return its name."""
        return self.question.workload

    @property
    def since_s(self) -> int | None:
        """Return when its initial delay began; workers stand in where there are no samples."""
        return self.started_s if self.sampled_s is None else self.sampled_s

    def after(self, earlier: Subject) -> Subject:
        """Return it with the beginnings that were known before: workers come and go."""
        return replace(
            self,
            sampled_s=_first(self.sampled_s, earlier.sampled_s),
            started_s=_first(self.started_s, earlier.started_s),
        )


def subjects_of(
    views: Sequence[WorkloadView], first_sample_s: Ints | None = None
) -> dict[str, Subject]:
    """Return the workloads whose external scaler is on, by uid."""
    of_uid: dict[str, list[int]] = {}
    for i, view in enumerate(views):
        scaler = view.policy.external
        if scaler is not None and scaler.is_enabled:
            of_uid.setdefault(view.uid, []).append(i)
    return {
        uid: _subject(
            [views[i] for i in rows],
            [] if first_sample_s is None else [int(first_sample_s[i]) for i in rows],
        )
        for uid, rows in of_uid.items()
    }


def _subject(views: Sequence[WorkloadView], samples_s: Sequence[int]) -> Subject:
    first = views[0]
    scaler = first.policy.external
    assert scaler is not None
    return Subject(
        uid=first.uid,
        scaler=scaler,
        question=Question(
            namespace=first.namespace,
            workload=first.workload,
            request=_highest(view.request for view in views),
            limit=_highest(view.limit for view in views),
        ),
        card=first.card,
        sampled_s=min((at_s for at_s in samples_s if at_s >= 0), default=None),
        started_s=min((each.started_s for view in views for each in view.workers), default=None),
    )


def _first(*several_s: int | None) -> int | None:
    return min((each_s for each_s in several_s if each_s is not None), default=None)


def _highest(several: Iterable[Amounts]) -> Amounts:
    highest: dict[str, float] = {}
    for values in several:
        for name, amount in values.items():
            highest[name] = max(amount, highest.get(name, 0.0))
    return amounts(highest)
