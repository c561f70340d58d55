"""What ``tfa agent`` does, after its arguments were read: puts the parts together and runs."""

from __future__ import annotations

import asyncio
import math
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autoscaler.agent.backstops.policy import Backstop
from autoscaler.agent.devices.node_devices import NodeDevices
from autoscaler.agent.devices.nvml_library import NvmlLibrary
from autoscaler.agent.mapping.process_map import ProcessMap
from autoscaler.agent.running.acting import Acting
from autoscaler.agent.running.inventory import InventoryLoop
from autoscaler.agent.running.limits import LimitRules
from autoscaler.agent.running.node_agent import AgentParts, NodeAgent
from autoscaler.agent.running.node_page import add_node_page
from autoscaler.agent.running.surroundings import PlainHost, Surroundings
from autoscaler.agent.running.turn_counts import TurnCounts
from autoscaler.api.object_names import name_problem
from autoscaler.errors import UsageError
from autoscaler.gpu_settings import read_models
from autoscaler.health import Readiness, health_application
from autoscaler.listening import listening, readiness_told, run_until, stop_on_signals
from autoscaler.logs import LogFormat, configure
from autoscaler.sources.yaml_text import parse_yaml
from autoscaler.telemetry.exposition import CONTENT_TYPE, registry_of, render
from autoscaler.version import tool_version
from recommender.durations import parse_duration_s

if TYPE_CHECKING:
    from recommender.gpu_models import GpuModel

SHORTEST_INVENTORY_S = 1.0
LONGEST_BURST_S, LONGEST_IN_FLIGHT_S = 10.0, 1.0
GPU_MODELS, GPU_MODELS_FIELD = "gpuModels", "gpu_models"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFlags:
    """The arguments of the command."""

    node: str | None
    standalone: Path | None
    kubelet_root: Path
    nvml: Path | None
    burst: str
    in_flight: str
    counts_contexts: bool
    backstop: Backstop
    inventory: str
    address: str | None
    health_port: int
    config: Path | None
    kubeconfig: Path | None
    log_format: LogFormat

    @property
    def node_name(self) -> str:
        """Return the name of the node.  Raises ``UsageError``."""
        name = self.node or socket.gethostname().lower()
        problem = name_problem(name, "--node")
        if problem:
            raise UsageError(str(problem))
        return name

    @property
    def rules(self) -> LimitRules:
        """Return how limits hold.  Raises ``UsageError`` and ``InvalidValueError``."""
        return LimitRules(
            burst_s=_duration_s(self.burst, "--burst", most_s=LONGEST_BURST_S),
            inflight_s=_duration_s(self.in_flight, "--in-flight", most_s=LONGEST_IN_FLIGHT_S),
            counts_contexts=self.counts_contexts,
        )

    @property
    def inventory_s(self) -> float:
        """Return the pause between two looks for GPUs.  Raises as ``rules``."""
        return _duration_s(self.inventory, "--inventory", least_s=SHORTEST_INVENTORY_S)

    @property
    def gpu_models(self) -> tuple[GpuModel, ...]:
        """Return the models of the settings file, beside the built-in ones.  Raises as ``rules``.

        The rest of that file is for other commands, which check it.
        """
        if self.config is None:
            return ()
        try:
            text = self.config.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise UsageError(f"{self.config}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{self.config}: not UTF-8 text ({error.reason})") from error
        document = parse_yaml(text, str(self.config), UsageError)
        values: dict[str, tuple[GpuModel, ...]] = {GPU_MODELS_FIELD: ()}
        if isinstance(document, Mapping) and GPU_MODELS in document:
            read_models(document[GPU_MODELS], f"{self.config}: {GPU_MODELS}", values)
        elif document is not None and not isinstance(document, Mapping):
            raise UsageError(f"{self.config}: a mapping is expected, as 'gpuModels: {{...}}'")
        return values[GPU_MODELS_FIELD]

    def surroundings(self) -> AbstractContextManager[Surroundings]:
        """Return where the agent runs, to be closed.  Raises ``UsageError`` and ``InputError``."""
        if self.standalone is not None:
            if self.kubeconfig is not None:
                raise UsageError("--kubeconfig: not with --standalone, which is without Kubernetes")
            if self.backstop is Backstop.EVICT:
                raise UsageError(
                    "--backstop: evict is not valid with --standalone; allowed: "
                    f"{', '.join(each for each in Backstop if each is not Backstop.EVICT)}"
                )
            return nullcontext(PlainHost(self.standalone))
        return _cluster_node(self)


def _duration_s(text: str, flag: str, *, least_s: float = 0.0, most_s: float = math.inf) -> float:
    duration_s = parse_duration_s(text, flag)
    if not least_s <= duration_s <= most_s:
        most = f" to {most_s:g}s" if most_s < math.inf else " and longer"
        raise UsageError(f"{flag}: {text} is not valid; allowed: {least_s:g}s{most}")
    return duration_s


@contextmanager
def _cluster_node(flags: AgentFlags) -> Iterator[Surroundings]:
    # Only here, so that a plain host needs no client of Kubernetes.
    from autoscaler.agent.running.cluster_node import ClusterNode
    from autoscaler.kube.api_server import ApiServer

    api = ApiServer.from_environment(
        kubeconfig=flags.kubeconfig, user_agent=f"tfa-agent/{tool_version()}"
    )
    with closing(api):
        yield ClusterNode(api, node=flags.node_name, kubelet_root=flags.kubelet_root)


def run_agent(flags: AgentFlags) -> None:
    """Run until a signal ends it.  Raises ``UsageError`` and ``InvalidValueError``."""
    with flags.surroundings() as surroundings:
        process = _Process(flags, surroundings)
        configure(flags.log_format)
        asyncio.run(process.run())


class _Process:
    """All parts of one process."""

    def __init__(self, flags: AgentFlags, surroundings: Surroundings) -> None:
        self._flags = flags
        self._surroundings = surroundings
        self._acting = Acting(flags.backstop, surroundings)
        counts = TurnCounts()
        devices = NodeDevices(NvmlLibrary(flags.nvml), overrides=flags.gpu_models)
        parts = AgentParts(
            source=surroundings.workers,
            devices=devices,
            processes=ProcessMap(),
            inventory=InventoryLoop(
                devices, surroundings.tell_gpus, counts, period_s=flags.inventory_s
            ),
            act=self._acting.act,
        )
        self._agent = NodeAgent(flags.node_name, parts, flags.rules, counts=counts)

    async def run(self) -> None:
        """Serve the pages of health while the agent runs."""
        stopping = asyncio.Event()
        stop_on_signals(stopping)
        readiness = Readiness(self._agent.problems)
        around = self._surroundings
        registry = registry_of(
            agent=self._agent.snapshot,
            caches=around.caches,
            budget=around.budget,
            events=around.events,
        )
        application = health_application(
            readiness, lambda: render(registry), CONTENT_TYPE, stuck=self._agent.stuck
        )
        add_node_page(application, self._agent.snapshot)
        flags = self._flags
        async with (
            listening(application, flags.address, flags.health_port, None),
            readiness_told(readiness),
        ):
            await run_until(stopping, self._work, readiness)

    def _work(self, stop: threading.Event) -> None:
        self._surroundings.start()
        try:
            self._agent.run(stop)
        finally:
            self._acting.end()
            self._surroundings.stop()
