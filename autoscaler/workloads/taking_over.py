"""What a new leader must know before it decides: all that its predecessor wrote.

The cache may lag behind the last placements of a leader that handed over a moment ago, and what it
does not show would be given away twice.  So the workers are listed once from the API server itself.
"""

from __future__ import annotations

from autoscaler.api.names import COMPONENT, Component
from autoscaler.kube.resource import PODS
from autoscaler.workloads.cluster import gpus_of
from autoscaler.workloads.observed_claims import observed_claims
from autoscaler.workloads.tools import Tools


def learn_placements(tools: Tools) -> int:
    """Let the books know all placed workers; return how many there are.  Raises ``KubeError``."""
    pages = tools.writer.write(
        lambda api: list(api.pages(PODS, label_selector=f"{COMPONENT}={Component.WORKER}"))
    )
    placed = [pod for pods, _ in pages for pod in pods if gpus_of(pod)]
    versions = {pod["metadata"]["uid"]: pod["metadata"]["resourceVersion"] for pod in placed}
    for claim in observed_claims(placed, tools.books.card):
        # Held until the cache shows the pod in this version, or that it is gone.
        tools.books.observe(claim.uid, claim, versions[claim.uid])
    return len(placed)
