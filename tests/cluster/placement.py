"""Placing a pod on a GPU as the controller does it: one patch, under the controller's own name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from autoscaler.api.names import (
    GPU_IDS,
    GPU_PEAK_TFLOPS,
    GPU_PEAK_VRAM,
    PLACEMENT_GATE,
    ServiceAccount,
)
from autoscaler.kube.resource import PODS
from tests.cluster.control_plane import ControlPlane
from tests.cluster.nodes import HOSTNAME
from tests.cluster.rest import MERGE_PATCH, STRATEGIC_PATCH, Rest

GPU = "GPU-11111111-2222-3333-4444-555555555555"
PEAKS = {GPU_PEAK_TFLOPS: "312", GPU_PEAK_VRAM: str(80 * 2**30)}


class Controller:
    """What the controller does with pods, within its rights and the policies."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def place(self, pod: Mapping[str, Any], node: str) -> dict[str, Any]:
        """Give a gated pod a GPU of a node and remove the gate; return the pod.

        Raises ``RestError``, also where the pod has changed since.
        """
        return self._patch(
            pod,
            {
                "metadata": {
                    "resourceVersion": pod["metadata"]["resourceVersion"],
                    "annotations": {GPU_IDS: GPU, **PEAKS},
                },
                "spec": {
                    "nodeSelector": {HOSTNAME: node},
                    "schedulingGates": [{"$patch": "delete", "name": PLACEMENT_GATE}],
                },
            },
            STRATEGIC_PATCH,
        )

    def annotate(self, pod: Mapping[str, Any], **annotations: str) -> dict[str, Any]:
        """Set annotations of ours; ``_`` stands for a dash, the prefix is added."""
        named = {
            f"tensor-fusion.ai/{key.replace('_', '-')}": annotations[key] for key in annotations
        }
        return self._patch(pod, {"metadata": {"annotations": named}}, MERGE_PATCH)

    def _patch(
        self, pod: Mapping[str, Any], patch: Mapping[str, Any], content_type: str
    ) -> dict[str, Any]:
        metadata = pod["metadata"]
        path = PODS.path(metadata["namespace"], metadata["name"])
        return self._rest.request("PATCH", path, patch, content_type=content_type)


@contextmanager
def running_controller(plane: ControlPlane) -> Iterator[Controller]:
    """Yield the controller with the rights of an installation, which the caller has applied."""
    with closing(Rest(plane, user=ServiceAccount.CONTROLLER)) as rest:
        yield Controller(rest)
