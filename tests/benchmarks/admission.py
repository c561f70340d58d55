"""What ``make bench`` measures of admission: pods through a real API server, and the pure function.

The times of requests are those of the clock; API server, webhook and client share the
machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from timeit import repeat
from typing import Any

from autoscaler.api.names import CONTROL_CONFIG_MAP, FieldManager
from autoscaler.api.names import NAMESPACE as INSTALLATION
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.resource import (
    CONFIG_MAPS,
    NAMESPACES,
    REPLICA_SETS,
    WORKLOAD_PROFILES,
    WORKLOADS,
)
from autoscaler.webhook.admission import PodRequest
from autoscaler.webhook.admit import admit
from tests.autoscaler.webhook.clusters import APPLY, MemorySnapshot
from tests.benchmarks import pods_to_admit
from tests.benchmarks.own_process import answer_of
from tests.benchmarks.targets import Measured
from tests.cluster.control_plane import ControlPlane
from tests.cluster.webhook_process import WebhookProcess
from tests.components.processes import LOOPBACK

MS = 1e3
INSIDE_MS = 10.0
ROUNDS = 5
"""Of the pure function; the best one counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionSizes:
    """How much is asked."""

    rate_per_s: float = 50.0
    warm_up_s: float = 3.0
    span_s: float = 20.0
    admits: int = 500
    """Calls of the pure function in one round."""


def admission(webhook: WebhookProcess, sizes: AdmissionSizes) -> Iterator[Measured]:
    """Create pods at a steady rate; ask the webhook itself as well, and call the pure function."""
    prepare(webhook.plane)
    answer = answer_of(
        "tests.benchmarks.asking",
        webhook.plane.admin_kubeconfig,
        f"https://{LOOPBACK}:{webhook.port}",
        webhook.health_url,
        webhook.process.pid,
        sizes.rate_per_s,
        sizes.warm_up_s,
        sizes.span_s,
    )
    yield from created_rows(answer["created"], sizes)
    yield from reviewed_rows(answer["reviewed"], sizes)
    yield from pure_rows(sizes.admits)


def created_rows(answer: dict[str, Any], sizes: AdmissionSizes) -> Iterator[Measured]:
    name = f"{answer['pods']} pods created at {sizes.rate_per_s:g}/s"
    yield Measured(
        what=f"{name}: in the webhook, p99 at most",
        value=answer["inside_p99_s"] * MS,
        unit="ms",
        target=INSIDE_MS,
    )
    yield Measured(what="  CPU of the webhook for each", value=answer["cpu_s"] * MS, unit="ms")
    for share in ("p50", "p99"):
        selected, plain = (answer[kind][f"{share}_s"] * MS for kind in ("selected", "plain"))
        yield Measured(what=f"  call to create, {share}", value=selected, unit="ms")
        yield Measured(what="    of pods without the label", value=plain, unit="ms")
        yield Measured(what="    the webhook adds", value=selected - plain, unit="ms")


def reviewed_rows(answer: dict[str, Any], sizes: AdmissionSizes) -> Iterator[Measured]:
    name = f"reviews sent to the webhook at {sizes.rate_per_s:g}/s"
    for share, target in (("p50", None), ("p99", INSIDE_MS)):
        value = answer["known"][f"{share}_s"] * MS
        yield Measured(what=f"{name}, {share}", value=value, unit="ms", target=target)
        value = answer["unseen"][f"{share}_s"] * MS
        yield Measured(what=f"  of an owner that is looked at, {share}", value=value, unit="ms")
    yield Measured(what="reviews answered, 16 at a time", value=answer["per_s"], unit="/s")
    yield Measured(what="  CPU of the webhook for each", value=answer["cpu_s"] * MS, unit="ms")


def pure_rows(admits: int) -> Iterator[Measured]:
    """Call the pure function for a typical and for a heavy pod."""
    plain = (pods_to_admit.pool(), *surroundings())
    full = (pods_to_admit.pool(pods_to_admit.RULES), *surroundings(), *pods_to_admit.quotas())
    for name, pod, objects in (
        ("typical", pods_to_admit.typical_pod("1"), plain),
        ("heavy", pods_to_admit.heavy_pod("1"), full),
    ):
        snapshot = MemorySnapshot(objects=objects, control=APPLY)
        request = PodRequest(pod=pod, namespace=pods_to_admit.NAMESPACE)
        ask = partial(admit, request, snapshot)
        if not ask().patch:
            raise AssertionError(f"the {name} pod is not admitted: {ask().error}")
        best_s = min(repeat(ask, number=admits, repeat=ROUNDS))
        yield Measured(what=f"admit, {name} pod", value=best_s / admits * MS, unit="ms")


def surroundings() -> tuple[dict[str, Any], ...]:
    return pods_to_admit.profile(), pods_to_admit.workload(), pods_to_admit.replica_set()


def prepare(plane: ControlPlane) -> None:
    """Make what the typical pod needs, and let decisions reach admission."""
    api = ApiServer.from_environment(kubeconfig=plane.admin_kubeconfig, user_agent="preparing")
    with closing(api):
        api.create(NAMESPACES, {"metadata": {"name": pods_to_admit.NAMESPACE}})
        api.create(WORKLOAD_PROFILES, pods_to_admit.profile())
        api.create(REPLICA_SETS, pods_to_admit.replica_set())
        workload = pods_to_admit.workload()
        api.create(WORKLOADS, workload)
        decided = {key: part for key, part in workload.items() if key != "spec"}
        api.apply(WORKLOADS, decided, field_manager=FieldManager.AUTOSCALER, subresource="status")
        mode = {"data": {"mode": APPLY.mode}}
        api.merge_patch(CONFIG_MAPS, CONTROL_CONFIG_MAP, mode, INSTALLATION)
