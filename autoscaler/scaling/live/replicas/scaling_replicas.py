"""Sets the replicas of a workload in the one place where they are set, and nowhere else.

The scale is read and written in one version, so that nobody's number is overwritten unseen: a
number that is not the one that was decided from is left as it is.  What the scale shows is newer
than the caches: somebody may have put back what ours replaced before these showed ours.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.errors import (
    ApiUnavailableError,
    ConflictError,
    ForbiddenError,
    KubeError,
    NotFoundError,
)
from autoscaler.kube.writer import NotLeadingError
from autoscaler.scaling.live.replicas.replica_state import Held
from autoscaler.scaling.live.replicas.scale_targets import SCALE, ScaleTarget

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscaler.kube.api_server import ApiServer
    from autoscaler.kube.store import Object
    from autoscaler.kube.writer import Writer
    from autoscaler.scaling.live.replicas.replica_guards import Remembered, ReplicaGuards
    from autoscaler.scaling.live.replicas.scale_targets import ScaleTargets

CHANGED = "the replicas were changed meanwhile"
PUT_BACK = "somebody else set the replicas back"
SET_ALREADY = "set already"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """A change of replicas."""

    before: int
    """What it was decided from."""
    after: int
    reason: str
    remembered: Remembered
    """Before it began."""

    @property
    def is_raise(self) -> bool:
        """Return whether there are to be more."""
        return self.after > self.before


class ScalingReplicas:
    """Sets replicas; thread-safe, one thread for one workload at a time."""

    def __init__(
        self,
        *,
        api: ApiServer,
        writer: Writer,
        targets: ScaleTargets,
        guards: ReplicaGuards,
        on_scaled: Callable[[Object, Scaling], None],
    ) -> None:
        """``on_scaled`` is called for each workload whose replicas were set."""
        self._api = api
        self._writer = writer
        self._targets = targets
        self._guards = guards
        self._on_scaled = on_scaled

    def scale(self, workload: Object, scaling: Scaling) -> str:
        """Set the replicas of a workload; ``guards`` has noted that it is about to be done.

        Returns what kept it from being done, as one sentence; empty where they are set.
        """
        target = self._targets.target_of(workload)
        if isinstance(target, Held):
            problem = target.text
        else:
            try:
                problem = self._set(target, scaling)
            except KubeError as error:
                problem = self._problem_of(workload, target, error)
                if _may_be_done(error):
                    return problem
        if problem == PUT_BACK:
            self._guards.put_back(workload, scaling.remembered, scaling.before)
        elif problem:
            self._guards.undo(workload, scaling.remembered)
        else:
            self._guards.confirm(workload)
            self._on_scaled(workload, scaling)
        return problem

    def _problem_of(self, workload: Object, target: ScaleTarget, error: KubeError) -> str:
        match error:
            case ConflictError():
                return CHANGED
            case NotFoundError():
                return f"{target} is gone"
            case ForbiddenError():
                text = f"this process lacks the right to scale {target}"
                _log.warning("workload %s: %s: %s", _named(workload), text, error)
                self._guards.forbid(workload, text)
                return text
        return f"{target} was not scaled: {error}"

    def _set(self, target: ScaleTarget, scaling: Scaling) -> str:
        scale = self._api.request("GET", target.path)
        # the API leaves a zero out
        current = (scale.get("spec") or {}).get("replicas") or 0
        if current == scaling.after:
            return SET_ALREADY if scaling.remembered.was_set(current) else ""
        if current != scaling.before:
            return CHANGED
        if scaling.remembered.is_put_back(current):
            return PUT_BACK
        patch = {
            "metadata": {"resourceVersion": scale["metadata"]["resourceVersion"]},
            "spec": {"replicas": scaling.after},
        }
        self._writer.write(
            lambda api: api.merge_patch(
                target.resource, target.name, patch, target.namespace, subresource=SCALE
            ),
            is_urgent=scaling.is_raise,
        )
        return ""


def _may_be_done(error: KubeError) -> bool:
    """Return whether a write that failed may have been done all the same."""
    return isinstance(error, ApiUnavailableError) and not isinstance(error, NotLeadingError)


def _named(workload: Object) -> str:
    metadata = workload["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}"
