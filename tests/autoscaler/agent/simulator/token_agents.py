"""Foreign laws at work: one controller per worker over its bucket of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.autoscaler.agent.simulator.laws.token_law import Admission, TokenLaw
from tests.autoscaler.agent.simulator.sampling import Sampler
from tests.autoscaler.agent.simulator.scripts import SECOND_NS, Script
from tests.autoscaler.agent.simulator.simulation import Gate, Simulation
from tests.autoscaler.agent.simulator.timeline import Timeline

GATES = {Admission.COVERED: Gate.COVERED, Admission.NOT_IN_DEBT: Gate.NOT_IN_DEBT}
STALE_HEARTBEAT_NS = 2 * SECOND_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenWorker:
    """One pod under a foreign law."""

    law: TokenLaw
    pod: int
    process: int


def add_token_workers(
    simulation: Simulation, scripts: Sequence[Script], laws: Sequence[TokenLaw]
) -> list[TokenWorker]:
    """Put one pod of one process per script on the card."""
    workers = []
    for script, law in zip(scripts, laws, strict=True):
        pod = simulation.add_pod(GATES[law.admission])
        process = simulation.add_process(pod, script, law.price)
        workers.append(TokenWorker(law=law, pod=pod, process=process))
    return workers


class TokenAgents:
    """The controllers of all workers on a card."""

    def __init__(
        self,
        simulation: Simulation,
        timeline: Timeline,
        workers: Sequence[TokenWorker],
        sampler: Sampler,
    ) -> None:
        self._simulation = simulation
        self._timeline = timeline
        self._workers = workers
        self._sampler = sampler
        self._is_dead = False
        for worker in workers:
            timeline.every(worker.law.period_ns, self._controller(worker))

    def end(self) -> None:
        """End the agent, and with it what does not run in the processes."""
        self._is_dead = True
        for worker in self._workers:
            if worker.law.is_open_without_agent:
                self._timeline.at(
                    self._simulation.now_ns + STALE_HEARTBEAT_NS, self._opener(worker.pod)
                )

    def _controller(self, worker: TokenWorker) -> Callable[[], None]:
        def control() -> None:
            if self._is_dead and not worker.law.is_in_process:
                return
            reading = self._sampler.reading([worker.process])
            tokens = self._simulation.tokens(worker.pod)
            elapsed_s = worker.law.period_ns / SECOND_NS
            refilled = worker.law.refilled(tokens, reading, elapsed_s)
            self._simulation.set_tokens(worker.pod, refilled)

        return control

    def _opener(self, pod: int) -> Callable[[], None]:
        return lambda: self._simulation.set_gate(pod, Gate.OPEN)
