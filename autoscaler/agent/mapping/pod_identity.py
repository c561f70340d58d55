"""How a pod can be told from others by what processes show of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
CONFIG_HASH = "kubernetes.io/config.hash"
"""Annotation of a static pod's copy in the API: the UID that the kubelet itself uses."""
STATIC_UID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodIdentity:
    """One pod of this node."""

    uid: str
    namespace: str
    name: str
    container_ids: frozenset[str] = frozenset()
    """64 hexadecimal digits each."""
    static_uid: str = ""
    """What stands in the cgroup paths of a static pod, in place of ``uid``."""


def identity_of(pod: Mapping[str, Any]) -> PodIdentity:
    """Return the identity of a pod as the API shows it."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    static_uid = (metadata.get("annotations") or {}).get(CONFIG_HASH, "")
    shown = (each.get("containerID") for key in STATUSES for each in status.get(key) or ())
    return PodIdentity(
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        # As the runtime's name, "://" and the ID.
        container_ids=frozenset(each.rpartition("/")[2] for each in shown if each),
        # Anybody may write the annotation, so that what it says is a hint.
        static_uid=static_uid if STATIC_UID.fullmatch(static_uid) else "",
    )
