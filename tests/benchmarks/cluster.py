"""What ``make bench`` measures on a real control plane, without controllers and nodes.

It is as good as empty first, and holds many workloads then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.admission import AdmissionSizes, admission
from tests.benchmarks.filling import fill
from tests.benchmarks.kubernetes_cache import kubernetes_cache, status_writes
from tests.benchmarks.targets import Measured
from tests.benchmarks.webhook_starts import webhook_starts
from tests.cluster.control_plane import ControlPlane, start_control_plane
from tests.cluster.webhook_process import running_webhook

START_S = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSizes:
    """How much is measured."""

    admission: AdmissionSizes = field(default_factory=AdmissionSizes)
    starts: int = 5
    workloads: int = 10_000
    changes: int = 1_000
    rounds: int = 2
    """Of caching and listing."""
    status_writes: int = 2_000


def on_a_cluster(sizes: ClusterSizes) -> Iterator[Measured]:
    """Measure all of it.  Raises ``ProgramMissingError`` where Kubernetes is not built."""
    with control_plane() as (plane, folder):
        with running_webhook(plane, folder):
            name = "tfa webhook, an empty cluster"
            yield from webhook_starts(plane, folder, sizes.starts, name=name, target_s=START_S)
        fill(plane, sizes.workloads)
        yield from kubernetes_cache(plane, sizes.workloads, sizes.changes, sizes.rounds)
        yield from status_writes(plane, sizes.status_writes)
        with running_webhook(plane, folder) as webhook:
            name = f"tfa webhook, {sizes.workloads} workloads"
            yield from webhook_starts(plane, folder, sizes.starts, name=name)
            yield from admission(webhook, sizes.admission)


@contextmanager
def control_plane() -> Iterator[tuple[ControlPlane, Path]]:
    """Yield an etcd with an API server, and a folder for logs."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with start_control_plane(folder, controllers=False, scheduler=False) as plane:
            yield plane, folder
