"""What NVML says of a device and its processes at one moment.

Figures are None where the driver does not tell them, which is never the same as zero.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSample:
    """One process that uses a device."""

    pid: int
    """In the PID namespace of the host."""
    uuid: str
    """Of the device."""
    sm_percent: float | None
    """Share of the time in which a kernel of the process was there, 0 to 100, mean since the last
    look.  Beside other processes it says only that there was work: two neighbours read 99 each.
    None where the device tells no utilisation of processes (MIG)."""
    memory_bytes: int | None
    """Context included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSample:
    """One device; ``problem`` says why it cannot be read, and then all figures are None."""

    uuid: str
    monotonic_s: float
    processes: tuple[ProcessSample, ...] = ()
    """By PID."""
    problem: str = ""
    is_under_mps: bool = False
    """Whether processes compute on it through a server of MPS, side by side: a share of it is none
    of time then.  False as well where the driver cannot tell."""
    busy_percent: float | None = None
    """Share of the time in which any kernel was there, 0 to 100."""
    tensor_percent: float | None = None
    """How busy the tensor cores were since the last look, 0 to 100."""
    memory_used_bytes: int | None = None
    """What the driver keeps for itself not included, where it tells that apart."""
    temperature_celsius: int | None = None
    power_watts: float | None = None
    sm_clock_mhz: int | None = None
    max_sm_clock_mhz: int | None = None
