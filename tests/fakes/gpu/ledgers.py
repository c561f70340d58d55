"""What cards have done, as the device model counts it, exact to the nanosecond."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What a process or a card has done so far."""

    busy_ns: int
    """Of the card's time, gaps between kernels included, streams side by side counted once."""
    kernel_ns: int
    """Of ``busy_ns``: while a kernel itself ran."""
    kernels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CardLedger:
    """What a card has done, at one time; busy, switch and idle time are all the time there was."""

    at_ns: int
    """``CLOCK_MONOTONIC``, or virtual time."""
    all: Ledger
    switch_ns: int
    idle_ns: int
    switches: int


class CLedger(ctypes.Structure):
    """``struct fake_ledger``."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("busy_ns", "kernel_ns", "kernels")]

    def read(self) -> Ledger:
        """Return it."""
        return Ledger(busy_ns=self.busy_ns, kernel_ns=self.kernel_ns, kernels=self.kernels)


class CCardLedger(ctypes.Structure):
    """``struct fake_card_ledger``."""

    _fields_ = [
        ("all", CLedger),
        ("switch_ns", ctypes.c_uint64),
        ("idle_ns", ctypes.c_uint64),
        ("switches", ctypes.c_uint64),
    ]

    def read(self, at_ns: int) -> CardLedger:
        """Return it, as of a time."""
        return CardLedger(
            at_ns=at_ns,
            all=self.all.read(),
            switch_ns=self.switch_ns,
            idle_ns=self.idle_ns,
            switches=self.switches,
        )
