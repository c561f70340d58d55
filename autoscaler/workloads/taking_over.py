"""What a new leader must know before it decides: all that its predecessor wrote.

The cache may lag behind the last placements of a leader that handed over a moment ago, and what it
does not show would be given away twice.  So the workers are listed once from the API server itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from autoscaler.api.names import COMPONENT, Component
from autoscaler.kube.resource import PODS
from autoscaler.workloads.books.observed_claims import observed_claim
from autoscaler.workloads.cluster import gpus_of

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer
    from autoscaler.workloads.books.claim import Claim
    from autoscaler.workloads.books.reading_claims import FindCard
    from autoscaler.workloads.tools import Tools


def learn_placements(tools: Tools) -> int:
    """Let the books know all placed workers; return how many there are.  Raises ``KubeError``."""
    placed = tools.writer.write(lambda api: list(_placed(api, tools.books.card)))
    for claim, version in placed:
        # Held until the cache shows the pod in this version, or that it is gone.
        tools.books.observe(claim.uid, claim, version)
    return len(placed)


def _placed(api: ApiServer, card: FindCard) -> Iterator[tuple[Claim, str]]:
    """Yield what placed workers hold, page by page, as all pods at once are very large."""
    for pods, _ in api.pages(PODS, label_selector=f"{COMPONENT}={Component.WORKER}"):
        for pod in pods:
            claim = observed_claim(pod, card) if gpus_of(pod) else None
            if claim is not None:
                yield claim, pod["metadata"]["resourceVersion"]
