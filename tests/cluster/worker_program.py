"""The program of workers that use a card as they are told, from one moment to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.autoscaler.agent.native.built import built_program
from tests.fakes.gpu.building import PROGRAMS
from tests.fakes.gpu.programs import TURNS_PER_US

SOURCE = Path(__file__).with_name("native") / "worker.c"
VOLUME, PATH = "orders", "/orders"
FILE = "now"
"""In the volume."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one worker is to use."""

    duty: float
    """Share of its card's time, 0 to 1."""
    vram_bytes: int
    """Its context included."""


def working(pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pod whose only container is such a worker."""
    program = built_program([SOURCE], include=(PROGRAMS,), flags=["-ldl", "-lpthread"])
    spec = pod["spec"]
    [container] = spec["containers"]
    worker = {
        **container,
        "image": f"process:{program}",
        "args": ["--orders", f"{PATH}/{FILE}", "--turns-per-us", str(TURNS_PER_US)],
        "volumeMounts": [{"name": VOLUME, "mountPath": PATH}],
    }
    return {
        **pod,
        "spec": {
            **spec,
            "containers": [worker],
            "volumes": [{"name": VOLUME, "emptyDir": {}}],
        },
    }


def give_order(folder: Path, order: Order) -> None:
    """Tell the worker whose volume this is what to use from now on."""
    beside = folder / f"{FILE}.new"
    beside.write_text(f"{order.duty:.6f} {order.vram_bytes}", encoding="ascii")
    beside.replace(folder / FILE)
