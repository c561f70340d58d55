"""What one worker has used of one GPU, from looks at its page and at the card."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from autoscaler.agent.accounting.boundary import BoundaryGauge
from autoscaler.agent.accounting.card_look import PERCENT, CardLook
from autoscaler.agent.accounting.hidden_memory import HiddenMemory
from autoscaler.agent.accounting.unaccounted import unaccounted_bytes, unaccounted_share
from autoscaler.agent.accounting.worker_use import WorkerUse
from autoscaler.agent.devices.device import Device
from autoscaler.agent.pages.progress import Progress
from autoscaler.agent.pages.use_reading import GPUUse, ProcessUse, UseReading
from autoscaler.agent.workers.worker import Worker

STEADY_LOOKS = 3
"""The driver's figure is late, so that a neighbour's work may seem to be a worker's for a look or
two after it has gone: what is shown as unaccounted was there at so many looks."""
_NS = 1e9


class WorkerAccount:
    """One worker on one of its GPUs.  Not thread-safe; ``now_s`` are UTC seconds."""

    def __init__(self, uid: str, device: Device, gpu: int) -> None:
        self._uid = uid
        self._device = device
        self._gpu = gpu
        """Number of the GPU in the worker's pages."""
        self._compute = BoundaryGauge()
        self._tensor = BoundaryGauge()
        self._memory = BoundaryGauge()
        self._counters: GPUUse | None = None
        self._unknown_symbols: int | None = None
        self._processes: Sequence[ProcessUse] | None = None
        """That ``_slot_bytes`` was summed over."""
        self._slot_bytes = 0
        self._driver_bytes: int | None = None
        self._card_s: float | None = None
        self._unaccounted_shares: deque[float] = deque(maxlen=STEADY_LOOKS)
        self._unaccounted_bytes = 0
        self._hidden = HiddenMemory()

    @property
    def slot_bytes(self) -> int:
        """Return what the worker's processes say that they hold; at most what the card has."""
        return self._slot_bytes

    @property
    def hidden_bytes(self) -> int:
        """Return what counts for the limit of memory beyond its slots."""
        return self._hidden.bytes

    def observe_use(
        self, reading: UseReading, seen: Progress | None, now_s: float, trim_k: float
    ) -> None:
        """Take in one look at the page of use, and the progress since the look before."""
        self._counters = reading.gpus[self._gpu]
        self._unknown_symbols = reading.unknown_symbols
        if reading.processes is not self._processes:
            self._processes = reading.processes
            self._slot_bytes = min(reading.memory_bytes(self._gpu), self._device.vram_bytes)
        self._note_memory(now_s)
        if seen is not None:
            self._compute.add(now_s - seen.span_s, now_s, seen.charged_share * trim_k)

    def observe_card(self, look: CardLook, charged: Mapping[str, float], now_s: float) -> None:
        """Take in one sample of the card.

        ``charged`` is the share, trimmed, that each worker of the card was charged since the sample
        before.
        """
        self._driver_bytes = look.of(self._uid).memory_bytes
        self._note_memory(now_s)
        self._unaccounted_bytes = unaccounted_bytes(look, self._uid, self._slot_bytes)
        self._hidden.observe(self._unaccounted_bytes, len(self._processes or ()))
        is_time_shared = not (self._device.is_mig or look.sample.is_under_mps)
        self._unaccounted_shares.append(
            unaccounted_share(look, self._uid, charged) if is_time_shared else 0.0
        )
        tensor_tflops = self._tensor_tflops(look, charged)
        if tensor_tflops is not None and self._card_s is not None:
            self._tensor.add(self._card_s, now_s, tensor_tflops)
        self._card_s = now_s

    def shown(self, worker: Worker, share: float, trim_k: float, now_s: float) -> WorkerUse:
        """Return what the exporter shows; ``share`` and ``trim_k`` are in force."""
        counters, mean, memory = self._counters, self._compute.mean(now_s), self._memory
        highest = memory.highest(now_s)
        return WorkerUse(
            worker=worker,
            uuid=self._device.uuid,
            compute_share=None if mean is None else min(mean, 1.0),
            tensor_tflops=self._tensor.mean(now_s),
            memory_bytes=None if highest is None else int(highest),
            device_s=counters.charged_ns / _NS if counters else None,
            throttled_s=counters.blocked_ns / _NS if counters else None,
            launches=counters.launches if counters else None,
            denied_allocations=counters.denied_allocations if counters else None,
            denied_bytes=counters.denied_bytes if counters else None,
            unknown_symbols=self._unknown_symbols,
            effective_share=share,
            trim_ratio=trim_k,
            unaccounted_share=min(self._unaccounted_shares, default=0.0),
            unaccounted_bytes=self._unaccounted_bytes,
            over_limit_bytes=max(self._held_bytes() - worker.vram_limit_bytes, 0),
        )

    def _held_bytes(self) -> int:
        """Return what is held now: the driver is slower, and the page may leave something out."""
        return max(self._driver_bytes or 0, self._slot_bytes)

    def _note_memory(self, now_s: float) -> None:
        self._memory.note(now_s, self._held_bytes())

    def _tensor_tflops(self, look: CardLook, charged: Mapping[str, float]) -> float | None:
        """Return the tensor activity of the card, apportioned by device time.

        Activity counts cycles of now, so the peak is that of the highest clock.  Nobody can claim
        more than the whole card, however much its page says.
        """
        sample = look.sample
        if sample.tensor_percent is None:
            return None
        total = sum(min(share, 1.0) for share in charged.values())
        own = min(charged.get(self._uid, 0.0), 1.0) / total if total > 0 else 0.0
        clocks = sample.sm_clock_mhz, sample.max_sm_clock_mhz
        clock_ratio = clocks[0] / clocks[1] if clocks[0] and clocks[1] else 1.0
        peak = self._device.highest_clock_tflops or self._device.tflops
        return sample.tensor_percent / PERCENT * peak * clock_ratio * own
