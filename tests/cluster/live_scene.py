"""A namespace of a live cluster: its workloads, what they want, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from autoscaler.api.names import WORKLOAD_LABEL
from recommender.layers.budget import WINDOW_S
from recommender.quantities import parse_quantity
from tests.cluster.autoscaler_process import AutoscalerProcess
from tests.cluster.card_shares import share_of
from tests.cluster.live_ledger import Ledger
from tests.cluster.live_orders import peak_tflops
from tests.cluster.live_workloads import (
    GIB,
    PROFILES,
    Amounts,
    amounts_of,
    owner_of_workers,
    profile,
)
from tests.cluster.live_world import LiveWorld, some_ticks
from tests.cluster.spaces import Space, annotation
from tests.cluster.telling import is_told, shows
from tests.components.processes import until

DEADLINE_S = WINDOW_S + 120.0
"""For what takes seconds, unless five other workers of the small fleet were changed before: then it
waits for the next window of the fleet's budget.  Who asks first depends on UIDs."""
WAITING_SHARE = 0.2
"""Part of the time that a worker waits which is short of its share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One namespace.  What its methods wait for, they wait for some minutes at most."""

    world: LiveWorld
    space: Space
    ledger: Ledger

    def want(self, workload: str, *, vram_bytes: float = 5 * GIB, **demand: Any) -> None:
        """Have a workload want something from now on; see ``Demand``."""
        self.world.demand(self.space.name, workload, vram_bytes=vram_bytes, **demand)

    def deployment(self, name: str, **annotations: Any) -> dict[str, Any]:
        """Return a Deployment of workers of the pool; see ``owner_of_workers``."""
        return owner_of_workers(name, pool=self.world.pool, **annotations)

    def workers(self, workload: str) -> list[dict[str, Any]]:
        """Return the pods of a workload that run and are not about to go, oldest first."""
        pods = [
            pod
            for pod in self.space.pods(f"{WORKLOAD_LABEL}={workload}")
            if pod["status"].get("phase") == "Running"
            and "deletionTimestamp" not in pod["metadata"]
        ]
        return sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"])

    def limits(self, workload: str) -> list[float]:
        """Return the TFLOPS that its workers may use at most."""
        return [amounts_of(pod)[1] for pod in self.workers(workload)]

    def replicas(self, deployment: str) -> int:
        """Return how many replicas a Deployment asks for."""
        found: int = self.space.get("deployment", deployment)["spec"]["replicas"]
        return found

    def has_workers(self, workload: str, count: int) -> list[dict[str, Any]]:
        """Wait until so many workers run, and no other, and return them."""
        return until(
            lambda: len(found := self.workers(workload)) == count and found,
            what=f"{workload} has {count} workers",
            deadline_s=DEADLINE_S,
        )

    def grows(self, deployment: str, *, above: int = 1) -> None:
        """Wait until a Deployment asks for more replicas than so many."""
        until(
            lambda: self.replicas(deployment) > above,
            what=f"{deployment} has more than {above} replicas",
            deadline_s=DEADLINE_S,
        )

    def settles(self, deployment: str, count: int, autoscaler: AutoscalerProcess) -> None:
        """Wait until a Deployment asks for so many replicas, and goes on to for some ticks.

        Demand is a mean over the last seconds, so that more may be asked for in between.
        """

        def stays() -> bool:
            if self.replicas(deployment) != count:
                return False
            some_ticks(autoscaler)
            return self.replicas(deployment) == count

        until(stays, what=f"{deployment} settles at {count} replicas", deadline_s=DEADLINE_S)

    def has(
        self,
        workload: str,
        condition: Callable[[Amounts], bool],
        *,
        what: str,
        deadline_s: float = DEADLINE_S,
    ) -> Amounts:
        """Wait until a condition holds of every worker; return what the first one has."""

        def found() -> list[Amounts]:
            have = [amounts_of(pod) for pod in self.workers(workload)]
            return have if all(map(condition, have)) else []

        return until(found, what=f"{workload}: {what}", deadline_s=deadline_s)[0]

    def gets(self, workload: str, tflops: float) -> None:
        """Wait until the only worker of a workload gets about so much of its card."""
        [worker] = self.workers(workload)
        card = self.world.agents.card(annotation(worker, "gpu-ids") or "")
        kubelet, name = self.world.agents.kubelet, worker["metadata"]["name"]
        pid = kubelet.pid(self.space.name, name)
        assert pid is not None
        expected = tflops / peak_tflops(worker)
        until(
            lambda: 0.9 * expected <= share_of(card, pid) <= 1.1 * expected,
            what=f"{workload} gets about {tflops:g} TFLOPS",
            deadline_s=DEADLINE_S,
        )

    def waits(self, workload: str) -> None:
        """Wait until metrics show that a workload is short of its share."""
        name = "tf_worker_compute_throttled_seconds_total"
        query = f"rate({name}{{{self.selector(workload)}}}[4s]) > {WAITING_SHARE}"
        until(lambda: self.world.prometheus.values(query), what=f"{workload} waits for its share")

    def shown(self, series: str, workload: str) -> float | None:
        """Return the highest value of a series of a workload; None where nobody shows it."""
        found = self.world.prometheus.values(f"max({series}{{{self.selector(workload)}}})")
        return found[0][1] if found else None

    def selector(self, workload: str) -> str:
        """Return the labels of its series."""
        return f'namespace="{self.space.name}",workload="{workload}"'

    def patch(self, kind: str, name: str, body: Mapping[str, Any]) -> None:
        """Merge something into an object."""
        self.space.kubectl("patch", kind, name, "--type=merge", "-p", json.dumps(body)).well()

    def restart(self, deployment: str) -> None:
        """Have all workers of a Deployment made anew."""
        self.space.kubectl("rollout", "restart", "deployment", deployment).well()

    def vram_gib_at_start(self, workload: str) -> float:
        """Return the VRAM that is stated for workers that start.  Raises ``LookupError``."""
        stated = self.space.get("tfw", workload)["status"]["desiredResources"]
        part = stated.get("nextStart", stated)
        return float(parse_quantity(part["limits"]["vram"])) / GIB

    def loses_and_regains_vram(self, workload: str, *, limit_gib: float) -> dict[str, Any]:
        """Have a workload start with less VRAM than it needs, and see that taken back.

        Returns what guard rails remember of it.
        """

        def will_start_with_less(obj: Mapping[str, Any]) -> bool:
            vram = obj["status"]["desiredResources"]["nextStart"]["limits"]["vram"]
            return float(parse_quantity(vram)) < limit_gib / 2 * GIB

        self.has_workers(workload, 1)
        shows(self.space, "tfw", workload, will_start_with_less)
        self.restart(workload)
        until(
            lambda: min(has[3] for has in self.ledger.amounts(workload)) < limit_gib / 2,
            what=f"a worker of {workload} started with less VRAM",
            deadline_s=DEADLINE_S,
        )
        self.has(workload, lambda has: has[3] >= limit_gib, what="VRAM as before")
        is_told(self.space, "TensorFusionWorkload", "RolledBack")
        shown = shows(
            self.space, "tfw", workload, lambda obj: obj["status"]["guard"]["noDecreaseUntil"]
        )
        guard: dict[str, Any] = shown["status"]["guard"]
        return guard


@contextmanager
def scene(world: LiveWorld, namespace: str) -> Iterator[Scene]:
    """Have a namespace with all profiles, and its ledger; nothing of it runs afterwards."""
    space = world.space(namespace)
    space.apply(*map(profile, PROFILES)).well()
    with Ledger(world.plane, namespace) as ledger:
        try:
            yield Scene(world=world, space=space, ledger=ledger)
        finally:
            space.kubectl("delete", "deployments,daemonsets", "--all").well()
            until(lambda: not space.pods(), what=f"{namespace} is empty", deadline_s=DEADLINE_S)
            world.plane.kubectl("delete", "namespace", namespace, "--wait=false").well()
