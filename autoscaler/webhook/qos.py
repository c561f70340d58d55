"""The quality of service level of a pod, and the priority class that goes with it."""

from __future__ import annotations

from typing import NamedTuple

from autoscaler.api.ceilings import Ceilings
from autoscaler.api.names import PRIORITY_CLASSES
from autoscaler.api.names import QOS as QOS_KEY
from autoscaler.api.object_key import ObjectKey
from autoscaler.kube.resource import PRIORITY_CLASSES as PRIORITY_CLASS_RESOURCE
from autoscaler.webhook.admission import Object
from autoscaler.webhook.pools import Pool
from autoscaler.webhook.snapshot import Snapshot
from autoscaler.webhook.verdict import Verdict
from recommender.errors import Problem
from recommender.policy.first_generation import QOS
from recommender.policy.stated import Stated

_KEY = "qos"
_DEFAULT = "medium"
_LEAST = "low"


class Level(NamedTuple):
    """A level and where it came from."""

    name: str
    source: str


def choose_qos(stated: Stated, pool: Pool | None, ceilings: Ceilings, verdict: Verdict) -> Level:
    """Return the level of a pod.

    It is the stated one, which a quota may forbid; else the first that no quota forbids of: high
    where requests equal limits, the pool's default, medium, low.
    """
    if _KEY in stated.sources:
        level = Level(stated.qos, stated.source_of(_KEY))
        forbidden = ceilings.forbids_qos(level.name)
        if forbidden:
            verdict.refuse(Problem(level.source, f"qos {level.name!r} is {forbidden}"))
        return level
    candidates = _candidates(stated, pool, verdict)
    for level in candidates:
        if not ceilings.forbids_qos(level.name):
            return level
    name = candidates[0].name
    verdict.refuse(
        Problem(
            f"annotation {QOS_KEY}",
            f"not set, and the default {name!r} is {ceilings.forbids_qos(name)}",
        )
    )
    return candidates[0]


def priority_class_for(qos: str, pod: Object, snapshot: Snapshot, verdict: Verdict) -> str | None:
    """Return the PriorityClass to set; None where the pod has one or needs none.

    The global default is none of the pod's own: the API server fills it in before admission asks
    us.  A class that does not exist is not set, as the API server would refuse the pod.
    """
    name = PRIORITY_CLASSES.get(qos)
    stated = str((pod.get("spec") or {}).get("priorityClassName") or "")
    if name is None or name == stated:
        return None
    if stated and not _is_global_default(stated, snapshot):
        return None
    if _class(name, snapshot) is None:
        verdict.warn(
            Problem(
                f"qos {qos}",
                f"PriorityClass {name} does not exist, so the pod gets no priority; install "
                "the priority classes of the autoscaler",
            )
        )
        return None
    return name


def _is_global_default(name: str, snapshot: Snapshot) -> bool:
    found = _class(name, snapshot)
    return found is not None and found.get("globalDefault") is True


def _class(name: str, snapshot: Snapshot) -> Object | None:
    kind = PRIORITY_CLASS_RESOURCE
    return snapshot.find(ObjectKey(kind.api_version, kind.kind, "", name))


def _candidates(stated: Stated, pool: Pool | None, verdict: Verdict) -> list[Level]:
    levels = [Level("high", "requests equal limits")] if _is_guaranteed(stated) else []
    config = pool.spec.get("qosConfig") if pool is not None else None
    default = (config or {}).get("defaultQoS")
    if pool is not None and default in QOS:
        levels.append(Level(str(default), f"pool {pool.name}"))
    elif pool is not None and default:
        allowed = ", ".join(QOS)
        verdict.warn(
            Problem(
                f"pool {pool.name} spec.qosConfig.defaultQoS",
                f"{default!r} is not valid and has no effect; allowed: {allowed}",
            )
        )
    return [*levels, Level(_DEFAULT, "default"), Level(_LEAST, "default")]


def _is_guaranteed(stated: Stated) -> bool:
    """Return whether compute and VRAM are stated, and each request equals its limit."""
    is_whole = "vram_bytes" in stated.limit and len(stated.limit) > 1
    return is_whole and dict(stated.request) == dict(stated.limit)
