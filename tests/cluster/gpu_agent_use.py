"""How workers use the cards of a node: simulated, as long as there is no card.

``SimulatedUse`` is the seam: what measures workers on a real or a fake device yields the same
``Use`` and takes its place.  Sharing is that of the node agent (``autoscaler.simulate.granting``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.simulate.granting import grant
from tests.cluster.gpu_agent_demand import NOTHING, Demand, Key, amount_at
from tests.cluster.gpu_agent_workers import QOS_LEVELS, Card, Worker

BOUNDARY_S = 5.0
"""Gauges are about the time since the last multiple of it."""
TRY_S = 1.0
"""A refused allocation is tried again after so long."""
LAUNCH_S = 0.001
"""Device time of one launch."""
STEP_S = 0.25
"""The longest time over which nothing changes."""


@dataclass(slots=True, kw_only=True)
class Use:
    """What one worker has used of one device, until now."""

    card: Card
    tflops: float = 0.0
    """Mean since the last boundary."""
    share_tflops: float = 0.0
    """What bounded it just now."""
    resident_bytes: float = 0.0
    highest_bytes: float = 0.0
    """Of the resident bytes since the last boundary."""
    device_s: float = 0.0
    throttled_s: float = 0.0
    denied: int = 0
    denied_bytes: float = 0.0
    launches: float = 0.0
    shown_ratio: float = 1.0
    tried_s: float = -np.inf
    """When an allocation was refused last."""
    window: int = -1
    """Number of the boundary that the gauges begin at."""
    window_s: float = 0.0
    """How long the gauges are about."""


class SimulatedUse:
    """Use of the workers of one node, from the demand of their workloads.  Not thread-safe."""

    def __init__(self) -> None:
        self._uses: dict[tuple[str, str], Use] = {}
        """By UID of the worker and UUID of the card."""
        self._until_s: float | None = None

    def advance(
        self,
        now_s: float,
        cards: Mapping[str, Card],
        workers: Sequence[Worker],
        demands: Mapping[Key, Demand],
        serving: Mapping[Key, int],
    ) -> None:
        """Let time pass; ``serving`` says how many workers share the demand of a workload.

        Workers that are no longer there are forgotten.
        """
        present = {(worker.uid, uuid) for worker in workers for uuid in worker.uuids}
        self._uses = {key: use for key, use in self._uses.items() if key in present}
        begin_s = now_s if self._until_s is None else self._until_s
        while begin_s < now_s:
            # A step ends where the gauges begin anew.
            boundary_s = (begin_s // BOUNDARY_S + 1.0) * BOUNDARY_S
            end_s = min(now_s, boundary_s, begin_s + STEP_S)
            self._step(begin_s, end_s, cards, workers, demands, serving)
            begin_s = end_s
        self._until_s = now_s

    def uses(self, workers: Sequence[Worker]) -> Iterator[tuple[Worker, Use]]:
        """Yield what each worker uses of each of its devices, as far as it has begun."""
        for worker in workers:
            for uuid in worker.uuids:
                use = self._uses.get((worker.uid, uuid))
                if use is not None:
                    yield worker, use

    def _step(
        self,
        begin_s: float,
        end_s: float,
        cards: Mapping[str, Card],
        workers: Sequence[Worker],
        demands: Mapping[Key, Demand],
        serving: Mapping[Key, int],
    ) -> None:
        slots = [(worker, uuid) for worker in workers for uuid in worker.uuids]
        if not slots:
            return
        of_slot = [demands.get(worker.key, NOTHING) for worker, _ in slots]
        wanted = np.array(
            [
                _wanted(worker, demand, begin_s, serving)
                for (worker, _), demand in zip(slots, of_slot, strict=True)
            ]
        )
        number = {uuid: i for i, uuid in enumerate(cards)}
        used, share = grant(
            wanted[None, :],
            np.array([worker.tflops_request for worker, _ in slots]),
            np.array([worker.tflops_limit for worker, _ in slots]),
            np.array([QOS_LEVELS.index(worker.qos) for worker, _ in slots]),
            np.array([number[uuid] for _, uuid in slots]),
            np.array([card.tflops for card in cards.values()]),
        )
        for i, ((worker, uuid), demand) in enumerate(zip(slots, of_slot, strict=True)):
            use = self._uses.setdefault((worker.uid, uuid), Use(card=cards[uuid]))
            use.shown_ratio = demand.shown_ratio
            _run(use, begin_s, end_s, wanted[i], used[0, i], share[0, i])
            self._allocate(use, worker, uuid, amount_at(demand.vram_bytes, begin_s), end_s)

    def _allocate(
        self, use: Use, worker: Worker, uuid: str, wanted_bytes: float, now_s: float
    ) -> None:
        """Hold what is wanted, unless the limit or the card refuses more; what is held stays."""
        held_bytes = sum(
            other.resident_bytes for (_, at), other in self._uses.items() if at == uuid
        )
        free_bytes = use.card.vram_bytes - held_bytes + use.resident_bytes
        if wanted_bytes <= max(use.resident_bytes, min(worker.vram_limit_bytes, free_bytes)):
            use.resident_bytes = wanted_bytes
        elif now_s - use.tried_s >= TRY_S:
            use.tried_s = now_s
            use.denied += 1
            use.denied_bytes += wanted_bytes - use.resident_bytes
        use.highest_bytes = max(use.highest_bytes, use.resident_bytes)


def _wanted(worker: Worker, demand: Demand, now_s: float, serving: Mapping[Key, int]) -> float:
    """Return what a worker would use of each device."""
    tflops = amount_at(demand.tflops, now_s)
    if not demand.is_shared:
        return tflops
    return tflops / max(serving.get(worker.key, 0), 1) if worker.is_ready else 0.0


def _run(use: Use, begin_s: float, end_s: float, wanted: float, used: float, share: float) -> None:
    """Account for one step of computing."""
    window = int(begin_s // BOUNDARY_S)
    if window != use.window:
        use.window, use.window_s, use.tflops = window, 0.0, 0.0
        use.highest_bytes = use.resident_bytes
    span_s = end_s - begin_s
    total = use.tflops * use.window_s + used * span_s
    use.window_s += span_s
    use.tflops = total / use.window_s
    use.share_tflops = share
    device_s = used / use.card.tflops * span_s
    use.device_s += device_s
    use.launches += device_s / LAUNCH_S
    if wanted > used:
        use.throttled_s += (1.0 - used / wanted) * span_s
