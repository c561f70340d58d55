"""An API server in memory with what a leading autoscaler writes to it, and time that tests move."""

from contextlib import contextmanager

from autoscaler.api.names import CONTROL_CONFIG_MAP, NAMESPACE
from autoscaler.clock import VirtualClock
from autoscaler.errors import ApiUnavailableError
from autoscaler.kube.event_recorder import EventRecorder
from autoscaler.kube.resource import CONFIG_MAPS, DEPLOYMENTS, EVENTS, GPUS, PODS, WORKLOADS
from autoscaler.kube.write_budget import WriteBudget
from autoscaler.kube.writer import Writer
from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.cluster import Change, amounts
from autoscaler.scaling.live.caches import KINDS, LiveCaches
from autoscaler.scaling.live.replicas.replica_guards import ReplicaGuards
from autoscaler.scaling.live.replicas.rivals import Rivals
from autoscaler.scaling.live.replicas.scale_targets import ScaleTargets
from autoscaler.scaling.live.viewing.views import LiveViews
from autoscaler.scaling.live.writing_parts import writing_parts
from recommender.policy.model import Mode
from tests.autoscaler.api_double import START_S, ApiDouble
from tests.autoscaler.scaling.live.live_objects import ENROLLED, gpu, worker, workload
from tests.autoscaler.workloads.objects import TEAM, made

GIB = float(2**30)
KEY = (TEAM, "chat")


class Switches:
    """How far a process may go."""

    def __init__(self):
        self.mode = Mode.APPLY
        self.hold = None


class Process:
    """One autoscaler that leads, with a thread that writes; ``end`` it."""

    def __init__(self, world, *, epoch=1, apply_within_s=5.0, budget=None):
        self.world, self.is_leader, self.is_dead = world, True, False
        self.caches = LiveCaches(world.api, namespace=NAMESPACE)
        self.guards = ReplicaGuards(world.clock)
        self.targets = ScaleTargets(world.api)
        self.budget = budget or WriteBudget(1e6, monotonic_s=world.now_s)
        self.events = EventRecorder(
            world.api,
            controller="tensor-fusion-autoscaler",
            instance="test",
            budget=self.budget,
            now_s=world.now_s,
            monotonic_s=world.now_s,
        )
        self.external_states, self.hold_reasons = {}, ()
        self.views = LiveViews(
            self.caches,
            rivals=Rivals(world.api, self.caches),
            scale_targets=self.targets,
            replica_guards=self.guards,
            external=lambda uid: None,
            gpu_models=GpuModels(),
        )
        parts = writing_parts(
            world.api,
            caches=self.caches,
            views=self.views,
            targets=self.targets,
            guards=self.guards,
            writer=Writer(world.api, self.budget, is_leader=lambda: self.is_leader),
            events=self.events,
            clock=world.clock,
            epoch=lambda: epoch,
            external_state=self.external_states.get,
            workers=1,
            apply_within_s=apply_within_s,
        )
        self.cluster, self.stating = parts.cluster, parts.stating
        self.switches = Switches()
        self.showing = parts.showing(self.switches, lambda: self.hold_reasons)
        self.see()
        self.stating.start()

    def see(self):
        """Let the caches show what the API server has."""
        for kind in KINDS:
            kept = [kind.keep(obj) for obj in self.world.api.all(kind.resource)]
            self.caches.store(kind.resource).replace(kept)
        self.caches.controls.replace(self.world.api.all(CONFIG_MAPS))

    def tick(self, *changes, is_seen=True):
        """Do what a tick does: look, apply, and see what came of it; return the outcomes."""
        self.cluster.snapshot()
        outcomes = self.cluster.apply(changes)
        if is_seen:
            self.see()
        return outcomes

    def told(self):
        """Return (reason, note) of the events so far."""
        self.events.write_due()
        return [(each["reason"], each["note"]) for each in self.world.api.all(EVENTS)]

    def end(self):
        self.stating.stop()


