"""The profile ``full``: workloads of the API server, whose status says what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autoscaler.api.names import FieldManager
from autoscaler.kube.elector import Elector
from autoscaler.kube.event_recorder import EventRecorder
from autoscaler.kube.resource import WORKLOADS
from autoscaler.kube.write_budget import WriteBudget
from autoscaler.kube.writer import Writer
from autoscaler.scaling.external.allowed_hosts import AllowedHosts
from autoscaler.scaling.external.api_keys import ApiKeys
from autoscaler.scaling.external.asking import AskedScalers
from autoscaler.scaling.live.caches import LiveCaches
from autoscaler.scaling.live.live_cluster import LiveCluster
from autoscaler.scaling.live.preparing import Numbering, Preparing
from autoscaler.scaling.live.replica_guards import ReplicaGuards
from autoscaler.scaling.live.rivals import Rivals
from autoscaler.scaling.live.scale_targets import ScaleTargets
from autoscaler.scaling.live.scaling_replicas import ScalingReplicas
from autoscaler.scaling.live.showing import Showing
from autoscaler.scaling.live.statement_writing import StatementWriting
from autoscaler.scaling.live.statements import Statements
from autoscaler.scaling.live.stating import Stating
from autoscaler.scaling.live.taking_back import TakingBack
from autoscaler.scaling.live.telling import Telling
from autoscaler.scaling.live.views import LiveViews
from autoscaler.scaling.running.asking_service import AskingService
from autoscaler.scaling.running.jobs import Job
from autoscaler.scaling.running.lead import absence_of, elector_of
from autoscaler.scaling.running.process import Surroundings
from autoscaler.scaling.running.webhook_health import WebhookHealth
from autoscaler.sources.external_scaler import ExternalScalerClient
from recommender.resources import TFLOPS, VRAM

if TYPE_CHECKING:
    from autoscaler.clock import Clock
    from autoscaler.kube.api_server import ApiServer
    from autoscaler.kube.webhook_address import Address
    from autoscaler.scaling.fleet.stated import GpuModels
    from autoscaler.scaling.loop import Loop
    from autoscaler.scaling.page.about import About
    from autoscaler.scaling.running.rules import AutoscalerRules
    from autoscaler.scaling.running.ticking import Shows

RESOURCES = (TFLOPS, VRAM)
RIVALS_EVERY_S = 60.0
KINDS_EVERY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How the API server is written to."""

    rate_per_s: float = 200.0
    workers: int = 8
    scalable: tuple[str, ...] = ()
    """Further kinds of owners whose replicas are set, as ``Kind.group``."""
    page_address: str = ""
    """Where the other processes of this installation reach this one; empty: nowhere."""


class FullProfile:
    """All parts that the profile puts around the loop.  Raises ``UsageError``."""

    def __init__(
        self,
        api: ApiServer,
        rules: AutoscalerRules,
        clock: Clock,
        *,
        gpu_models: GpuModels,
        webhook: Address,
        writing: Writing,
        scaler_allow: Sequence[str] = (),
        scaler_ca_file: Path | None = None,
    ) -> None:
        self._api = api
        self._rules = rules
        self._webhook = WebhookHealth(api, webhook)
        self.caches = LiveCaches(
            api, namespace=rules.namespace, namespace_selector=rules.namespace_selector
        )
        self.elector: Elector = elector_of(api, rules, page_address=writing.page_address)
        self.budget = WriteBudget(writing.rate_per_s)
        self.events = EventRecorder(
            api,
            controller=FieldManager.AUTOSCALER,
            instance=self.elector.identity,
            budget=self.budget,
        )
        self._asked = AskedScalers(
            ask=ExternalScalerClient(ca_file=scaler_ca_file).ask,
            key_of=ApiKeys(api).key_of,
            allowed=AllowedHosts.parse(scaler_allow),
            clock=clock,
        )
        self._asking = AskingService(self._asked)
        self._guards = ReplicaGuards(clock)
        self._rivals = Rivals(api, self.caches)
        self._targets = ScaleTargets(api, scalable=writing.scalable)
        self._views = LiveViews(
            self.caches,
            rivals=self._rivals,
            scale_targets=self._targets,
            replica_guards=self._guards,
            external=self._asked.answer_of,
            gpu_models=gpu_models,
        )
        self._telling = Telling(self.events)
        self._statements = Statements()
        self._numbering = Numbering(epoch=lambda: self.elector.epoch, clock=clock)
        writer = Writer(api, self.budget, is_leader=self.elector.is_leader)
        self.stating = Stating(
            StatementWriting(
                find=self.caches.workload,
                api=api,
                writer=writer,
                statements=self._statements,
                clock=clock,
                on_written=self._telling.written,
            ),
            workers=writing.workers,
        )
        self._cluster = self._live_cluster(writer)

    def surroundings(self, about: About) -> Surroundings:
        """Return what stands around the loop."""
        return Surroundings(
            cluster=self._cluster,
            resources=RESOURCES,
            control=self.caches.control,
            about=about,
            webhook=self._webhook.problems,
            shows=self._shows,
            caches=self.caches,
            election=self.elector,
            absence=absence_of(self.caches, self.elector),
            services=(self.events, self.stating, self._asking),
            jobs=self._jobs(),
            stating=self.stating.snapshot,
        )

    def _live_cluster(self, writer: Writer) -> LiveCluster:
        find = self.caches.workload
        scaling = ScalingReplicas(
            api=self._api,
            writer=writer,
            targets=self._targets,
            guards=self._guards,
            on_scaled=self._telling.scaled,
        )
        return LiveCluster(
            views=self._views,
            find=find,
            workloads=self.caches.store(WORKLOADS).items,
            preparing=Preparing(
                views=self._views,
                find=find,
                statements=self._statements,
                scaling=scaling,
                guards=self._guards,
                numbering=self._numbering,
            ),
            stating=self.stating,
            guards=self._guards,
            telling=self._telling,
            apply_within_s=self._rules.apply_within_s,
        )

    def _shows(self, loop: Loop) -> Sequence[Shows]:
        showing = Showing(
            loop,
            notes=self._views,
            find=self.caches.workload,
            statements=self._statements,
            stating=self.stating,
            taking_back=TakingBack(
                statements=self._statements,
                stating=self.stating,
                guards=self._guards,
                numbering=self._numbering,
            ),
            guards=self._guards,
            telling=self._telling,
            external_state=self._asked.state_of,
        )
        return showing, self._asking.see

    def _jobs(self) -> tuple[Job, ...]:
        return (
            Job(name="rivals", every_s=RIVALS_EVERY_S, run=self._rivals.refresh),
            Job(name="scaled-kinds", every_s=KINDS_EVERY_S, run=self._targets.refresh),
            self._asking.job,
        )
