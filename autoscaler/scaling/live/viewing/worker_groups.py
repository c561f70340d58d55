"""The workers of one workload by the model of their GPUs, with what they have in force.  Pure.

A decision is made for each model on its own.  A worker whose GPU is not known, for example because
it was taken out, goes with the first model that is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autoscaler.scaling.cluster import Amounts, WorkerView
from autoscaler.scaling.live.amount_units import highest, in_tflops
from autoscaler.scaling.live.viewing.room import Device, FindDevice, room_on
from autoscaler.scaling.live.viewing.worker_state import WorkerState


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedWorker:
    """A worker with its GPUs; amounts are per GPU, in TFLOPS where the peak is known."""

    state: WorkerState
    devices: tuple[Device, ...]
    """Those of its GPUs that are known."""
    card: Amounts
    """What the largest of them has, or had when it was placed where none is known."""
    request: Amounts
    limit: Amounts

    @property
    def gpu_model(self) -> str:
        """Return the full name of the model of its GPUs; empty where it is not known."""
        return next((each.gpu_model for each in self.devices if each.gpu_model), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerGroup:
    """The workers on GPUs of one model, by name."""

    gpu_model: str
    """Full name, as the driver tells it; empty: not known."""
    running: tuple[PlacedWorker, ...] = ()
    """Those whose amounts are in force."""
    leaving: tuple[PlacedWorker, ...] = ()
    """Those that terminate."""

    @property
    def card(self) -> Amounts:
        """Return what the largest GPU of its workers has; empty where none of them is known."""
        return highest(worker.card for worker in (*self.running, *self.leaving))

    @property
    def request(self) -> Amounts:
        """Return the highest requests in force."""
        return highest(worker.request for worker in self.running)

    @property
    def limit(self) -> Amounts:
        """Return the highest limits in force."""
        return highest(worker.limit for worker in self.running)

    @property
    def room(self) -> Amounts:
        """Return the largest request that the GPUs of its workers have room for."""
        return room_on(
            (device, worker.request) for worker in self.running for device in worker.devices
        )

    @property
    def gpu_count(self) -> int | None:
        """Return how many GPUs a worker has; None where none runs."""
        return max((len(worker.state.gpus) for worker in self.running), default=None)


def placed_workers(workers: Iterable[WorkerState], find: FindDevice) -> tuple[PlacedWorker, ...]:
    """Return the workers that have GPUs and have not ended, by name."""
    placed = (worker for worker in workers if worker.gpus and not worker.has_ended)
    return tuple(_placed(each, find) for each in sorted(placed, key=lambda each: each.name))


def worker_groups(placed: Sequence[PlacedWorker]) -> tuple[WorkerGroup, ...]:
    """Return the groups by the name of their model; none without a worker that runs.

    A worker that terminates on a model on which no other one runs is left out: it needs no
    decision any more.
    """
    running = [(worker, worker.gpu_model) for worker in placed if worker.state.runs]
    leaving = [(worker, worker.gpu_model) for worker in placed if not worker.state.runs]
    if not running:
        return ()
    models = sorted({model for _, model in running if model}) or [""]
    return tuple(
        WorkerGroup(
            gpu_model=name,
            running=tuple(worker for worker, model in running if (model or models[0]) == name),
            leaving=tuple(worker for worker, model in leaving if (model or models[0]) == name),
        )
        for name in models
    )


def surplus_of(workers: Iterable[WorkerState], replicas: int | None) -> frozenset[str]:
    """Return the names of the workers that are more than the replicas, as in a rollout.

    Workers that wait for their GPUs are the first to be surplus, then those that are not ready,
    then the newest.  None: how many there are to be is not known, and none is surplus.
    """
    live = [worker for worker in workers if worker.is_live]
    if replicas is None or len(live) <= replicas:
        return frozenset()
    by_need = sorted(live, key=lambda w: (not w.gpus, w.ready_s is None, w.created, w.name))
    return frozenset(worker.name for worker in by_need[replicas:])


def worker_views(group: WorkerGroup, surplus: frozenset[str]) -> tuple[WorkerView, ...]:
    """Return the workers of a group as the loop sees them, by name."""
    workers = (worker.state for worker in (*group.running, *group.leaving))
    return tuple(
        WorkerView(
            name=worker.name,
            started_s=worker.started_s,
            ready_s=worker.ready_s,
            is_surplus=worker.is_terminating or worker.name in surplus,
        )
        for worker in sorted(workers, key=lambda worker: worker.name)
    )


def _placed(worker: WorkerState, find: FindDevice) -> PlacedWorker:
    devices = tuple(device for device in map(find, worker.gpus) if device is not None)
    card = highest(device.capacity for device in devices) or worker.peak
    return PlacedWorker(
        state=worker,
        devices=devices,
        card=card,
        request=in_tflops(worker.in_force.request, card),
        limit=in_tflops(worker.in_force.limit, card),
    )
