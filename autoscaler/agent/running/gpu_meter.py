"""One worker on one of its GPUs, from turn to turn and from sample to sample.

Turns look at its page ten times a second, samples of the driver come more slowly: what was charged
in the turns between two samples belongs to the later one.
"""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.agent.accounting.debt_check import DebtCheck
from autoscaler.agent.accounting.worker_account import WorkerAccount
from autoscaler.agent.devices.device import Device
from autoscaler.agent.pages.progress import Progress
from autoscaler.agent.pages.use_reading import UseReading
from autoscaler.agent.sharing.trim import Trim


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """What happened since the sample before."""

    charged_share: float
    """Device time charged, before trim, as a part of the time."""
    share: float
    """The largest that was in force."""
    unpaid_s: float
    """Wall time that charges did not move the worker's arrival time by."""
    fell: tuple[str, ...]
    """Counters that went down."""


class GPUMeter:
    """Not thread-safe."""

    def __init__(self, uid: str, device: Device, gpu: int, trim_k: float) -> None:
        """``gpu`` is the number of the GPU in the worker's pages, ``trim_k`` where trim begins."""
        self.device = device
        self.account = WorkerAccount(uid, device, gpu)
        self.trim = Trim(trim_k)
        self.is_under_mps = False
        """Whether clients of MPS were there at the last sample that told anything."""
        self.is_accounted = False
        """Whether all that others did on the GPU was charged to workers, as far as is seen."""
        self.busy_processes = 0
        """Of those with a slot, how many had work on the GPU at the last sample."""
        self.left_share: float | None = None
        """Of the GPU's time, what other workers leave; None: it is not known."""
        self.seen: Progress | None = None
        """Between the last two looks at its page; None: there is nothing to see yet."""
        self._gpu = gpu
        self._debt = DebtCheck()
        self._charged_s = 0.0
        self._span_s = 0.0
        self._share = 0.0
        self._unpaid_s = 0.0
        self._fell: tuple[str, ...] = ()

    @property
    def is_time_shared(self) -> bool:
        """Return whether a share is one of time; on MIG and under MPS the driver proves nothing."""
        return not (self.device.is_mig or self.is_under_mps)

    @property
    def trim_k(self) -> float:
        """Return the factor that is in force; what was learned is kept for when MPS has ended."""
        return self.trim.k if self.is_time_shared else 1.0

    @property
    def hidden_bytes(self) -> int:
        """Return what counts for the limit of memory beyond the page.

        Nothing under MPS, where one process holds what belongs to several workers.
        """
        return 0 if self.is_under_mps else self.account.hidden_bytes

    def hold(self, share: float) -> None:
        """Note the share that is in force in this turn."""
        self._share = max(self._share, share)

    def look(self, reading: UseReading, share: float, now_s: float) -> None:
        """Take in what the page says in this turn; ``share`` is in force."""
        seen, trim_k, now_ns = self.seen, self.trim_k, reading.monotonic_ns
        self.account.observe_use(reading, seen, now_s, trim_k)
        self._unpaid_s = self._debt.observe(reading.gpus[self._gpu], now_ns, share, trim_k)
        if seen is not None:
            self._charged_s += seen.charged_s
            self._span_s += seen.span_s
            if seen.fell:
                self._fell += seen.fell

    def since_sample(self) -> Since:
        """Return what happened since this was called last."""
        since = Since(
            charged_share=self._charged_s / self._span_s if self._span_s > 0 else 0.0,
            share=self._share,
            unpaid_s=self._unpaid_s,
            fell=tuple(dict.fromkeys(self._fell)),
        )
        self._charged_s = self._span_s = self._share = 0.0
        self._fell = ()
        return since
