"""Reads workers from their pods: what the controller placed here, with the amounts in force now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaler.agent.workers.amounts import Amounts, read_amounts, read_qos
from autoscaler.agent.workers.worker import Card, Worker
from autoscaler.api.names import (
    AMOUNT_KEYS,
    COMPONENT,
    GPU_IDS,
    POOL_LABEL,
    PREFIX,
    QOS,
    WORKLOAD_LABEL,
    Component,
)
from autoscaler.errors import InputError
from recommender.errors import InvalidValueError

Object = Mapping[str, Any]
_ENDED = frozenset({"Succeeded", "Failed"})


def worker_of(pod: Object, cards: Mapping[str, Card]) -> Worker | None:
    """Return the worker that a pod of this node is; None where it is none, or has ended.

    A pod is served from when it has its GPUs, before its containers start, until they have ended.
    ``cards`` are the GPUs of this node by UUID.  Raises ``InputError`` that names the pod for a GPU
    that is not of this node, and for an annotation that cannot be read.
    """
    metadata = pod["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    uuids = _uuids(annotations)
    if labels.get(COMPONENT) != Component.WORKER or not uuids or _has_ended(pod):
        return None
    try:
        amounts = _amounts(annotations, uuids, cards)
        qos = read_qos(annotations.get(QOS), f"annotation {QOS}")
    except InvalidValueError as error:
        raise InputError(f"pod {metadata['namespace']}/{metadata['name']}: {error}") from error
    return Worker(
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        workload=labels.get(WORKLOAD_LABEL, ""),
        name=metadata["name"],
        pool=labels.get(POOL_LABEL, ""),
        qos=qos,
        uuids=uuids,
        tflops_request=amounts.tflops_request,
        tflops_limit=amounts.tflops_limit,
        vram_request_bytes=amounts.vram_request_bytes,
        vram_limit_bytes=amounts.vram_limit_bytes,
        is_ready=_is_ready(pod),
    )


def _uuids(annotations: Mapping[str, str]) -> tuple[str, ...]:
    names = (name.strip() for name in annotations.get(GPU_IDS, "").split(","))
    return tuple(dict.fromkeys(filter(None, names)))


def _amounts(
    annotations: Mapping[str, str], uuids: tuple[str, ...], cards: Mapping[str, Card]
) -> Amounts:
    for uuid in uuids:
        if uuid not in cards:
            own = ", ".join(sorted(cards)) or "none, as this node has no GPU"
            raise InvalidValueError(f"annotation {GPU_IDS}", uuid, own)
    stated = {key: annotations.get(f"{PREFIX}{key}") for key in AMOUNT_KEYS}
    return read_amounts(stated, cards[uuids[0]], "annotation " + PREFIX)


def _has_ended(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in _ENDED


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    is_leaving = bool(pod["metadata"].get("deletionTimestamp"))
    return not is_leaving and any(
        (each["type"], each["status"]) == ("Ready", "True") for each in conditions
    )
