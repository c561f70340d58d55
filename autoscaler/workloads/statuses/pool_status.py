"""What a pool has and whether it can be used: the status of ``GPUPool``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from autoscaler.api.condition_reasons import PoolReason
from autoscaler.api.names import IS_DEFAULT_POOL, Condition, EventReason, FieldManager
from autoscaler.kube.condition import condition, find_condition
from autoscaler.kube.event import EventType, reference_of
from autoscaler.kube.lanes import Priority
from autoscaler.kube.resource import NODES, POOLS
from autoscaler.kube.status_apply import StatusOwner, is_new
from autoscaler.kube.store import Object
from autoscaler.workloads.books.card import Card
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.books.inventory import node_conflicts
from autoscaler.workloads.pace import Pace
from autoscaler.workloads.tools import Tools
from autoscaler.workloads.work import WorkKey, WorkKind

OWNER = StatusOwner(
    field_manager=FieldManager.CONTROLLER,
    fields=frozenset({"phase", "observedGeneration", "totals"}),
    conditions=frozenset({Condition.READY, Condition.NODE_CONFLICT, Condition.IS_DEFAULT}),
)
ACTION = "SelectNodes"
MOST_NAMED = 10
Conflict = tuple[str, tuple[str, ...]]
"""An older pool, and the nodes that both select."""


class PoolReconciler:
    """Writes the status of pools."""

    def __init__(self, tools: Tools, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._tools = tools
        self._pace = Pace(monotonic_s=monotonic_s)

    def reconcile(self, _namespace: str, name: str) -> None:
        """Bring the status of one pool up to date.  Raises ``KubeError``."""
        cluster, books = self._tools.cluster, self._tools.books
        pool = cluster.store(POOLS).get(None, name)
        if pool is None:
            self._pace.forget("", name)
            return
        pools, nodes = cluster.store(POOLS).items(), cluster.store(NODES).items()
        cards_by_node = books.cards_of_pool(name)
        cards = [card for on_node in cards_by_node.values() for card in on_node]
        free = [books.free(card.name) for card in cards if not card.problem]
        now_s = self._tools.clock.now_s()
        conditions = [
            ready_condition(pool, cards, now_s=now_s),
            conflict_condition(pool, node_conflicts(pools, nodes).get(name, ()), now_s=now_s),
            default_condition(pool, pools, now_s=now_s),
        ]
        status = {
            "phase": "Running" if cards else "Pending",
            "totals": {
                "gpus": len(cards),
                "nodes": len(cards_by_node),
                "capacity": GpuAmounts.total(card.capacity for card in cards).as_mapping(),
                "available": GpuAmounts.total(
                    each.at_least(GpuAmounts()) for each in free
                ).as_mapping(),
            },
            "conditions": [each for each in conditions if each is not None],
        }
        generation = pool["metadata"].get("generation")
        if generation is not None:
            status["observedGeneration"] = generation
        left_s = self._pace.left_s("", name) if is_new(pool, status, OWNER) else 0.0
        if left_s:
            self._tools.work.add_after(WorkKey(WorkKind.POOL, "", name), left_s, Priority.STATUS)
            return
        if self._tools.writer.write_status(POOLS, pool, status, OWNER):
            self._tell_conflict(pool, status)

    def _tell_conflict(self, pool: Object, status: dict[str, Any]) -> None:
        """Tell of nodes that an older pool has, where the pool did not say so before."""
        before = find_condition(pool, Condition.NODE_CONFLICT) or {}
        conflict = find_condition({"status": status}, Condition.NODE_CONFLICT) or {}
        text = conflict.get("message")
        if text and text != before.get("message"):
            self._tools.events.record(
                reference_of(POOLS, pool),
                reason=EventReason.NODE_CONFLICT,
                action=ACTION,
                note=text,
                type=EventType.WARNING,
            )


def ready_condition(pool: Object, cards: Sequence[Card], *, now_s: float) -> dict[str, Any]:
    """Return whether workers can be placed on the GPUs of a pool."""
    usable = [card for card in cards if not card.problem]
    if usable:
        without = len(cards) - len(usable)
        reason = PoolReason.GPUS_READY if not without else PoolReason.SOME_GPUS_NOT_USABLE
        message = f"{len(usable)} of {len(cards)} GPUs can be used"
        message += f"; {_named(cards)}" if without else ""
    elif cards:
        reason, message = (
            PoolReason.NO_GPUS_USABLE,
            f"none of {len(cards)} GPUs can be used; {_named(cards)}",
        )
    elif not (pool.get("spec") or {}).get("nodeSelector"):
        reason, message = (
            PoolReason.NO_NODE_SELECTOR,
            "spec.nodeSelector is not set, so it has no nodes",
        )
    else:
        reason, message = (
            PoolReason.NO_GPUS,
            "no node that spec.nodeSelector selects has a GPU object",
        )
    return condition(
        pool,
        Condition.READY,
        is_true=bool(usable),
        reason=reason,
        message=message,
        now_s=now_s,
    )


def conflict_condition(
    pool: Object, conflicts: Iterable[Conflict], *, now_s: float
) -> dict[str, Any]:
    """Return whether older pools have nodes that this one selects too."""
    told = "; ".join(f"pool {other} is older and has {_list(nodes)}" for other, nodes in conflicts)
    return condition(
        pool,
        Condition.NODE_CONFLICT,
        is_true=bool(told),
        reason=PoolReason.OLDER_POOL_HAS_NODES if told else PoolReason.NO_CONFLICT,
        message=told,
        now_s=now_s,
    )


def default_condition(
    pool: Object, pools: Iterable[Object], *, now_s: float
) -> dict[str, Any] | None:
    """Return whether pods that name no pool use this one; None: it does not claim it."""
    if not _claims_default(pool):
        return None
    first = min((each for each in pools if _claims_default(each)), key=_by_age, default=pool)
    is_first = first["metadata"]["name"] == pool["metadata"]["name"]
    told = f"pool {first['metadata']['name']} is older and marked by {IS_DEFAULT_POOL} too"
    return condition(
        pool,
        Condition.IS_DEFAULT,
        is_true=is_first,
        reason=PoolReason.MARKED_DEFAULT if is_first else PoolReason.OLDER_POOL_IS_DEFAULT,
        message="" if is_first else told,
        now_s=now_s,
    )


def _named(cards: Sequence[Card]) -> str:
    problems = [f"{card.name}: {card.problem}" for card in cards if card.problem]
    return _list(sorted(problems), separator="; ")


def _list(names: Sequence[str], *, separator: str = ", ") -> str:
    more = len(names) - MOST_NAMED
    told = separator.join(names[:MOST_NAMED])
    return f"{told} and {more} more" if more > 0 else told


def _claims_default(pool: Object) -> bool:
    return (pool["metadata"].get("annotations") or {}).get(IS_DEFAULT_POOL) == "true"


def _by_age(pool: Object) -> tuple[str, str]:
    metadata = pool["metadata"]
    return metadata.get("creationTimestamp") or "", metadata["name"]
