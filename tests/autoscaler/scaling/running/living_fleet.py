"""A fleet that lives behind an API double: workers that use GPUs, and a controller that follows.

Time is moved by tests, in steps of a scrape.  What the autoscaler states is carried to the workers
when ``follow`` is called, and what they use is in ``metrics`` after each step.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.api.control import control_from
from autoscaler.api.in_force import amounts_at_start, amounts_while_running
from autoscaler.api.names import (
    AMOUNT_KEYS,
    CONTROL_CONFIG_MAP,
    NAMESPACE,
    PAUSED,
    PREFIX,
    WORKLOAD_LABEL,
)
from autoscaler.api.notes import NotedProblems
from autoscaler.clock import VirtualClock
from autoscaler.kube.resource import CONFIG_MAPS, DEPLOYMENTS, GPUS, PODS, WORKLOADS
from autoscaler.kube.timestamps import time_text
from autoscaler.scaling.live.viewing.policies import settings_of
from autoscaler.simulate.metrics import SimulatedMetrics
from autoscaler.sources.source import Metric
from recommender.quantities import parse_quantity
from tests.autoscaler.api_double import START_S
from tests.autoscaler.scaling.live.live_objects import A100, ENROLLED, GIB, gpu, worker, workload
from tests.autoscaler.scaling.running.lossy_network import LossyNetwork
from tests.autoscaler.workloads.objects import TEAM, made

SCRAPE_S = 15
PEAK_TFLOPS = 100.0
DAY_S = 86400
MINUTE_S = 60
METRICS = (
    Metric.TFLOPS,
    Metric.VRAM_BYTES,
    Metric.EFFECTIVE_SHARE_PERCENT,
    Metric.THROTTLED_RATIO,
    Metric.VRAM_DENIED,
)


@dataclass(kw_only=True)
class Demand:
    """What each worker of a workload would use."""

    tflops: float = 8.0
    vram_bytes: float = 2 * GIB


class LivingFleet:
    """Workloads of Deployments in one namespace."""

    def __init__(self):
        self.api, self.clock = LossyNetwork(), VirtualClock(START_S)
        self.metrics = SimulatedMetrics()
        self.demand, self.most_tflops = {}, {}
        self.lowered = []
        """Workers that run and lost VRAM, and what they had and have; no such thing may be."""
        self._series, self._resident, self._started = {}, {}, 0
        control = made("ConfigMap", CONTROL_CONFIG_MAP, api_version="v1", namespace=NAMESPACE)
        self.api.add(CONFIG_MAPS, {**control, "data": {"mode": "apply"}})
        self.api.add(GPUS, gpu())

    def now_s(self):
        return float(self.clock.now_s())

    def add(self, name="chat", *, workers=1, config=ENROLLED, demand=None, uid=None):
        """Let there be a Deployment with a workload and workers that run."""
        self.demand[name] = demand or Demand()
        spec = {"replicas": workers}
        owner = made("Deployment", name, api_version="apps/v1", spec=dict(spec))
        if self.api.find(DEPLOYMENTS, TEAM, name) is None:
            self.api.add(DEPLOYMENTS, owner)
        metadata = {} if uid is None else {"uid": uid}
        owners = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": "u"}]
        self.api.add(
            WORKLOADS,
            workload(name, owners=owners, metadata=metadata, autoScalingConfig=config, **spec),
        )
        for _ in range(workers - len(self.pods(name))):
            self._start_worker(name)

    def remember(self, *, from_ago_s=3 * DAY_S, to_ago_s=0):
        """Let all workloads have had the demand of now in the past; the earliest time first."""
        now_s = self.clock.now_s()
        self._record(np.arange(now_s - from_ago_s, now_s - to_ago_s, MINUTE_S), self.pods())

    def step(self):
        """Let the time of one scrape pass, and the workers be measured at its end."""
        self.clock.advance_to(self.clock.now_s() + SCRAPE_S)
        self.api.now_s = self.clock.now_s()
        self._record(np.array([self.clock.now_s() - 1]), self.pods())

    def follow(self, *, is_late=lambda pod: False):
        """Do as the controller: replicas, workers, and the amounts that are to be in force.

        Workers for which ``is_late`` keep what they have for now.
        """
        for each in self.api.all(WORKLOADS):
            name = each["metadata"]["name"]
            self._follow_replicas(name)
            shown = self.workload(name)
            if not self._is_resting(shown):
                self._carry(name, shown, is_late)

    def pods(self, name=None):
        """Return the workers that run, in the order of their start."""
        found = [
            pod
            for pod in self.api.all(PODS)
            if name in {None, pod["metadata"]["labels"][WORKLOAD_LABEL]}
        ]
        return sorted(found, key=lambda pod: int(pod["metadata"]["name"].rpartition("-")[2]))

    def workload(self, name="chat"):
        return self.api.find(WORKLOADS, TEAM, name)

    def status(self, name="chat"):
        return self.workload(name).get("status") or {}

    def replicas(self, name="chat"):
        return self.api.find(DEPLOYMENTS, TEAM, name)["spec"]["replicas"]

    def set_replicas(self, number, name="chat"):
        """Let somebody set the replicas of a Deployment."""
        self.api.edit(DEPLOYMENTS, TEAM, name, lambda obj: obj["spec"].update(replicas=number))

    def switch(self, **data):
        """Set the switches of the installation."""
        self.api.edit(
            CONFIG_MAPS, NAMESPACE, CONTROL_CONFIG_MAP, lambda obj: obj["data"].update(data)
        )

    def pause(self, name="chat", *, is_paused=True):
        text = {PAUSED: str(is_paused).lower()}
        self.api.edit(
            WORKLOADS, TEAM, name, lambda obj: obj["metadata"]["annotations"].update(text)
        )

    def enrol(self, config, name="chat"):
        """Let the owner of a workload set its configuration."""

        def change(obj):
            obj["spec"]["autoScalingConfig"] = config
            obj["metadata"]["generation"] += 1

        self.api.edit(WORKLOADS, TEAM, name, change)

    def remove(self, name="chat"):
        """Let a workload be gone, and its workers."""
        self.api.remove(WORKLOADS, TEAM, name)
        for pod in self.pods(name):
            self._end_worker(pod)

    def in_force(self, pod):
        """Return what a worker has, by statement key, as numbers."""
        texts = _texts(pod)
        return {key: _number(text) for key, text in texts.items()}

    def resident_bytes(self, pod):
        return self._resident.get(pod["metadata"]["name"], 0.0)

    def _is_resting(self, shown):
        [control] = self.api.all(CONFIG_MAPS)
        switches = control_from(control)
        annotations = shown["metadata"].get("annotations") or {}
        is_paused = switches.is_paused or annotations.get(PAUSED) == "true"
        return is_paused or switches.mode != "apply"

    def _follow_replicas(self, name):
        number, shown = self.replicas(name), self.workload(name)

        def change(obj):
            obj["spec"]["replicas"] = number
            obj["metadata"]["generation"] += 1

        if shown["spec"].get("replicas") != number:
            self.api.edit(WORKLOADS, TEAM, name, change)
        present = self.pods(name)
        for pod in present[number:]:
            self._end_worker(pod)
        for _ in range(number - len(present)):
            self._start_worker(name)

    def _carry(self, name, shown, is_late):
        """Bring what is stated to the workers, and say in the status what became of it."""
        desired = (shown.get("status") or {}).get("desiredResources")
        if desired is None:
            return
        settings, capped, done = settings_of(shown, is_job=False), [], 0
        for pod in self.pods(name):
            if is_late(pod):
                continue
            before = _texts(pod)
            after = amounts_while_running(before, settings.policy, shown, {}, NotedProblems(), A100)
            most = self.most_tflops.get(name, PEAK_TFLOPS)
            if _number(after["tflops-request"]) > max(most, _number(before["tflops-request"])):
                capped.append({"worker": pod["metadata"]["name"], "reason": "GPUFull"})
                continue
            done += 1
            self._annotate(pod, before, after)
        order = {key: desired.get(key) for key in ("epoch", "sequence")}
        applied = {**order, "workers": done, **({"capped": capped} if capped else {})}
        if (shown.get("status") or {}).get("applied") != applied:
            self.api.edit(WORKLOADS, TEAM, name, lambda obj: obj["status"].update(applied=applied))

    def _annotate(self, pod, before, after):
        name = pod["metadata"]["name"]
        for key in ("vram-request", "vram-limit"):
            if _number(after[key]) < _number(before[key]):
                self.lowered.append((name, key, before[key], after[key]))
        texts = {f"{PREFIX}{key}": text for key, text in after.items()}
        self.api.edit(PODS, TEAM, name, lambda obj: obj["metadata"]["annotations"].update(texts))

    def _start_worker(self, name):
        shown = self.workload(name)
        [control] = self.api.all(CONFIG_MAPS)
        settings = settings_of(shown, is_job=False)
        texts = amounts_at_start(
            settings.stated, settings.policy, shown, control_from(control), {}, NotedProblems()
        )
        self._started += 1
        pod = worker(f"{name}-{self._started}", of=name, amounts=texts)
        at = time_text(self.clock.now_s())
        pod["status"]["startTime"] = at
        pod["metadata"]["creationTimestamp"] = at
        pod["status"]["conditions"] = [
            {"type": "Ready", "status": "True", "lastTransitionTime": at}
        ]
        self.api.add(PODS, pod)

    def _end_worker(self, pod):
        self.api.remove(PODS, TEAM, pod["metadata"]["name"])

    def _record(self, ts, pods):
        if not pods:
            return
        columns = {metric: [] for metric in METRICS}
        for pod in pods:
            for metric, value in self._used(pod).items():
                columns[metric].append(np.full(len(ts), value))
        values = {metric: np.stack(column, axis=1) for metric, column in columns.items()}
        series = np.array([self._series_of(pod) for pod in pods])
        self.metrics.record(ts, series, values, np.zeros((len(ts), len(pods)), bool))

    def _used(self, pod):
        name, amounts = pod["metadata"]["name"], self.in_force(pod)
        demand = self.demand[pod["metadata"]["labels"][WORKLOAD_LABEL]]
        limit, vram_limit = amounts["tflops-limit"], amounts["vram-limit"]
        used = min(demand.tflops, limit)
        is_denied = demand.vram_bytes > vram_limit
        if not is_denied:
            self._resident[name] = demand.vram_bytes
        return {
            Metric.TFLOPS: used,
            Metric.VRAM_BYTES: self._resident.setdefault(name, vram_limit / 2),
            Metric.EFFECTIVE_SHARE_PERCENT: 100.0 * limit / PEAK_TFLOPS,
            Metric.THROTTLED_RATIO: 1.0 - used / max(demand.tflops, used, 1e-9),
            Metric.VRAM_DENIED: float(is_denied),
        }

    def _series_of(self, pod):
        metadata = pod["metadata"]
        if metadata["name"] not in self._series:
            labels = {
                "namespace": TEAM,
                "workload": metadata["labels"][WORKLOAD_LABEL],
                "worker": metadata["name"],
                "gpu_model": A100,
                "uuid": "gpu-1",
            }
            self._series[metadata["name"]] = self.metrics.add_series(labels)
        return self._series[metadata["name"]]


def _texts(pod):
    annotations = pod["metadata"]["annotations"]
    return {
        key: annotations[f"{PREFIX}{key}"] for key in AMOUNT_KEYS if f"{PREFIX}{key}" in annotations
    }


def _number(text):
    return float(parse_quantity(text))
