"""The laws side by side: what tenants get under each, as shares of the card.

Two settings.  In the *kind* one the card loses nothing to its switches and NVML divides it exactly
but for noise, which foreign laws need; our law reads NVML as it is in both.  The *measured* one is
what docs/gpu-facts.md has.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.autoscaler.agent.simulator.laws.foreign import FOREIGN_LAWS
from tests.autoscaler.agent.simulator.scripts import (
    IDEAL_CARD,
    KERNEL_5_US,
    KERNEL_11_MS,
    KERNEL_20_US,
    KERNEL_1400_US,
    MEASURED_CARD,
    Card,
    Kernel,
    Script,
    Tenant,
)
from tests.autoscaler.agent.simulator.tenants import (
    Trial,
    settled_shares,
    under_foreign_law,
    under_our_law,
)

OURS = "ours"
LAWS = (*FOREIGN_LAWS, OURS)
LIMITS = (0.10, 0.25, 0.50, 0.75)
KERNELS = (KERNEL_5_US, KERNEL_20_US, KERNEL_1400_US, KERNEL_11_MS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A card, and whether foreign laws are told how it is divided."""

    name: str
    card: Card
    sees_neighbours: bool


KIND = Setting(name="kind", card=IDEAL_CARD, sees_neighbours=True)
MEASURED = Setting(name="measured", card=MEASURED_CARD, sees_neighbours=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Tenants that all ask for the whole card, and their limits."""

    name: str
    kernels: Sequence[Kernel]
    limits: Sequence[float]

    @property
    def tenants(self) -> list[Tenant]:
        pairs = zip(self.kernels, self.limits, strict=True)
        return [saturated(kernel, limit) for kernel, limit in pairs]


CONTESTS = (
    Contest(name="30/60, both 1.4 ms", kernels=[KERNEL_1400_US, KERNEL_1400_US], limits=[0.3, 0.6]),
    Contest(
        name="30/60, 20 µs beside 1.4 ms", kernels=[KERNEL_20_US, KERNEL_1400_US], limits=[0.3, 0.6]
    ),
    Contest(
        name="25/25, both 1.4 ms", kernels=[KERNEL_1400_US, KERNEL_1400_US], limits=[0.25, 0.25]
    ),
    Contest(
        name="40/40, 5 µs beside 20 µs", kernels=[KERNEL_5_US, KERNEL_20_US], limits=[0.4, 0.4]
    ),
    Contest(
        name="20/30/30, 5 µs, 20 µs and 1.4 ms",
        kernels=[KERNEL_5_US, KERNEL_20_US, KERNEL_1400_US],
        limits=[0.2, 0.3, 0.3],
    ),
)
LONG_CONTESTS = (
    Contest(
        name="40/40, 5 µs beside 11 ms", kernels=[KERNEL_5_US, KERNEL_11_MS], limits=[0.4, 0.4]
    ),
    Contest(
        name="20/30/40, 20 µs, 1.4 ms and 11 ms",
        kernels=[KERNEL_20_US, KERNEL_1400_US, KERNEL_11_MS],
        limits=[0.2, 0.3, 0.4],
    ),
)
"""With a kernel longer than a time slice, which is cut as long as it never runs alone."""
FULL_CONTEST = Contest(
    name="30/70, both 1.4 ms", kernels=[KERNEL_1400_US, KERNEL_1400_US], limits=[0.3, 0.7]
)
"""Only for a card that loses nothing to its switches."""


def saturated(kernel: Kernel, limit: float) -> Tenant:
    """Return a tenant that launches one kernel without end."""
    return Tenant(script=Script(kernels=[kernel]), limit=limit)


def under(law: str, setting: Setting, tenants: Sequence[Tenant]) -> AbstractContextManager[Trial]:
    """Yield tenants under a law of ``LAWS``."""
    if law == OURS:
        return under_our_law(setting.card, tenants)
    return under_foreign_law(
        setting.card, tenants, FOREIGN_LAWS[law], sees_neighbours=setting.sees_neighbours
    )


def shares_of(law: str, setting: Setting, tenants: Sequence[Tenant]) -> list[float]:
    """Return what each tenant gets from 10 to 30 s."""
    with under(law, setting, tenants) as trial:
        return settled_shares(trial)


def alone(law: str, setting: Setting, limit: float) -> list[float]:
    """Return what a worker alone gets with each of ``KERNELS``."""
    return [shares_of(law, setting, [saturated(kernel, limit)])[0] for kernel in KERNELS]
