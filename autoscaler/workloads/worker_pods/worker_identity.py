"""How worker pods of the controller are named, and told from others.

A name is made from the workload's UID, the hash of the template and a slot, so that a controller
that looks at a cache that lags, or two of them for a moment, try to create the same pod, which the
API server allows once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import count

from autoscaler.kube.resource import WORKLOADS
from autoscaler.kube.store import Object
from autoscaler.workloads.pod_state import is_made_by_controller

LONGEST_HEAD = 40
"""Characters of the workload's name in a worker's, which has 61 in all: it is a host's name too."""
DIGEST = 10
TEMPLATE_HASH_LABEL = "pod-template-hash"
"""As on the pods of Deployments: the hash of what a pod was made from."""


def worker_name(workload: Object, template_hash: str, slot: int) -> str:
    """Return the name of the worker of a workload in a slot (0, 1, …) of a template."""
    metadata = workload["metadata"]
    text = f"{metadata['uid']}/{template_hash}/{slot}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:DIGEST]
    head = metadata["name"][:LONGEST_HEAD].rstrip("-.")
    return f"{head}-tf-worker-{digest}"


def free_names(workload: Object, template_hash: str, taken: frozenset[str]) -> Iterator[str]:
    """Yield the names of the lowest slots that no pod has, without end."""
    names = (worker_name(workload, template_hash, slot) for slot in count())
    return (name for name in names if name not in taken)


def is_current(pod: Object, template_hash: str) -> bool:
    """Return whether a pod was made from the template of this hash."""
    return (pod["metadata"].get("labels") or {}).get(TEMPLATE_HASH_LABEL) == template_hash


def is_made_for(pod: Object, workload: Object) -> bool:
    """Return whether the controller made a pod for this very workload."""
    uid = workload["metadata"]["uid"]
    references = pod["metadata"].get("ownerReferences") or ()
    return is_made_by_controller(pod) and any(each.get("uid") == uid for each in references)


def owner_of_workers(workload: Object) -> dict[str, object]:
    """Return the reference by which worker pods go with their workload."""
    metadata = workload["metadata"]
    return {
        "apiVersion": WORKLOADS.api_version,
        "kind": WORKLOADS.kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": False,
    }
