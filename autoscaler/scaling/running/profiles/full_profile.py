"""The profile ``full``: workloads of the API server, whose status says what was decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.api.names import FieldManager
from autoscaler.kube.elector import Elector
from autoscaler.kube.event_recorder import EventRecorder
from autoscaler.kube.write_budget import WriteBudget
from autoscaler.kube.writer import Writer
from autoscaler.scaling.live.caches import LiveCaches
from autoscaler.scaling.live.replicas.replica_guards import ReplicaGuards
from autoscaler.scaling.live.replicas.rivals import Rivals
from autoscaler.scaling.live.replicas.scale_targets import ScaleTargets
from autoscaler.scaling.live.viewing.views import LiveViews
from autoscaler.scaling.live.writing_parts import writing_parts
from autoscaler.scaling.running.jobs import Job
from autoscaler.scaling.running.lead import absence_of, elector_of
from autoscaler.scaling.running.process import Surroundings
from autoscaler.scaling.running.profiles.asking_service import AskingRules, asking_service
from autoscaler.scaling.running.webhook_health import WebhookHealth
from recommender.resources import TFLOPS, VRAM

if TYPE_CHECKING:
    from autoscaler.clock import Clock
    from autoscaler.kube.api_server import ApiServer
    from autoscaler.kube.webhook_address import Address
    from autoscaler.scaling.cards import GpuModels
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
        asking: AskingRules,
    ) -> None:
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
        self._asking = asking_service(api, clock, asking)
        guards = ReplicaGuards(clock)
        self._rivals = Rivals(api, self.caches)
        self._targets = ScaleTargets(api, scalable=writing.scalable)
        views = LiveViews(
            self.caches,
            rivals=self._rivals,
            scale_targets=self._targets,
            replica_guards=guards,
            external=self._asking.asked.answer_of,
            gpu_models=gpu_models,
        )
        self._parts = writing_parts(
            api,
            caches=self.caches,
            views=views,
            targets=self._targets,
            guards=guards,
            writer=Writer(api, self.budget, is_leader=self.elector.is_leader),
            events=self.events,
            clock=clock,
            epoch=lambda: self.elector.epoch,
            external_state=self._asking.asked.state_of,
            workers=writing.workers,
            apply_within_s=rules.apply_within_s,
        )
        self.stating = self._parts.stating

    def surroundings(self, about: About) -> Surroundings:
        """Return what stands around the loop."""
        return Surroundings(
            cluster=self._parts.cluster,
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
            questions=self._asking.asked.outcomes,
        )

    def _shows(self, loop: Loop, hold_reasons: Callable[[], Sequence[str]]) -> Sequence[Shows]:
        return self._parts.showing(loop, hold_reasons), self._asking.see

    def _jobs(self) -> tuple[Job, ...]:
        return (
            Job(name="rivals", every_s=RIVALS_EVERY_S, run=self._rivals.refresh),
            Job(name="scaled-kinds", every_s=KINDS_EVERY_S, run=self._targets.refresh),
            self._asking.job,
        )
