"""A controller with all its parts in a world of trouble, in which one seed decides everything.

Caches lag, each kind on its own; requests fail before or after they were carried out, or come
through late; other keys, users, the scheduler and the kubelet act in the middle of a write; and the
controller is replaced by another one.
"""

from __future__ import annotations

import copy
import random
from collections import Counter, defaultdict

from autoscaler.api.names import CONTROL_CONFIG_MAP
from autoscaler.clock import VirtualClock
from autoscaler.errors import ApiUnavailableError, KubeError, ThrottledError
from autoscaler.kube.event_recorder import EventRecorder
from autoscaler.kube.resource import (
    CONFIG_MAPS,
    GPUS,
    NODES,
    PODS,
    POOLS,
    QUOTAS,
    STATEFUL_SETS,
)
from autoscaler.kube.work_queue import WorkQueue
from autoscaler.kube.write_budget import WriteBudget
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.books.inventory import card_of
from autoscaler.workloads.books.observed_claims import observed_claims
from autoscaler.workloads.cluster import KINDS
from autoscaler.workloads.dispatch import Dispatch
from autoscaler.workloads.parts import parts_of
from autoscaler.workloads.resync import Resync
from autoscaler.workloads.rules import ControllerRules
from autoscaler.workloads.taking_over import learn_placements
from tests.autoscaler.api_double import START_S, ApiDouble
from tests.autoscaler.workloads.objects import (
    gpu,
    made,
    node,
    pool,
    quota,
)
from tests.autoscaler.workloads.others_acting import Others
from tests.autoscaler.workloads.toolbox import NAMESPACE

_CACHED = {each.resource: each for each in KINDS}
_SETS = ("a", "b", "c")
_DEEPEST = 2
"""So many requests may be in progress at once."""
_TOTAL = {"requests": {"tflops": "220"}, "maxWorkers": 6}


class NotifyingDict(dict):
    """Tells of each object that is set or deleted: key, what it is now, and what it was."""

    def __init__(self, tell):
        self._tell = tell

    def __setitem__(self, key, obj):
        super().__setitem__(key, obj)
        self._tell(key, obj, obj)

    def __delitem__(self, key):
        old = self.pop(key)
        self._tell(key, None, old)


class TroubledApi(ApiDouble):
    def __init__(self, world):
        super().__init__()
        self._world = world
        self._objects = NotifyingDict(world.notify)

    def request(self, method, path, **fields):
        world = self._world
        if not world.is_troubled:
            return super().request(method, path, **fields)
        world.meanwhile()
        fate = world.random.random()
        if fate < 0.03:
            raise ApiUnavailableError("no answer, and nothing was done")
        if method != "GET" and fate < 0.05:
            world.late.append((method, path, copy.deepcopy(fields)))
            raise ApiUnavailableError("no answer yet")
        if method != "GET" and fate < 0.07:
            raise ThrottledError("slowly", retry_after_s=0.5)
        answer = super().request(method, path, **fields)
        world.meanwhile()
        if fate > 0.97:
            raise ApiUnavailableError("no answer, and all was done")
        return answer


class OneController:
    """One process: its caches, its queue, and its parts."""

    def __init__(self, world):
        self.world, self.unseen = world, defaultdict(list)
        self.is_leader = False
        self.queue = WorkQueue(monotonic_s=world.now_s)
        budget = WriteBudget(1e9, monotonic_s=world.now_s, wait=world.advance)
        self.parts = parts_of(
            world.api,
            work=self.queue,
            rules=ControllerRules(namespace=NAMESPACE),
            events=EventRecorder(world.api, controller="c", instance="i", budget=budget),
            budget=budget,
            is_leader=lambda: self.is_leader,
            clock=world.clock,
            monotonic_s=world.now_s,
        )
        self.tools = self.parts.tools
        self.dispatch = Dispatch(
            self.queue, self.parts.reconcilers, self.tools.counts, monotonic_s=world.now_s
        )
        world.api.show_in(self.tools.cluster)
        self.resync = Resync(self.tools)
        self.resync.rebuild_books()

    def lead(self):
        self.is_leader = True
        while True:
            try:
                learn_placements(self.tools)
            except KubeError:
                continue
            self.resync.look_at_everything()
            return

    def see(self, resource, count):
        """Let a cache see so many of the changes that it has not seen."""
        changes = self.unseen[resource]
        seen, self.unseen[resource] = changes[:count], changes[count:]
        store, keep = self.tools.cluster.store(resource), _CACHED[resource].keep
        for new, old in seen:
            if new is None:
                store.remove(keep(copy.deepcopy(old)))
            else:
                store.put(keep(copy.deepcopy(new)))

    def list_again(self, resource):
        """Let a cache have lost its watch."""
        self.unseen[resource].clear()
        keep = _CACHED[resource].keep
        kept = [keep(obj) for obj in self.world.api.all(resource)]
        self.tools.cluster.store(resource).replace(kept)

    def see_all(self):
        for resource in list(self.unseen):
            self.see(resource, len(self.unseen[resource]))

    def work(self):
        return self.dispatch.run_once(0.0)


