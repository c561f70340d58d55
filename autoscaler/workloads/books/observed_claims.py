"""What pods hold as they are observed: also those whose annotations nobody can read any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from autoscaler.kube.store import Object
from autoscaler.workloads.books.claim import Claim
from autoscaler.workloads.books.reading_claims import FindCard, claim_of, whole_claim_of
from autoscaler.workloads.errors import InvalidWorkerError


def observed_claim(pod: Object, card: FindCard) -> Claim | None:
    """Return what a pod holds; all of its GPUs where its annotations cannot be read."""
    try:
        return claim_of(pod, card)
    except InvalidWorkerError:
        return whole_claim_of(pod, card)


def observed_claims(pods: Iterable[Object], card: FindCard) -> Iterator[Claim]:
    """Return what pods hold; those that hold nothing are left out."""
    return (claim for pod in pods if (claim := observed_claim(pod, card)) is not None)
