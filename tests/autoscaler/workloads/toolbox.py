"""The tools of a controller over the API server in memory, with time that a test moves."""

from autoscaler.clock import VirtualClock
from autoscaler.kube.event_recorder import EventRecorder
from autoscaler.kube.resource import EVENTS
from autoscaler.kube.write_budget import WriteBudget
from autoscaler.kube.writer import Writer
from autoscaler.workloads.books.books import Books
from autoscaler.workloads.cluster import Cluster
from autoscaler.workloads.counts import ControllerCounts
from autoscaler.workloads.rules import ControllerRules
from autoscaler.workloads.tools import Tools
from tests.autoscaler.api_double import START_S, ApiDouble

NAMESPACE = "tensor-fusion-autoscaler"


class WorkDouble:
    """Notes what is asked for: (key, priority) now, and (key, delay in seconds) later."""

    def __init__(self):
        self.added = []
        self.delayed = []

    def add(self, key, priority):
        self.added.append((key, priority))

    def add_after(self, key, delay_s, priority):
        self.delayed.append((key, delay_s))

    def keys(self):
        """Return the keys that are to be looked at now, each once, and forget them."""
        keys = list(dict.fromkeys(key for key, _ in self.added))
        self.added.clear()
        return keys


class Toolbox:
    """``tools`` for reconcilers, and what stands behind them."""

    def __init__(self, *, api=None, **rules):
        self.api = ApiDouble() if api is None else api
        self.is_leader = True
        self.work = WorkDouble()
        self.clock = VirtualClock(START_S)
        budget = WriteBudget(1e6, monotonic_s=self._now_s, wait=lambda wait_s: None)
        self.events = EventRecorder(
            self.api,
            controller="tensor-fusion-controller",
            instance="test",
            budget=budget,
            now_s=self._now_s,
            monotonic_s=self._now_s,
        )
        self.tools = Tools(
            cluster=Cluster(self.api, namespace=NAMESPACE),
            books=Books(),
            writer=Writer(self.api, budget, is_leader=lambda: self.is_leader),
            events=self.events,
            work=self.work,
            counts=ControllerCounts(),
            clock=self.clock,
            rules=ControllerRules(namespace=NAMESPACE, **rules),
        )

    def show(self):
        """Let the caches show what the API server has."""
        self.api.show_in(self.tools.cluster)

    def advance(self, duration_s):
        """Let time pass."""
        self.clock.advance_to(self.clock.now_s() + duration_s)
        self.api.now_s = self.clock.now_s()

    def told(self):
        """Return (kind, name, reason, note) of the events that were recorded so far."""
        self.events.write_due()
        return [
            (each["regarding"]["kind"], each["regarding"]["name"], each["reason"], each["note"])
            for each in self.api.all(EVENTS)
        ]

    def _now_s(self):
        return float(self.clock.now_s())