class TroubledWorld:
    """Two nodes with two GPUs each, and whatever a seed makes of them."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.clock, self.is_troubled, self.late, self._depth = VirtualClock(START_S), False, [], 0
        self.controller = None
        self.api = TroubledApi(self)
        self.add(POOLS, pool())
        for name in ("n1", "n2"):
            self.add(NODES, node(name, allocatable={"cpu": "3"}))
            for index in (0, 1):
                self.add(GPUS, gpu(f"GPU-{name}-{index}", node=name, index=index, vram="16Gi"))
        self.owners = [
            self.add(STATEFUL_SETS, made("StatefulSet", name, api_version="apps/v1", spec={}))
            for name in _SETS
        ]
        self.add(CONFIG_MAPS, made("ConfigMap", CONTROL_CONFIG_MAP, namespace=NAMESPACE))
        self.api.edit(
            CONFIG_MAPS, NAMESPACE, CONTROL_CONFIG_MAP, lambda o: o.update(data={"mode": "apply"})
        )
        self.total = _TOTAL if self.random.random() < 0.5 else {}
        self.add(QUOTAS, quota(total=self.total))
        self.others = Others(self)
        self.replace_controller()

    def add(self, resource, obj):
        obj = copy.deepcopy(obj)
        obj["metadata"].pop("uid")
        return self.api.add(resource, obj)

    def now_s(self):
        return float(self.clock.now_s())

    def advance(self, duration_s):
        self.clock.advance_to(self.clock.now_s() + duration_s)
        self.api.now_s = self.clock.now_s()

    def notify(self, key, new, old):
        if self.controller is not None and key[0] in _CACHED:
            self.controller.unseen[key[0]].append((copy.deepcopy(new), copy.deepcopy(old)))

    def replace_controller(self):
        """Let another process lead; what the former one sent has ended by then."""
        if self.controller is not None:
            self.controller.is_leader = False
        self.let_late_ones_through()
        self.controller = OneController(self)
        self.controller.lead()

    def let_late_ones_through(self):
        self.is_troubled, before = False, self.is_troubled
        for method, path, fields in self.late:
            try:
                self.api.request(method, path, **fields)
            except KubeError:
                continue
        self.late.clear()
        self.is_troubled = before

    def meanwhile(self):
        """Let things happen in the middle of a request."""
        if self._depth >= _DEEPEST:
            return
        self._depth += 1
        for _ in range(self.random.randrange(3)):
            self._see_something()
        if self.random.random() < 0.3:
            self.controller.work()
        if self.random.random() < 0.2:
            self.others.act()
        self._depth -= 1

    def live_through(self, steps):
        """Let so many things happen, most of them bad."""
        self.is_troubled = True
        for _ in range(steps):
            what = self.random.random()
            if what < 0.3:
                self.others.act()
            elif what < 0.7:
                self.controller.work()
            elif what < 0.9:
                self._see_something()
            elif what < 0.985:
                self.advance(self.random.choice([0.01, 0.3, 2.0, 30.0]))
            else:
                self.replace_controller()
            self.assert_nothing_is_given_twice()
        self.is_troubled = False
        self.let_late_ones_through()

    def rest(self, duration_s, *, most_looks=4000):
        """Let nothing happen but what the controller does itself."""
        looks, end_s = 0, self.now_s() + duration_s
        while self.now_s() < end_s:
            self.controller.see_all()
            while self.controller.work():
                self.controller.see_all()
                self.assert_nothing_is_given_twice()
                looks += 1
                assert looks < most_looks, "it never comes to rest"
            self.advance(0.25)

    def writes(self):
        """Return the writes since the last time they were asked for."""
        writes = self.api.writes()
        self.api.requests.clear()
        return writes

    def assert_nothing_is_given_twice(self):
        cards = {}
        for each in self.api.all(GPUS):
            on = self.api.find(NODES, "", each["metadata"]["labels"]["tensor-fusion.ai/managed-by"])
            cards[each["metadata"]["name"]] = card_of(each, on, self.api.find(POOLS, "", "pool"))
        used, workers, tflops = Counter(), 0, 0
        for claim in observed_claims(self.api.all(PODS), cards.get):
            workers += 1
            tflops += claim.total_request.microtflops
            for name in claim.gpus:
                used[name, "tflops"] += claim.request.microtflops
                used[name, "vram"] += claim.request.vram_bytes
        for name, card in cards.items():
            held = GpuAmounts(microtflops=used[name, "tflops"], vram_bytes=used[name, "vram"])
            assert held.fits_in(card.allocatable), name
        if self.total:
            assert (workers <= 6, tflops <= 220_000_000) == (True, True)

    def _see_something(self):
        resource = self.random.choice(list(self.controller.unseen) or [PODS])
        self.controller.see(resource, self.random.randrange(1, 6))
