"""Has the external scalers of a fleet asked for as long as this process decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.scaling.external.allowed_hosts import AllowedHosts
from autoscaler.scaling.external.api_keys import ApiKeys
from autoscaler.scaling.external.asking import AskedScalers
from autoscaler.scaling.running.jobs import Job
from autoscaler.sources.external_scaler import ExternalScalerClient

if TYPE_CHECKING:
    from pathlib import Path

    from autoscaler.clock import Clock
    from autoscaler.kube.api_server import ApiServer
    from autoscaler.scaling.loop import Tick
    from recommender.observation import Ints

ASK_EVERY_S = 2.0
"""Between two looks at whose external scaler is to be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskingRules:
    """Whom a process may ask, and by whose authority."""

    allowed: tuple[str, ...] = ()
    """``HOST[:PORT]`` of each."""
    ca_file: Path | None = None
    """Authorities of https endpoints; None: those of the image."""


class AskingService:
    """Tells the askers what the fleet is, and lets them end with the lead."""

    def __init__(self, asked: AskedScalers) -> None:
        self.asked = asked

    @property
    def job(self) -> Job:
        """Return the job that has those asked whose time has come."""
        return Job(name="external-scalers", every_s=ASK_EVERY_S, run=self.asked.ask_due)

    def start(self) -> None:
        """Do nothing: a job has them asked."""

    def stop(self) -> None:
        """Ask nobody any more."""
        self.asked.stop()

    def see(self, tick: Tick) -> None:
        """Take over the fleet of a tick."""
        if tick.observed is not None:
            first_s = first_samples_s(tick.observed.observation.usage.first_sample_s)
            self.asked.see(tick.views, first_s)


def asking_service(api: ApiServer, clock: Clock, rules: AskingRules) -> AskingService:
    """Return the service of a process.

    Raises ``UsageError`` for a host that is none.
    """
    asked = AskedScalers(
        ask=ExternalScalerClient(ca_file=rules.ca_file).ask,
        key_of=ApiKeys(api).key_of,
        allowed=AllowedHosts.parse(rules.allowed),
        clock=clock,
    )
    return AskingService(asked)


def first_samples_s(by_resource: Ints) -> Ints:
    """Return the time of the first sample of each workload, of any resource; -1: there is none.

    ``by_resource`` is ``[W, R]``, -1 where there is none.
    """
    never = np.iinfo(np.int64).max
    first = np.where(by_resource < 0, never, by_resource).min(axis=1, initial=never)
    found: Ints = np.where(first == never, -1, first)
    return found
