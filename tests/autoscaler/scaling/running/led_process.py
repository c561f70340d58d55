"""One autoscaler with its real parts over a living fleet; tests tick it, and end it anywhere."""

from contextlib import contextmanager

from autoscaler.kube.resource import CONFIG_MAPS
from autoscaler.kube.write_budget import WriteBudget
from autoscaler.scaling.live.caches import KINDS
from autoscaler.scaling.loop import Loop, LoopSettings
from autoscaler.scaling.running.checkpoints import Checkpoints
from autoscaler.scaling.running.counts.tick_counts import TickCounts
from autoscaler.scaling.running.health_gate import HealthGate
from autoscaler.scaling.running.ticking import Ticking
from autoscaler.scaling.running.warming import Warming
from recommender.decision import Layer
from recommender.resources import TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.live.writing_world import Process
from tests.components.processes import until

RESOURCES = (TFLOPS, VRAM)
SINCE_S = 3 * 86400
STEP_S = 15


class LedProcess:
    """Leads in its term ``epoch`` until ``end``.

    Without the file ``state`` nothing is known, and the history is read when ``warm`` is called.
    """

    def __init__(self, fleet, *, epoch=1, state=None, requests_every_s=60):
        self.fleet, self.epoch, self._waited_s = fleet, epoch, 0.0
        budget = WriteBudget(1e6, monotonic_s=self._steady_s, wait=self._wait)
        self.parts = Process(fleet, epoch=epoch, budget=budget)
        self.loop = Loop(
            self.parts.cluster,
            fleet.metrics,
            fleet.clock,
            UsageModel(RESOURCES),
            LoopSettings(
                period_s={
                    Layer.REQUESTS: requests_every_s,
                    Layer.LIMITS: STEP_S,
                    Layer.REPLICAS: STEP_S,
                }
            ),
        )
        counts = TickCounts()
        self.gate = HealthGate(None, metrics_within_s=60.0, monotonic_s=fleet.now_s)
        self.gate.metrics_were_read()
        self.ticks = []
        self.ticking = Ticking(
            self.loop,
            self.gate,
            counts,
            control=self.parts.caches.control,
            shows=(self.ticks.append, self._show),
            monotonic_s=fleet.now_s,
        )
        self.checkpoints = Checkpoints(
            self.loop, state, counts, is_whole=lambda: self.ticking.warming is None
        )
        now_s = fleet.clock.now_s()
        history = self.checkpoints.begin(now_s - SINCE_S, now_s=now_s)
        self._warming = None
        if history is not None:
            self._warming = Warming(history, self._opened, fleet.clock, step_s=STEP_S)
            self.ticking.warm_by(self._warming)

    def see(self, kinds=KINDS):
        """Let the caches of some kinds show what the API server has."""
        for kind in kinds:
            kept = [kind.keep(obj) for obj in self.fleet.api.all(kind.resource)]
            self.parts.caches.store(kind.resource).replace(kept)
        if len(kinds) == len(KINDS):
            self.parts.caches.controls.replace(self.fleet.api.all(CONFIG_MAPS))

    def tick(self):
        """Tick once, and return what the tick did when all of it was written."""
        self.ticking.run()
        until(self._is_idle, what="all is written")
        return self.ticks[-1]

    def warm(self):
        """Read the history, if it has not been; the next tick knows it."""
        if self._warming is not None:
            self._warming.start()
            until(lambda: not self._warming.is_alive, what="the history is read")
            self._warming = None

    def keep(self, path):
        """Write the state; return whether there was one to be written."""
        if self.ticking.warming is not None:
            return False
        path.write_bytes(self.loop.checkpoint())
        return True

    def end(self):
        """Let it be gone."""
        self.parts.end()

    def _show(self, tick):
        switches = self.parts.switches
        switches.mode, switches.hold = self.loop.mode, self.loop.hold
        self.parts.showing(tick)

    def _is_idle(self):
        queue = self.parts.stating.snapshot().queue
        return not any(queue.backlog.values()) and queue.in_hand == 0

    @contextmanager
    def _opened(self):
        yield self.fleet.metrics

    def _steady_s(self):
        return self.fleet.now_s() + self._waited_s

    def _wait(self, duration_s):
        self._waited_s += duration_s
