"""A living fleet in trouble: everything that may happen does, at random but the same for a seed."""

import random
from dataclasses import replace

from autoscaler.errors import ApiUnavailableError, ConflictError, ThrottledError
from autoscaler.kube.resource import WORKLOADS
from autoscaler.scaling.live.caches import HPAS, KINDS
from tests.autoscaler.scaling.live.live_objects import ENROLLED, GIB, hpa
from tests.autoscaler.scaling.running.led_process import LedProcess
from tests.autoscaler.scaling.running.living_fleet import Demand, LivingFleet
from tests.autoscaler.scaling.running.loop_laws import LoopLaws
from tests.autoscaler.workloads.objects import TEAM

NAMES = ("chat", "rank")
QUIET = Demand(tflops=6.0, vram_bytes=2 * GIB)
CONFIGS = (
    ENROLLED,
    {},
    {"autoSetLimits": {"enable": True}},
    {**ENROLLED, "mode": "initial"},
)
LEADERS = ("state", "old state", "no state")
"""With what the next leader begins."""


class StormyFleet:
    """Autoscalers that lead one after the other over two workloads; ``folder`` has their state."""

    def __init__(self, seed, folder):
        self.random = random.Random(seed)
        self.fleet, self._folder = LivingFleet(), folder
        for name in NAMES:
            self.fleet.add(name, workers=2)
        self.fleet.remember()
        self.laws = LoopLaws(self.fleet)
        self._is_calm = self._is_dead = False
        self._dies_after = None
        """Requests until the process that leads ends; None: it goes on."""
        self._epoch = 0
        self._lead(self._folder / "none")

    def storm(self, ticks):
        """Let so many ticks pass in which anything may happen."""
        events = (
            *(
                self._demand,
                self._demand,
                self._demand,
                self._memory,
                self._memory,
                self._end_leader,
                self._end_leader,
            ),
            *(self._mode, self._pause, self._enrolment, self._anew, self._rival),
            *(self._replicas, self._outage, self._room),
        )
        for _ in range(ticks):
            self.fleet.step()
            if self._chance(0.4):
                self.random.choice(events)(self.random.choice(NAMES))
            if self._chance(0.3):
                self.fleet.api.deliver()
            if self._chance(0.7):
                self.process.see()
            elif self._chance(0.5):
                self.process.see(self.random.sample(KINDS, 2))
            self._tick()
            if self._chance(0.1) and not self._is_dead:
                self._keep_state()
            if self._dies_after is not None and (self._is_dead or self._chance(0.3)):
                self._follow_leader()
            if self._chance(0.7):
                self.fleet.follow(is_late=lambda pod: self._chance(0.2))

    def settle(self, ticks):
        """Let all be well again; return how much was written in each of so many ticks."""
        fleet = self.fleet
        self._is_calm, self._dies_after = True, None
        if self._is_dead:
            self._follow_leader()
        fleet.api.deliver()
        fleet.metrics.is_down, fleet.most_tflops = False, {}
        fleet.switch(mode="apply")
        for name in NAMES:
            fleet.pause(name, is_paused=False)
            fleet.enrol(ENROLLED, name)
            fleet.demand[name] = replace(QUIET)
            if fleet.api.find(HPAS, TEAM, name):
                fleet.api.remove(HPAS, TEAM, name)
        writes = []
        for _ in range(ticks):
            fleet.api.requests.clear()
            fleet.step()
            self.process.see()
            self._tick()
            fleet.follow()
            writes.append(len(fleet.api.writes()))
        return writes

    def close(self):
        self.process.end()

    def _lead(self, state):
        self._epoch += 1
        self._is_dead = False
        self.process = LedProcess(self.fleet, epoch=self._epoch, state=state)
        self.laws.process = self.process
        self._warms_in = self.random.choice((0, 1, 3, 8))

    def _tick(self):
        self.fleet.api.fault = self._fault
        tick = self.process.tick()
        self.fleet.api.fault = lambda method, path: None
        if not self._is_dead:
            self.laws.after_tick(tick)
        if self._warms_in <= 0 and not self.fleet.metrics.is_down:
            self.process.warm()
        self._warms_in -= 1

    def _fault(self, method, path):
        """Return what becomes of a request."""
        if self._is_dead:
            return ApiUnavailableError("the process has ended")
        if self._dies_after == 0:
            self._is_dead = True
            return self.random.choice(
                ("late", "lost", ApiUnavailableError("the process ends here"))
            )
        if self._dies_after is not None:
            self._dies_after -= 1
        if self._is_calm or not self._chance(0.25):
            return None
        return self.random.choice(
            (
                *("late", "late", "lost"),
                ThrottledError("too many requests", http_status=429, retry_after_s=1.0),
                ApiUnavailableError("no answer"),
                ConflictError("changed", http_status=409),
            )
        )

    def _keep_state(self):
        """Write the state, and at times keep it as the one that a restored node would have."""
        path = self._folder / "state"
        if self.process.keep(path) and self._chance(0.3):
            (self._folder / "old state").write_bytes(path.read_bytes())

    def _follow_leader(self):
        self.process.end()
        self._dies_after = None
        self._lead(self._folder / self.random.choice(LEADERS))
        if self._chance(0.6):
            self.process.see()

    def _end_leader(self, name):
        self._dies_after = self.random.randrange(3)

    def _demand(self, name):
        self.fleet.demand[name].tflops = self.random.choice((1.0, 4.0, 8.0, 15.0, 25.0))

    def _memory(self, name):
        self.fleet.demand[name].vram_bytes = self.random.choice((1, 2, 4, 7, 9)) * GIB

    def _mode(self, name):
        self.fleet.switch(mode=self.random.choice(("apply", "recommend")))

    def _pause(self, name):
        self.fleet.pause(name, is_paused=self._chance(0.5))

    def _enrolment(self, name):
        self.fleet.enrol(self.random.choice(CONFIGS), name)

    def _anew(self, name):
        """Let a workload be made anew under its name, at times with a tick in between."""
        demand, replicas = self.fleet.demand[name], self.fleet.replicas(name)
        self.fleet.api.remove(WORKLOADS, TEAM, name)
        if self._chance(0.5):
            self.process.see()
            self._tick()
        uid = f"anew-{self.fleet.clock.now_s()}"
        self.fleet.add(name, workers=replicas, demand=demand, uid=uid)

    def _rival(self, name):
        if self.fleet.api.find(HPAS, TEAM, name) is None:
            self.fleet.api.add(HPAS, hpa(name, target=name))
        else:
            self.fleet.api.remove(HPAS, TEAM, name)

    def _replicas(self, name):
        self.fleet.set_replicas(self.random.choice((1, 2, 3, 5)), name)

    def _outage(self, name):
        self.fleet.metrics.is_down = not self.fleet.metrics.is_down

    def _room(self, name):
        self.fleet.most_tflops[name] = self.random.choice((8.0, 12.0, 100.0))

    def _chance(self, share):
        return self.random.random() < share
