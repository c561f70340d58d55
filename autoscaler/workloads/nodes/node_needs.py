"""What a pod asks of the node that it is to run on, beside GPUs.

Whether a node has it is ``node_fit``.  Affinity between pods and the spreading of pods are left to
the scheduler: where it refuses a node for these, the placement is given back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autoscaler.kube.store import Object
from autoscaler.workloads.nodes.node_terms import Terms
from autoscaler.workloads.nodes.pod_requests import PodRequests, requests_of
from autoscaler.workloads.nodes.volumes import VolumeTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeNeeds:
    """What one pod asks of its node."""

    requests: PodRequests
    selector: Mapping[str, str] = field(default_factory=dict)
    """Labels that the node must have."""
    affinity: Terms | None = None
    """Required node affinity: terms of which one must match; None: the pod has none."""
    tolerations: tuple[Mapping[str, Any], ...] = ()
    volumes: VolumeTerms = ()


def needs_of(pod: Object, volumes: VolumeTerms) -> NodeNeeds:
    """Return what a pod asks of its node; ``volumes`` is what its claims ask."""
    spec = pod.get("spec") or {}
    node_affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return NodeNeeds(
        requests=requests_of(pod),
        selector=spec.get("nodeSelector") or {},
        affinity=None if required is None else tuple(required.get("nodeSelectorTerms") or ()),
        tolerations=tuple(spec.get("tolerations") or ()),
        volumes=volumes,
    )
