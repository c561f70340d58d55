"""Tenants of a card, and what each gets of it under a law.

A tenant is one pod; what it gets is the part of the card's time that the card's own ledger counts
for it, gaps between its kernels included: the part of its speed without a limit and a neighbour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.autoscaler.agent.simulator.laws.token_law import TokenLaw
from tests.autoscaler.agent.simulator.own_agent import OwnAgent, OwnWorker, add_own_workers
from tests.autoscaler.agent.simulator.sampling import (
    KIND_PERIOD_NS,
    KindSampler,
    MeasuredSampler,
    Sampler,
)
from tests.autoscaler.agent.simulator.scripts import SECOND_NS, Card, Tenant
from tests.autoscaler.agent.simulator.simulation import Simulation
from tests.autoscaler.agent.simulator.timeline import Timeline
from tests.autoscaler.agent.simulator.token_agents import (
    TokenAgents,
    TokenWorker,
    add_token_workers,
)

RUN_NS = 30 * SECOND_NS
SETTLED_NS = 10 * SECOND_NS
"""From when on it counts what a tenant gets."""


@dataclass(slots=True)
class Trial:
    """A card with tenants under one law."""

    simulation: Simulation
    timeline: Timeline
    processes: Sequence[Sequence[int]]
    """Of each tenant."""
    agent: TokenAgents | OwnAgent
    pods: Sequence[int]
    _marked: list[int] = field(default_factory=list)
    _marked_ns: int = 0

    def mark(self) -> None:
        """Count what tenants get from now on."""
        self._marked = self._busy_ns()
        self._marked_ns = self.simulation.now_ns
        self.simulation.forget_holds()

    def shares(self) -> list[float]:
        """Return what each tenant got since the mark, 0 to 1."""
        elapsed_ns = self.simulation.now_ns - self._marked_ns
        pairs = zip(self._busy_ns(), self._marked, strict=True)
        return [(busy_ns - before_ns) / elapsed_ns for busy_ns, before_ns in pairs]

    def shares_between(self, from_ns: int, until_ns: int) -> list[float]:
        """Let time pass and return what each tenant got between two times."""
        self.timeline.run_until(from_ns)
        self.mark()
        self.timeline.run_until(until_ns)
        return self.shares()

    def longest_hold_ns(self, tenant: int) -> int:
        """Return for how long a launch was held at most since the mark."""
        held = (self.simulation.counts(each).longest_hold_ns for each in self.processes[tenant])
        return max(held)

    def _busy_ns(self) -> list[int]:
        return [
            sum(self.simulation.counts(process).busy_ns for process in processes)
            for processes in self.processes
        ]


@contextmanager
def under_foreign_law(
    card: Card,
    tenants: Sequence[Tenant],
    law: Callable[[float], TokenLaw],
    *,
    sees_neighbours: bool,
) -> Iterator[Trial]:
    """Yield tenants of one process each under a foreign law.

    ``sees_neighbours``: NVML divides the card, which it does not.
    """
    with Simulation(card) as simulation:
        timeline = Timeline(simulation)
        laws = [law(tenant.limit) for tenant in tenants]
        workers: Sequence[TokenWorker] = add_token_workers(
            simulation, [tenant.script for tenant in tenants], laws
        )
        processes = [worker.process for worker in workers]
        sampler: Sampler = MeasuredSampler(simulation)
        if sees_neighbours:
            sampler = KindSampler(simulation, processes)
        timeline.every(KIND_PERIOD_NS, sampler.sample)
        yield Trial(
            simulation=simulation,
            timeline=timeline,
            processes=[[process] for process in processes],
            agent=TokenAgents(simulation, timeline, workers, sampler),
            pods=[worker.pod for worker in workers],
        )


@contextmanager
def under_our_law(card: Card, tenants: Sequence[Tenant]) -> Iterator[Trial]:
    """Yield tenants under the limiter and the agent of this project, with NVML as it is."""
    with Simulation(card) as simulation:
        timeline = Timeline(simulation)
        workers: Sequence[OwnWorker] = add_own_workers(simulation, tenants)
        yield Trial(
            simulation=simulation,
            timeline=timeline,
            processes=[worker.processes for worker in workers],
            agent=OwnAgent(simulation, timeline, workers),
            pods=[worker.pod for worker in workers],
        )


def settled_shares(trial: Trial) -> list[float]:
    """Return what each tenant gets between 10 and 30 s."""
    return trial.shares_between(SETTLED_NS, RUN_NS)
