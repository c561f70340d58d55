"""A node of a cluster: workers from its pods, ``GPU`` objects, events, and evictions."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from autoscaler.agent.gpu_objects.gpu_writer import GpuWriter
from autoscaler.agent.pod_resources.whole_gpus import WholeGpuReader
from autoscaler.agent.running.pod_workers import PodWorkers
from autoscaler.api.names import MANAGED_BY, AgentEvent, FieldManager
from autoscaler.errors import ApiUnavailableError, KubeError, NotFoundError
from autoscaler.kube.event import EventType
from autoscaler.kube.event_recorder import EventRecorder
from autoscaler.kube.reflector import Reflector
from autoscaler.kube.resource import GPUS
from autoscaler.kube.write_budget import WriteBudget
from autoscaler.kube.writer import Writer

if TYPE_CHECKING:
    from autoscaler.agent.accounting.finding import Finding
    from autoscaler.agent.devices.node_devices import Inventory
    from autoscaler.kube.api_server import ApiServer
    from autoscaler.kube.event import Reference
    from autoscaler.kube.event_recorder import EventCounts
    from autoscaler.kube.reflector import CacheCounts
    from autoscaler.kube.store import Store
    from autoscaler.kube.write_budget import WriteBudgetSnapshot

WRITES_PER_S = 10.0
"""Of one node; there may be thousands of them."""
SYNCED_S = 10.0
"""How long the list of the node's GPU objects may take before it is asked for anew."""
_log = logging.getLogger(__name__)


class ClusterNode:
    """Thread-safe."""

    def __init__(
        self, api: ApiServer, *, node: str, kubelet_root: Path, pods: Store | None = None
    ) -> None:
        """``pods`` is where the watch puts the worker pods of the node."""
        self.workers = PodWorkers(api, node=node, pods_folder=kubelet_root / "pods", store=pods)
        self._api = api
        self._writes = WriteBudget(WRITES_PER_S)
        self._gpus = Reflector(api, GPUS, label_selector=f"{MANAGED_BY}={node}")
        whole_gpus = WholeGpuReader(
            socket=kubelet_root / "pod-resources" / "kubelet.sock",
            checkpoint_file=kubelet_root / "device-plugins" / "kubelet_internal_checkpoint",
        )
        self._writer = GpuWriter(
            node,
            api,
            Writer(api, self._writes, is_leader=lambda: True),
            self._gpus.store,
            whole_gpus=whole_gpus.read,
        )
        self._recorder = EventRecorder(
            api, controller=FieldManager.AGENT, instance=node, budget=self._writes
        )
        self._evicting = ThreadPoolExecutor(1, thread_name_prefix="evicting")

    def start(self) -> None:
        """Begin to watch the GPU objects and to write events."""
        self._gpus.start()
        self._recorder.start()

    def stop(self) -> None:
        """Write what waits, and end."""
        self._evicting.shutdown(wait=False, cancel_futures=True)
        self._gpus.stop()
        self._recorder.stop()

    def caches(self) -> tuple[CacheCounts, ...]:
        """Return the numbers of the caches."""
        return (*self.workers.counts(), self._gpus.snapshot())

    def events(self) -> EventCounts:
        """Return the numbers of the events."""
        return self._recorder.snapshot()

    def budget(self) -> WriteBudgetSnapshot:
        """Return the numbers of the writes."""
        return self._writes.snapshot()

    def tell_gpus(self, inventory: Inventory) -> None:
        """Bring the ``GPU`` objects of the node to what was found.

        Raises ``KubeError`` and ``GpuObjectError``.
        """
        if not self._gpus.wait_until_synced(SYNCED_S):
            raise ApiUnavailableError("the GPU objects of this node could not be listed yet")
        self._writer.tell(inventory)

    def tell_finding(self, finding: Finding) -> None:
        """Make an event of what is wrong with a worker."""
        pod = self.workers.reference(finding.uid)
        if pod is not None:
            self._recorder.record(
                pod,
                reason=AgentEvent.LIMITER_BYPASSED,
                action="Watch",
                note=finding.text,
                type=EventType.WARNING,
            )

    def evict(self, uid: str) -> None:
        """Have the pod of a worker evicted, as far as disruption budgets let it be."""
        pod = self.workers.reference(uid)
        if pod is not None:
            self._evicting.submit(self._evict, pod)

    def _evict(self, pod: Reference) -> None:
        try:
            self._api.evict(pod.name, pod.namespace, uid=pod.uid)
        except NotFoundError:
            return
        except KubeError as error:
            _log.warning("worker %s/%s is not evicted: %s", pod.namespace, pod.name, error)
            return
        _log.warning("worker %s/%s is evicted", pod.namespace, pod.name)
        self._recorder.record(
            pod,
            reason=AgentEvent.EVICTED,
            action="Evict",
            note="It used the GPU past its limiter, and is evicted.",
            type=EventType.WARNING,
        )
