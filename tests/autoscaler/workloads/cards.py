"""Cards and rooms in memory, and what choosing among them says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autoscaler.workloads.books.card import Card
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.placement.choose import Choice, PlacementMode, choose
from autoscaler.workloads.placement.demand import Demand, demand_of
from autoscaler.workloads.placement.shortage import Shortage
from tests.autoscaler.workloads.objects import GIB, POOL, worker

A100, L4 = "NVIDIA A100-SXM4-80GB", "NVIDIA L4"


def amounts(tflops: float = 0, gib: float = 0) -> GpuAmounts:
    return GpuAmounts(microtflops=round(tflops * 10**6), vram_bytes=round(gib * GIB))


def card(node: str = "n1", index: int | None = 0, **fields: Any) -> Card:
    """Return a usable A100 with 100 TFLOPS and 80 GiB."""
    name = fields.pop("name", f"gpu-{node}-{index}")
    capacity = fields.pop("capacity", amounts(100, 80))
    return Card(
        **{
            "name": name,
            "uuid": name.upper(),
            "index": index,
            "node": node,
            "pool": POOL,
            "gpu_model": A100,
            "model": "A100",
            "vendor": "NVIDIA",
            "capacity": capacity,
            "allocatable": capacity,
            **fields,
        }
    )


@dataclass(frozen=True, kw_only=True)
class Room:
    """Cards, what is used of them, and nodes that will not do."""

    cards: tuple[Card, ...]
    used: Mapping[str, GpuAmounts] = field(default_factory=dict)
    misfits: Mapping[str, str] = field(default_factory=dict)

    def used_of(self, name: str) -> GpuAmounts:
        return self.used.get(name, GpuAmounts())

    def free_of(self, name: str) -> GpuAmounts:
        [found] = [each for each in self.cards if each.name == name]
        return found.allocatable - self.used_of(name)

    def by_node(self) -> dict[str, list[Card]]:
        nodes: dict[str, list[Card]] = {}
        for each in self.cards:
            nodes.setdefault(each.node, []).append(each)
        return nodes

    def choose(
        self, demand: Demand, mode: PlacementMode = PlacementMode.COMPACT_FIRST
    ) -> Choice | Shortage:
        return choose(demand, self.by_node(), self.free_of, self.misfit, mode)

    def misfit(self, node: str) -> str:
        return self.misfits.get(node, "")


def room(*cards: Card, used: Mapping[str, GpuAmounts] | None = None, **misfits: str) -> Room:
    """Return a room; further words are nodes with what is wrong with them."""
    return Room(cards=cards, used=used or {}, misfits=misfits)


def node_of_cards(node: str, count: int, **fields: Any) -> tuple[Card, ...]:
    return tuple(card(node, index, **fields) for index in range(count))


def demand(
    *,
    tflops: float = 10,
    gib: float = 4,
    count: int = 1,
    annotations: Mapping[str, str] | None = None,
    **stated: str,
) -> Demand:
    """Return what a worker asks for; ``stated`` are amounts in place of these two."""
    asked = stated or {"tflops-request": f"{tflops:g}", "vram-request": f"{round(gib * GIB)}"}
    by_key = {key.replace("_", "-"): text for key, text in asked.items()}
    return demand_of(worker(count=count, amounts=by_key, annotations=dict(annotations or {})), ())


def names(found: Choice | Shortage) -> list[str]:
    """Return the names of the chosen cards."""
    assert isinstance(found, Choice), found
    return [each.name for each in found.cards]


def said(found: Choice | Shortage) -> str:
    """Return what was missing."""
    assert isinstance(found, Shortage), found
    return found.message
