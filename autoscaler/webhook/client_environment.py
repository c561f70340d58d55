"""Variables by which a pod reaches a worker elsewhere.

A connection is named by its pod, so that nothing here is random and an admission that is repeated
gives the same.
"""

from __future__ import annotations

from autoscaler.api.names import GPU_IDS, WorkloadMode
from autoscaler.webhook.environment import FieldRef, annotation_ref
from autoscaler.webhook.pools import Pool

CONNECTION_NAME = "TENSOR_FUSION_CONNECTION_NAME"
CONNECTION_NAMESPACE = "TENSOR_FUSION_CONNECTION_NAMESPACE"
CONNECTION_URL = "TENSOR_FUSION_OPERATOR_GET_CONNECTION_URL"
VISIBLE_DEVICES = "NVIDIA_VISIBLE_DEVICES"


def client_environment(
    mode: WorkloadMode, pool: Pool, endpoint: str, *, is_limited: bool
) -> dict[str, str | FieldRef]:
    """Return the variables of the containers that use the GPU, besides those of the limiter.

    ``endpoint`` is the URL where clients ask for their connection.
    """
    if is_limited:
        return {}
    if mode is WorkloadMode.EMBEDDED:
        return {VISIBLE_DEVICES: annotation_ref(GPU_IDS)}
    connection: dict[str, str | FieldRef] = {
        CONNECTION_NAME: FieldRef("metadata.name"),
        CONNECTION_NAMESPACE: FieldRef("metadata.namespace"),
    }
    if endpoint:
        query = f"name=$({CONNECTION_NAME})&namespace=$({CONNECTION_NAMESPACE})"
        connection[CONNECTION_URL] = f"{endpoint.rstrip('/')}/api/connection?{query}"
    of_pool = pool.component("client").get("env") or {}
    return {**{str(name): str(value) for name, value in of_pool.items()}, **connection}
