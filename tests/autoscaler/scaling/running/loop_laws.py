"""What must hold of everything that an autoscaler writes, whatever happens around it.

``LoopLaws`` listens to a living fleet and notes each breach as a sentence in ``broken``.
"""

from autoscaler.api.names import PAUSED, WORKLOAD_LABEL
from autoscaler.kube.resource import PODS
from autoscaler.kube.timestamps import seconds_of
from autoscaler.scaling.live.caches import HPAS
from recommender.amounts import ResourceAmounts
from tests.autoscaler.workloads.objects import TEAM

SIDES = ("requests", "limits")
_END = {"requests": "request", "limits": "limit"}


class LoopLaws:
    """``process`` is the one that leads now, whose caches tell what it can know."""

    def __init__(self, fleet):
        self.fleet, self.process = fleet, None
        self.broken = []
        self.scalings = []
        """(time, workload, replicas) of each number that was set."""
        self._orders = {}
        fleet.api.on_status, fleet.api.on_scale = self._status, self._scale

    def after_tick(self, tick):
        """Check that what the tick tells is what happened."""
        for plan, outcome in () if tick.applied is None else tick.applied.outcomes:
            name = plan.change.workload
            self._require(outcome.applied or outcome.reason, f"{name}: no reason is told")
            self._require(plan.change.reason, f"{name}: a change without a reason")
            if not outcome.applied or self.fleet.workload(name) is None:
                continue
            if plan.change.replicas is not None:
                self._require(
                    any(at[1:] == (name, plan.change.replicas) for at in self.scalings[-9:]),
                    f"{name}: {plan.change.replicas} replicas were told and not set",
                )
                continue
            stated = _stated(self.fleet.status(name))
            for side, amounts in (("requests", plan.change.request), ("limits", plan.change.limit)):
                for resource, value in amounts.items():
                    key = (side, "vram" if resource == "vram_bytes" else resource)
                    self._require(
                        abs(stated.get(key, -1.0) - value) <= 1e-9 * value,
                        f"{name}: {key} {value} was told, and {stated.get(key)} stands there",
                    )

    def _status(self, before, after):
        name, uid = after["metadata"]["name"], after["metadata"]["uid"]
        old, new = before.get("status") or {}, after.get("status") or {}
        desired = new.get("desiredResources")
        is_other = _stated(old) != _stated(new) or bool(desired) != bool(
            old.get("desiredResources")
        )
        if desired:
            order = desired["epoch"], desired["sequence"]
            last = self._orders.get(uid, (0, 0))
            self._require(order >= last, f"{name}: {order} was stated after {last}")
            is_new = {**desired, "epoch": 0, "sequence": 0, "time": 0} != {
                **(old.get("desiredResources") or {}),
                "epoch": 0,
                "sequence": 0,
                "time": 0,
            }
            self._require(
                not is_new or order > last, f"{name}: {order} was stated twice, with other amounts"
            )
            self._orders[uid] = order
        self._ordered(name, new)
        if is_other:
            self._still(name, after)
            self._careful(name, old, new)

    def _ordered(self, name, status):
        stated = _stated(status)
        for resource in ("tflops", "vram"):
            request, limit = (stated.get((side, resource)) for side in SIDES)
            if request is not None and limit is not None:
                self._require(request <= limit, f"{name}: {resource} {request} above {limit}")

    def _still(self, name, workload):
        """Under mode recommend, or while it is paused, nothing is stated."""
        caches = self.process.parts.caches
        seen = caches.workload(TEAM, name) or {"metadata": {}}
        is_paused = (seen["metadata"].get("annotations") or {}).get(PAUSED) == "true"
        self._require(not is_paused, f"{name}: stated while it is paused")
        mode = caches.control().mode
        self._require(mode == "apply", f"{name}: stated in mode {mode}")

    def _careful(self, name, old, new):
        """Nothing is lowered within ``noDecreaseUntil``, and nothing during a hold."""
        now_s = self.fleet.clock.now_s()
        until_s = seconds_of((old.get("guard") or {}).get("noDecreaseUntil")) or 0
        hold = self.process.loop.hold
        if until_s <= now_s and hold is None:
            return
        stated, before = _stated(new), _stated(old)
        # as far as the process can know it
        shown = self.process.parts.caches.store(PODS).items()
        in_force = [
            self.fleet.in_force(pod)
            for pod in shown
            if pod["metadata"]["labels"][WORKLOAD_LABEL] == name
        ]
        for (side, resource), value in stated.items():
            present = [each[f"{resource}-{_END[side]}"] for each in in_force]
            least = min([*present, before.get((side, resource), value)], default=value)
            self._require(
                value >= least,
                f"{name}: {side} {resource} {least} -> {value} under {hold or 'a roll-back'}",
            )

    def _scale(self, path, replicas):
        name = path.split("/")[-2]
        now_s = self.fleet.clock.now_s()
        self.scalings.append((now_s, name, replicas))
        of_replicas = ((self.fleet.workload(name) or {}).get("status") or {}).get("guard") or {}
        paused_s = seconds_of((of_replicas.get("replicas") or {}).get("pausedUntil")) or 0
        self._require(paused_s <= now_s, f"{name}: scaled within a pause of replicas")
        rival = self.process.parts.caches.store(HPAS).get(TEAM, name)
        self._require(rival is None, f"{name}: scaled, although another autoscaler does")

    def _require(self, holds, text):
        if not holds:
            self.broken.append(f"{self.fleet.clock.now_s()}: {text}")


def _stated(status):
    """Return what is stated of running workers, by side and resource, as numbers."""
    desired = status.get("desiredResources") or {}
    found = {}
    for side in SIDES:
        read, _ = ResourceAmounts.from_mapping(desired.get(side) or {}, side)
        for name, value in (("tflops", read.tflops), ("vram", read.vram_bytes)):
            if value is not None:
                found[side, name] = float(value)
    return found
