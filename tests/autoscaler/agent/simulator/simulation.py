"""Simulated programs on a simulated card, driven from Python in steps of virtual time.

Times here count from the start of the simulation.  Nothing reads a clock or draws a number, so
that every run of a scenario is the same to the nanosecond.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from autoscaler.agent.pages.abi import UseGPU
from tests.autoscaler.agent.simulator.library import (
    MOST_KERNELS,
    CardRecord,
    CountsRecord,
    ScriptRecord,
    TermsRecord,
    load,
)
from tests.autoscaler.agent.simulator.scripts import Card, Kernel, Script

Q32 = 1 << 32
Q16 = 1 << 16
BURST_NS = 20_000_000
INFLIGHT_NS = 50_000_000
_BEGIN_NS = 1_000_000_000
"""Where the C side's clock stands at the start, as a machine's does that has run for a while."""


class Gate(IntEnum):
    """What holds the launches of a pod; the order is that of simulation.h."""

    OPEN = 0
    METER = 1
    COVERED = 2
    NOT_IN_DEBT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the agent writes into a control page for one GPU."""

    share: float = 1.0
    trim_k: float = 1.0
    burst_ns: int = BURST_NS
    inflight_ns: int = INFLIGHT_NS
    left: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a process has done since it began."""

    busy_ns: int
    """Of the card, by the card's own ledger, gaps between its kernels included."""
    kernel_ns: int
    launches: int
    longest_hold_ns: int
    """Of one launch, since ``forget_holds``."""
    records: int
    """Of events, by the meter."""
    nvml_ratio: float
    """What NVML's last window of 200 ms says of the process, 0 to 1."""
    nvml_card_ratio: float


def _free_of_price(kernel: Kernel) -> float:
    del kernel
    return 0.0


class Simulation:
    """A card with pods on it.  To be used as a context."""

    def __init__(self, card: Card) -> None:
        self._library = load()
        self.now_ns = 0
        record = CardRecord(
            slice_ns=card.slice_ns,
            switch_ns=card.switch_ns,
            gap_ns=card.gap_ns,
            drain_ns=card.drain_ns,
            record_ns=card.record_ns,
            bias_q16=round(card.nvml_bias * Q16),
        )
        self._handle: int | None = self._library.simulation_new(ctypes.byref(record))
        if self._handle is None:
            raise MemoryError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._library.simulation_free(self._handle)
        self._handle = None

    def add_pod(self, gate: Gate) -> int:
        """Return the number of a pod without processes."""
        return self._numbered(self._library.simulation_add_pod(self._handle, gate), "pods")

    def add_process(
        self, pod: int, script: Script, price: Callable[[Kernel], float] = _free_of_price
    ) -> int:
        """Return the number of a process, which begins now."""
        if len(script.kernels) > MOST_KERNELS:
            message = f"a script has {len(script.kernels)} kernels; allowed: 1 to {MOST_KERNELS}"
            raise ValueError(message)
        record = ScriptRecord(
            kernels=len(script.kernels),
            streams=script.streams,
            launches_per_sync=script.launches_per_sync,
            has_one_shape=script.has_one_shape,
        )
        for i, kernel in enumerate(script.kernels):
            record.kernel[i].length_ns = kernel.length_ns
            record.kernel[i].price = price(kernel)
        made = self._library.simulation_add_process(self._handle, pod, ctypes.byref(record))
        process = self._numbered(made, "processes, or streams of one")
        self.set_duty(process, script.duty_ratio)
        return process

    def end_process(self, process: int) -> None:
        self._library.simulation_end_process(self._handle, process)

    def set_duty(self, process: int, duty_ratio: float) -> None:
        """Set the device time that a process asks for; 1: without end."""
        self._library.simulation_set_duty(self._handle, process, round(duty_ratio * Q32))

    def set_gate(self, pod: int, gate: Gate) -> None:
        self._library.simulation_set_gate(self._handle, pod, gate)

    def set_terms(self, pod: int, terms: Terms) -> None:
        record = TermsRecord(
            share_q32=round(terms.share * Q32),
            trim_k_q16=round(terms.trim_k * Q16),
            burst_ns=terms.burst_ns,
            inflight_ns=terms.inflight_ns,
            left_q32=round((terms.left or 0.0) * Q32),
        )
        self._library.simulation_set_terms(self._handle, pod, ctypes.byref(record))

    def set_tokens(self, pod: int, tokens: float) -> None:
        self._library.simulation_set_tokens(self._handle, pod, tokens)

    def tokens(self, pod: int) -> float:
        return float(self._library.simulation_tokens(self._handle, pod))

    def run_until(self, at_ns: int) -> None:
        """Let all programs run until a time."""
        self._library.simulation_run(self._handle, _BEGIN_NS + at_ns)
        self.now_ns = at_ns

    def use(self, pod: int) -> UseGPU:
        """Return the pod's record of the page ``use``, which may be written as well."""
        record: UseGPU = self._library.simulation_use(self._handle, pod).contents
        return record

    def counts(self, process: int) -> Counts:
        record: CountsRecord = self._library.simulation_counts(self._handle, process)
        return Counts(
            busy_ns=record.busy_ns,
            kernel_ns=record.kernel_ns,
            launches=record.launches,
            longest_hold_ns=record.longest_hold_ns,
            records=record.records,
            nvml_ratio=record.percent / 100,
            nvml_card_ratio=record.card_percent / 100,
        )

    def forget_holds(self) -> None:
        """Begin anew to look for the longest time that a launch is held."""
        self._library.simulation_forget_holds(self._handle)

    @property
    def idle_ns(self) -> int:
        """For how long the card had nothing to do."""
        return int(self._library.simulation_idle_ns(self._handle))

    @staticmethod
    def _numbered(number: int, what: str) -> int:
        if number < 0:
            message = f"the simulation has no room for more {what}"
            raise ValueError(message)
        return number
