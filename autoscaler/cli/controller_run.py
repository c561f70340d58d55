"""What ``tfa controller`` does, after its arguments were read: puts the parts together and runs."""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from autoscaler.api.names import CONTROLLER_LEASE, FieldManager
from autoscaler.cli.root_owners import root_owners_of
from autoscaler.clock import SystemClock
from autoscaler.errors import UsageError
from autoscaler.health import Readiness, health_application
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.certificate_keeper import CertificateKeeper, KeeperRules
from autoscaler.kube.elector import Elector
from autoscaler.kube.event_recorder import EventRecorder
from autoscaler.kube.webhook_address import Address, ServiceAddress, UrlAddress
from autoscaler.kube.webhook_endpoints import endpoints_of
from autoscaler.kube.work_queue import WorkQueue
from autoscaler.kube.write_budget import WriteBudget
from autoscaler.listening import listening, readiness_told, run_until, stop_on_signals
from autoscaler.logs import LogFormat, configure
from autoscaler.telemetry.exposition import CONTENT_TYPE, registry_of, render
from autoscaler.version import tool_version
from autoscaler.workloads.connections.connection_api import add_routes
from autoscaler.workloads.controller import Controller
from autoscaler.workloads.parts import parts_of
from autoscaler.workloads.rules import ControllerRules
from autoscaler.workloads.work import WorkKey
from recommender.durations import parse_duration_s

SHORTEST_RESYNC_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerFlags:
    """The arguments of the command."""

    namespace: str
    has_standalone_workers: bool
    root_owners: tuple[str, ...]
    """``CHILD=KIND`` of each, both as ``Kind.group``."""
    webhook_replicas: int
    webhook_open_after: str | None
    webhook_url: str | None
    is_certificate_external: bool
    release_after: str
    resync: str
    write_rate_per_s: float
    workers: int
    address: str | None
    health_port: int
    kubeconfig: Path | None
    log_format: LogFormat

    @property
    def rules(self) -> ControllerRules:
        """Return what the installation decides.  Raises ``UsageError``, ``InvalidValueError``."""
        return ControllerRules(
            namespace=self.namespace,
            root_owners=root_owners_of(self.root_owners),
            has_standalone_workers=self.has_standalone_workers,
            release_after_s=_duration_s(self.release_after, "--release-after", shortest_s=0.0),
            resync_s=_duration_s(self.resync, "--resync", shortest_s=SHORTEST_RESYNC_S),
            workers=self.workers,
        )

    @property
    def keeper_rules(self) -> KeeperRules:
        """Return how certificate and entries are kept.  Raises as ``rules``."""
        open_after = self.webhook_open_after
        return KeeperRules(
            needed_endpoints=self.webhook_replicas,
            open_after_s=None
            if open_after is None
            else _duration_s(open_after, "--webhook-open-after", shortest_s=0.0),
            is_external=self.is_certificate_external,
        )

    @property
    def webhook_address(self) -> Address:
        """Return where the API server reaches the webhook.  Raises ``UsageError``."""
        if self.webhook_url is None:
            return ServiceAddress(namespace=self.namespace)
        return UrlAddress(url=self.webhook_url)


def _duration_s(text: str, flag: str, *, shortest_s: float) -> float:
    duration_s = parse_duration_s(text, flag)
    if duration_s < shortest_s:
        raise UsageError(f"{flag}: {text} is not valid; allowed: {shortest_s:g}s and longer")
    return duration_s


def run_controller(flags: ControllerFlags) -> None:
    """Run until a signal ends it.  Raises ``UsageError`` and ``InvalidValueError``."""
    process = _Process(flags)
    configure(flags.log_format)
    with closing(process.api):
        asyncio.run(process.run())


class _Process:
    """All parts of one process."""

    def __init__(self, flags: ControllerFlags) -> None:
        rules, keeper_rules = flags.rules, flags.keeper_rules
        address = flags.webhook_address
        budget = WriteBudget(flags.write_rate_per_s)
        self.api = ApiServer.from_environment(
            kubeconfig=flags.kubeconfig, user_agent=f"tfa-controller/{tool_version()}"
        )
        self._flags = flags
        self._elector = Elector(self.api, namespace=flags.namespace, name=CONTROLLER_LEASE)
        self._events = EventRecorder(
            self.api,
            controller=FieldManager.CONTROLLER,
            instance=self._elector.identity,
            budget=budget,
        )
        self._keeper = CertificateKeeper(
            self.api,
            address,
            endpoints=partial(endpoints_of, self.api, address),
            is_leader=self._elector.is_leader,
            clock=SystemClock(),
            rules=keeper_rules,
            namespace=flags.namespace,
        )
        queue = WorkQueue[WorkKey]()
        self._parts = parts_of(
            self.api,
            work=queue,
            rules=rules,
            events=self._events,
            budget=budget,
            is_leader=self._elector.is_leader,
            clock=SystemClock(),
        )
        self._controller = Controller(
            self._parts,
            queue,
            election=self._elector,
            events=self._events,
            tasks=(self._keeper.run,),
        )
        self._registry = registry_of(
            caches=self._parts.tools.cluster.counts,
            queue=queue.snapshot,
            budget=budget.snapshot,
            elector=self._elector.snapshot,
            events=self._events.snapshot,
            keeper=self._keeper.snapshot,
            controller=self._controller.snapshot,
        )

    async def run(self) -> None:
        """Serve the pages of health while the controller runs."""
        stopping = asyncio.Event()
        stop_on_signals(stopping)
        readiness = Readiness(self._controller.problems)
        application = health_application(
            readiness,
            lambda: render(self._registry),
            CONTENT_TYPE,
            stuck=self._controller.stuck,
        )
        add_routes(application, self._parts.tools.cluster)
        async with (
            listening(application, self._flags.address, self._flags.health_port, None),
            readiness_told(readiness),
        ):
            await run_until(stopping, self._controller.run, readiness)
