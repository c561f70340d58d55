"""What an installation decides about its autoscaler: profile, part of the cluster, and pace."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autoscaler.api.names import AUTOSCALER_LEASE, NAMESPACE
from autoscaler.errors import UsageError
from autoscaler.scaling.periods import REQUESTS_LOOK_S, TICK_S
from autoscaler.scaling.running.profile import Profile
from recommender.decision import Layer
from recommender.forecast.daily_training import EVERY_S

INSTANCE = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_KEY, _VALUE = r"[A-Za-z0-9./_-]+", r"[A-Za-z0-9._-]*"
_REQUIREMENT = (
    rf"\s*(?:!?\s*{_KEY}|{_KEY}\s*(?:=|==|!=)\s*{_VALUE}"
    rf"|{_KEY}\s+(?:in|notin)\s*\(\s*{_VALUE}(?:\s*,\s*{_VALUE})*\s*\))\s*"
)
SELECTOR = re.compile(rf"{_REQUIREMENT}(?:,{_REQUIREMENT})*")
"""Labels as ``kubectl -l`` takes them; the API server would refuse others again and again."""
SHORTEST_TICK_S, LONGEST_TICK_S = 1.0, 300.0
SHORTEST_STEP_S, LONGEST_STEP_S = 1, 60
LONGEST_REQUESTS_S = 86400.0
SHORTEST_CHECKPOINT_S = 10.0
SHORTEST_PAGE_S = 5.0
SHORTEST_TRAIN_S = 60.0
LEAST_SINCE_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalerRules:
    """The rules of one process.  Raises ``UsageError`` for what does not go together."""

    profile: Profile = Profile.FULL
    namespace: str = NAMESPACE
    """Of the installation."""
    namespace_selector: str = ""
    """Labels of the namespaces whose workloads are this instance's; empty: all."""
    instance: str = ""
    """Tells this instance from those for other namespaces; empty: the only one."""
    tick_s: float = TICK_S
    """Between two ticks of limits and replicas."""
    requests_every_s: float = REQUESTS_LOOK_S
    """Between two looks at requests: cron windows begin and end, roll-backs are made, and workloads
    are evaluated whose own period has passed."""
    step_s: int = 15
    """Resolution in which the last minutes are read."""
    since_s: int = 14 * 86400
    """So much history is read where there is no state."""
    state_path: Path | None = None
    """None: the history is read at every start."""
    checkpoint_every_s: float = 300.0
    page_every_s: float = 300.0
    train_every_s: float = EVERY_S
    """Between two trainings of the models that forecast for the whole fleet."""

    def __post_init__(self) -> None:
        _check(self.tick_s, "--tick", SHORTEST_TICK_S, LONGEST_TICK_S)
        _check(self.requests_every_s, "--requests-every", SHORTEST_TICK_S, LONGEST_REQUESTS_S)
        _check(self.step_s, "--step", SHORTEST_STEP_S, LONGEST_STEP_S)
        _check(self.since_s, "--since", LEAST_SINCE_S, math.inf)
        _check(self.checkpoint_every_s, "--checkpoint-every", SHORTEST_CHECKPOINT_S, math.inf)
        _check(self.page_every_s, "--page-every", SHORTEST_PAGE_S, math.inf)
        _check(self.train_every_s, "--train-every", SHORTEST_TRAIN_S, math.inf)
        if bool(self.namespace_selector) is not bool(self.instance):
            raise UsageError(
                "--namespace-selector and --instance: give both, or none of them; without a name "
                "of its own, an instance for some namespaces keeps another from working, and two "
                "instances without a selector would write the same workloads"
            )
        if self.instance and not INSTANCE.fullmatch(self.instance):
            raise UsageError(
                f"--instance: {self.instance!r} is not valid; allowed: up to 32 of a-z, 0-9 and "
                "'-', with a letter or digit at both ends"
            )
        if self.namespace_selector and not SELECTOR.fullmatch(self.namespace_selector):
            raise UsageError(
                f"--namespace-selector: {self.namespace_selector!r} is not valid; allowed: labels "
                "as kubectl -l takes them, such as team=search or team in (search,ads)"
            )
        if self.namespace_selector and self.profile is Profile.RECOMMEND_ONLY:
            raise UsageError(
                f"--namespace-selector: not with --profile {self.profile}, which knows no "
                "namespaces but those of the metrics; narrow it by --selector namespace=NAME"
            )

    @property
    def lease_name(self) -> str:
        """Return the name of the Lease of this instance."""
        return f"{AUTOSCALER_LEASE}-{self.instance}" if self.instance else AUTOSCALER_LEASE

    @property
    def period_s(self) -> Mapping[Layer, int]:
        """Return the periods of the layers in whole seconds, at least 1."""
        tick_s = max(int(self.tick_s), 1)
        return {
            Layer.REQUESTS: max(int(self.requests_every_s), 1),
            Layer.LIMITS: tick_s,
            Layer.REPLICAS: tick_s,
        }

    @property
    def apply_within_s(self) -> float:
        """Return how long after its begin a tick still begins to write; the rest is decided anew.

        What is left of the period is for the writes that are on their way then.
        """
        return max(2.0, 0.8 * self.tick_s)


def _check(value_s: float, flag: str, least_s: float, most_s: float) -> None:
    if not least_s <= value_s <= most_s:
        most = "" if math.isinf(most_s) else f" to {most_s:g}s"
        allowed = f"{least_s:g}s{most or ' and longer'}"
        raise UsageError(f"{flag}: {value_s:g}s is not valid; allowed: {allowed}")
