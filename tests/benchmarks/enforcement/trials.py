"""Who shares a card in the measured trials, what they launch, and what they must get."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from autoscaler.agent.sharing.shares import ShareDemand, allocate
from tests.benchmarks.enforcement.host import PERCENT, HostWorker
from tests.fakes.gpu.cards import CardTraits

TARGET_POINTS = 1.0
KERNELS_NS = {"5 us": 5_000, "20 us": 20_000, "1.4 ms": 1_400_000, "11 ms": 11_000_000}
KERNEL_NS = 1_400_000
MEASURED = CardTraits()
LOSSLESS = CardTraits(switch_ns=1, gap_ns=1, drain_ns=1)
"""A card that loses nothing between kernels or contexts, so that limits of 100 % fit on it."""
QOS_RANKS = {"low": 0, "medium": 1, "high": 2, "critical": 3}
NUMBERS = count(1)
"""Each worker has a name of its own, and so pages that nobody used before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A worker, what it launches without end, and what of the card it must get."""

    worker: HostWorker
    kernels_ns: Sequence[int]
    wanted_percent: float
    has_one_shape: bool = False
    """Whether launches of all lengths look the same to the limiter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Tenants that run at the same time on one card."""

    name: str
    tenants: Sequence[Tenant]
    card: CardTraits = MEASURED


def alone(limits_percent: Sequence[float]) -> Iterator[Trial]:
    """Yield one tenant after the other, with kernels of one length."""
    for name, kernel_ns in KERNELS_NS.items():
        for percent in limits_percent:
            tenant = tenant_of("alone", percent, kernel_ns)
            yield Trial(name=f"{name} kernels at {percent:g} %", tenants=[tenant])


def mixes() -> Iterator[Trial]:
    """Yield one tenant after the other, with kernels of several lengths in turn."""
    for names in (("5 us", "1.4 ms"), ("20 us", "1.4 ms", "11 ms")):
        lengths = [KERNELS_NS[name] for name in names]
        tenant = tenant_of("mixed", 40.0, *lengths)
        yield Trial(name=f"{', '.join(names)} in turn at 40 %", tenants=[tenant])
    yield Trial(
        name="launches of one shape, 350 us and 1.4 ms in turn, at 40 %",
        tenants=[_of_one_shape(40.0)],
    )


def contests() -> Iterator[Trial]:
    """Yield tenants beside each other, all of which ask for the whole card."""
    yield Trial(
        name="30/60 %, both 1.4 ms",
        tenants=[tenant_of("a", 30.0, KERNEL_NS), tenant_of("b", 60.0, KERNEL_NS)],
    )
    yield Trial(
        name="30/60 %, 20 us beside 1.4 ms",
        tenants=[tenant_of("a", 30.0, KERNELS_NS["20 us"]), tenant_of("b", 60.0, KERNEL_NS)],
    )
    yield Trial(
        name="30/60 %, launches of one shape, 350 us and 1.4 ms in turn, beside 1.4 ms",
        tenants=[_of_one_shape(30.0), tenant_of("b", 60.0, KERNEL_NS)],
    )
    yield Trial(
        name="30/70 %, both 1.4 ms, a card without losses",
        tenants=[tenant_of("a", 30.0, KERNEL_NS), tenant_of("b", 70.0, KERNEL_NS)],
        card=LOSSLESS,
    )
    yield Trial(
        name="20/30/50 %, all 1.4 ms, a card without losses",
        tenants=[
            tenant_of("a", 20.0, KERNEL_NS),
            tenant_of("b", 30.0, KERNEL_NS),
            tenant_of("c", 50.0, KERNEL_NS),
        ],
        card=LOSSLESS,
    )


def qos_burst() -> Trial:
    """Return two workers that both want more than their request, of different levels."""
    workers = [
        HostWorker(name=qos, limit_percent=80.0, request_percent=20.0, qos=qos)
        for qos in ("low", "high")
    ]
    demands = [
        ShareDemand(
            request=worker.request_percent / PERCENT,
            limit=worker.limit_percent / PERCENT,
            demand=1.0,
            qos_rank=QOS_RANKS[worker.qos],
        )
        for worker in workers
    ]
    tenants = [
        Tenant(worker=worker, kernels_ns=[KERNEL_NS], wanted_percent=PERCENT * share)
        for worker, share in zip(workers, allocate(demands), strict=True)
    ]
    name = "burst of low and high, 20 to 80 % each, a card without losses"
    return Trial(name=name, tenants=tenants, card=LOSSLESS)


def tenant_of(name: str, percent: float, *kernels_ns: int) -> Tenant:
    """Return a tenant whose request is its limit, and that must get all of it."""
    worker = HostWorker(
        name=f"{name}-{next(NUMBERS)}", limit_percent=percent, request_percent=percent
    )
    return Tenant(worker=worker, kernels_ns=kernels_ns, wanted_percent=percent)


def _of_one_shape(percent: float) -> Tenant:
    """Return a tenant whose launches differ in their length alone, as products of matrices may."""
    return replace(tenant_of("one-shape", percent, 350_000, KERNEL_NS), has_one_shape=True)
