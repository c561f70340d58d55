"""A pool of the tests: nodes with GPUs and a kubelet, and the pool that selects them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from autoscaler.api.names import API_VERSION
from tests.cluster.control_plane import ControlPlane
from tests.cluster.gpus import temporary_gpus
from tests.cluster.kubelet import FakeKubelet
from tests.cluster.nodes import temporary_node

NUMBERS = count(1)
POOL_OF_NODE = "example.test/pool"


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuPool:
    """A pool whose nodes run pods."""

    name: str
    nodes: tuple[str, ...]
    kubelet: FakeKubelet


def pool_object(name: str, labels: dict[str, str], **spec: Any) -> dict[str, Any]:
    """Return a pool that selects nodes by labels."""
    return {
        "apiVersion": API_VERSION,
        "kind": "GPUPool",
        "metadata": {"name": name},
        "spec": {"nodeSelector": labels, **spec},
    }


@contextmanager
def running_pool(
    plane: ControlPlane,
    folder: Path,
    *,
    nodes: int = 1,
    gpus: int = 1,
    spec: dict[str, Any] | None = None,
    **facts: str,
) -> Iterator[GpuPool]:
    """Have a pool within a block; ``facts`` are those of its GPUs, ``spec`` adds to the pool's."""
    name = f"pool-{next(NUMBERS)}"
    names = tuple(f"{name}-node-{number}" for number in range(nodes))
    labels = {POOL_OF_NODE: name}
    pool = pool_object(name, labels, **(spec or {}))
    with ExitStack() as stack:
        plane.kubectl("apply", "-f", "-", stdin=json.dumps(pool)).well()
        stack.callback(lambda: plane.kubectl("delete", "gpupool", name, "--ignore-not-found"))
        for node in names:
            stack.enter_context(temporary_node(plane, node, labels=labels))
            stack.enter_context(temporary_gpus(plane, node, gpus, **facts))
        kubelet = stack.enter_context(FakeKubelet(plane, names, folder))
        yield GpuPool(name=name, nodes=names, kubelet=kubelet)