class WritingWorld:
    """A namespace with workloads of Deployments, and processes that follow one another."""

    def __init__(self, *, config=ENROLLED):
        self.api, self.clock = ApiDouble(), VirtualClock(START_S)
        self.config = config
        control = made("ConfigMap", CONTROL_CONFIG_MAP, api_version="v1", namespace=NAMESPACE)
        self.api.add(CONFIG_MAPS, {**control, "data": {"mode": "apply"}})
        self.api.add(GPUS, gpu())
        self.processes = []

    def now_s(self):
        return float(self.clock.now_s())

    def advance(self, duration_s):
        self.clock.advance_to(self.clock.now_s() + duration_s)
        self.api.now_s = self.clock.now_s()

    def add(self, name="chat", *, workers=1, config=None, **fields):
        """Let there be a Deployment with a workload and workers that run."""
        spec = {"replicas": workers}
        owner = made("Deployment", name, api_version="apps/v1", spec=dict(spec))
        self.api.add(DEPLOYMENTS, owner)
        config = self.config if config is None else config
        if config:
            fields["autoScalingConfig"] = config
        owners = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": "u"}]
        self.api.add(WORKLOADS, workload(name, owners=owners, **spec, **fields))
        for number in range(workers):
            self.api.add(PODS, worker(f"{name}-{number}", of=name))

    def add_again(self, name):
        """Let a workload that was removed be made anew."""
        anew = workload(name, replicas=self.replicas(name), autoScalingConfig=self.config)
        anew["metadata"]["uid"] = "anew"
        self.api.add(WORKLOADS, anew)

    def process(self, **options):
        process = Process(self, **options)
        self.processes.append(process)
        return process

    def workload(self, name="chat"):
        return self.api.find(WORKLOADS, TEAM, name)

    def status(self, name="chat"):
        return self.workload(name)["status"]

    def desired(self, name="chat"):
        """Return what is stated, without its place in the order of decisions."""
        stated = self.status(name).get("desiredResources") or {}
        return {
            key: part for key, part in stated.items() if key not in {"epoch", "sequence", "time"}
        }

    def conditions(self, name="chat"):
        """Return (status, reason) by type."""
        return {
            each["type"]: (each["status"], each["reason"])
            for each in self.status(name).get("conditions") or ()
        }

    def set_replicas(self, number, name="chat"):
        """Let somebody set the replicas of a Deployment, and the controller follow."""
        self.api.edit(DEPLOYMENTS, TEAM, name, lambda obj: obj["spec"].update(replicas=number))
        self.follow(name)

    def follow(self, name="chat"):
        """Do as the controller: the workload's number of replicas is its owner's."""
        number = self.replicas(name)
        self.api.edit(WORKLOADS, TEAM, name, lambda obj: obj["spec"].update(replicas=number))

    def replicas(self, name="chat"):
        return self.api.find(DEPLOYMENTS, TEAM, name)["spec"]["replicas"]

    def writes(self):
        """Return the writes since the last time they were asked for, without events."""
        writes = [path for _, path in self.api.writes() if "/events" not in path]
        self.api.requests.clear()
        return writes

    def scales(self):
        """Return how often replicas were set by a scale."""
        return sum(path.endswith("/scale") for _, path in self.api.writes())

    @contextmanager
    def down(self):
        """Let the API server answer nobody."""

        def refuse(method, path):
            raise ApiUnavailableError("no answer")

        before, self.api.before = self.api.before, refuse
        try:
            yield
        finally:
            self.api.before = before

    def close(self):
        for process in self.processes:
            process.end()


def change(name="chat", *, uid=None, request=None, limit=None, **fields):
    """Return a change of a workload of the namespace ``team``."""
    for side, values in (("start_request", "start_request"), ("start_limit", "start_limit")):
        if values in fields:
            fields[side] = amounts(fields[values])
    return Change(
        namespace=TEAM,
        workload=name,
        uid=uid or f"uid-of-tensorfusionworkload-{name}",
        gpu_model=fields.pop("gpu_model", "NVIDIA A100-SXM4-80GB"),
        request=amounts(request),
        limit=amounts(limit),
        **fields,
    )
