"""GPUs and workers as an agent reads them from objects: what is in force, and where it counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autoscaler.api.names import GPU_IDS, POOL_LABEL, PREFIX, QOS, WORKLOAD_LABEL
from recommender.quantities import parse_quantity

Object = Mapping[str, Any]
QOS_LEVELS = ("low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One GPU of the agent's node."""

    uuid: str
    gpu_model: str
    """Full name, as the driver tells it."""
    tflops: float
    vram_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One running pod that was given GPUs of the node; amounts are per device."""

    uid: str
    namespace: str
    workload: str
    name: str
    pool: str
    qos: str
    uuids: tuple[str, ...]
    is_ready: bool
    tflops_request: float
    tflops_limit: float
    vram_request_bytes: float
    vram_limit_bytes: float

    @property
    def key(self) -> tuple[str, str]:
        """Return namespace and workload."""
        return self.namespace, self.workload


def card_of(gpu: Object) -> Card | None:
    """Return a GPU from its object; None where its status does not say yet what it has."""
    status = gpu.get("status") or {}
    capacity = status.get("capacity")
    if not capacity:
        return None
    return Card(
        uuid=status["uuid"],
        gpu_model=status["gpuModel"],
        tflops=float(parse_quantity(capacity["tflops"])),
        vram_bytes=float(parse_quantity(capacity["vram"])),
    )


def worker_of(pod: Object, cards: Mapping[str, Card]) -> Worker | None:
    """Return what runs on these cards; None for a pod that does not run, or not on them."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    stated = metadata.get("annotations") or {}
    uuids = tuple(filter(None, stated.get(GPU_IDS, "").split(",")))
    runs = status.get("phase") == "Running" and pod["spec"].get("nodeName")
    if not runs or not uuids or not set(uuids) <= cards.keys():
        return None
    card, labels = cards[uuids[0]], metadata["labels"]
    return Worker(
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        workload=labels[WORKLOAD_LABEL],
        name=metadata["name"],
        pool=labels.get(POOL_LABEL, ""),
        qos=stated.get(QOS, QOS_LEVELS[1]),
        uuids=uuids,
        is_ready=is_ready(pod),
        tflops_request=_tflops(stated, "request", card, absent=0.0),
        tflops_limit=_tflops(stated, "limit", card, absent=card.tflops),
        vram_request_bytes=_amount(stated, "vram-request", 0.0),
        vram_limit_bytes=_amount(stated, "vram-limit", card.vram_bytes),
    )


def is_ready(pod: Object) -> bool:
    """Return whether a balancer would send requests to a pod."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    is_leaving = "deletionTimestamp" in pod["metadata"]
    return not is_leaving and any(
        (each["type"], each["status"]) == ("Ready", "True") for each in conditions
    )


def _tflops(stated: Mapping[str, str], end: str, card: Card, *, absent: float) -> float:
    percent = stated.get(f"{PREFIX}compute-percent-{end}")
    if percent is not None:
        return float(parse_quantity(percent)) / 100.0 * card.tflops
    return _amount(stated, f"tflops-{end}", absent)


def _amount(stated: Mapping[str, str], key: str, absent: float) -> float:
    text = stated.get(f"{PREFIX}{key}")
    return absent if text is None else float(parse_quantity(text))
