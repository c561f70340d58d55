"""The profile ``beside-upstream``: workers of another operator, which asks for decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from autoscaler.scaling.live.upstream.caches import UpstreamCaches
from autoscaler.scaling.live.upstream.cluster import UpstreamCluster
from autoscaler.scaling.live.upstream.views import UpstreamViews
from autoscaler.scaling.running.lead import absence_of, elector_of
from autoscaler.scaling.running.process import Surroundings
from autoscaler.scaling.running.profiles.asking_service import AskingRules, asking_service
from recommender.resources import TFLOPS, VRAM

if TYPE_CHECKING:
    from autoscaler.clock import Clock
    from autoscaler.kube.api_server import ApiServer
    from autoscaler.kube.elector import Elector
    from autoscaler.kube.store import Key
    from autoscaler.scaling.cards import GpuModels
    from autoscaler.scaling.page.about import About
    from autoscaler.scaling.running.rules import AutoscalerRules
    from autoscaler.sources.profiles import Profiles

RESOURCES = (TFLOPS, VRAM)


class UpstreamProfile:
    """All parts that the profile puts around the loop.  Raises ``UsageError``."""

    def __init__(
        self,
        api: ApiServer,
        rules: AutoscalerRules,
        clock: Clock,
        *,
        gpu_models: GpuModels,
        profiles: Profiles,
        rows: Mapping[Key, Mapping[str, object]],
        asking: AskingRules,
        page_address: str = "",
    ) -> None:
        """``profiles`` and ``rows`` are those of the mounted files, by namespace and name."""
        self.caches = UpstreamCaches(
            api, namespace=rules.namespace, namespace_selector=rules.namespace_selector
        )
        self.elector: Elector = elector_of(api, rules, page_address=page_address)
        self._asking = asking_service(api, clock, asking)
        self._cluster = UpstreamCluster(
            UpstreamViews(
                self.caches,
                gpu_models=gpu_models,
                profiles=profiles,
                rows=rows,
                external=self._asking.asked.answer_of,
            )
        )

    def surroundings(self, about: About) -> Surroundings:
        """Return what stands around the loop."""
        return Surroundings(
            cluster=self._cluster,
            resources=RESOURCES,
            control=self.caches.control,
            about=about,
            shows=lambda *_: (self._cluster.show, self._asking.see),
            caches=self.caches,
            election=self.elector,
            absence=absence_of(self.caches, self.elector),
            services=(self._asking,),
            jobs=(self._asking.job,),
            questions=self._asking.asked.outcomes,
            answer=self._cluster.answer,
        )
