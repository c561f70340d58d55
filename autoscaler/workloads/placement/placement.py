"""The one write that places a gated pod, and how it may end.  Pure.

Nothing is written before it: a ``nodeSelector`` once set cannot be changed, and a removed gate
cannot come back.  Which GPUs it names is ``choose``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from autoscaler.api.names import GPU_IDS, GPU_PEAK_TFLOPS, GPU_PEAK_VRAM, PLACEMENT_GATE
from autoscaler.kube.store import Object
from autoscaler.workloads.books.card import Card
from autoscaler.workloads.nodes.node_fit import HOSTNAME


def placement_annotations(cards: Sequence[Card]) -> dict[str, str]:
    """Return the annotations of a pod on these GPUs, of one node, in this order.

    A peak that is not known is left out: no share of it can be enforced.
    """
    capacity = cards[0].capacity
    annotations = {GPU_IDS: ",".join(card.uuid for card in cards)}
    if capacity.microtflops > 0:
        annotations[GPU_PEAK_TFLOPS] = plain(capacity.tflops)
    if capacity.vram_bytes > 0:
        annotations[GPU_PEAK_VRAM] = str(capacity.vram_bytes)
    return annotations


def placement_patch(pod: Object, cards: Sequence[Card], hostname: str) -> dict[str, Any]:
    """Return the strategic merge patch that places a pod in the version that was seen."""
    return {
        "metadata": {
            "resourceVersion": pod["metadata"]["resourceVersion"],
            "annotations": placement_annotations(cards),
        },
        "spec": {
            "nodeSelector": {HOSTNAME: hostname},
            "schedulingGates": [{"$patch": "delete", "name": PLACEMENT_GATE}],
        },
    }


def with_annotations(pod: Object, annotations: Mapping[str, str]) -> dict[str, Any]:
    """Return a pod as it would be with further annotations."""
    metadata = pod["metadata"]
    merged = {**(metadata.get("annotations") or {}), **annotations}
    return {**pod, "metadata": {**metadata, "annotations": merged}}


def plain(number: Decimal) -> str:
    """Write a number without exponent and without zeros that say nothing."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
