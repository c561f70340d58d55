"""Leaving a cluster without leaving anything stuck: what ``tfa leave`` does, step by step.

The webhook lists are emptied first, so that no further pod is held back.  Pods that wait behind our
gate are then deleted where somebody makes them anew, or let go.  Running workers are left alone,
and nothing that users wrote is deleted: what stays is ``remaining``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from autoscaler.api.names import COMPONENT, PLACEMENT_GATE
from autoscaler.errors import (
    ApiUnavailableError,
    ConflictError,
    KubeError,
    NotFoundError,
    ThrottledError,
)
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.resource import PODS, Resource
from autoscaler.kube.webhook_entries import WEBHOOKS
from autoscaler.workloads.pod_state import has_controller, is_deleted, is_gated

SETTLE_S = 1.0
"""API servers learn within this time that a list is empty; until then they still gate pods."""
MOST_LOOKS = 10
WORTH_REPEATING = (ApiUnavailableError, ConflictError, ThrottledError)


class Action(StrEnum):
    """What a step does."""

    EMPTY = "empty"
    """A webhook configuration: the API server asks nobody of ours any more."""
    DELETE = "delete"
    """A waiting pod that its controller makes anew, then without us."""
    UNGATE = "ungate"
    """A waiting pod that nobody would make anew: it starts without a GPU of ours."""


class Outcome(StrEnum):
    """How a step ended."""

    PLANNED = "planned"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change of one object."""

    action: Action
    resource: Resource
    namespace: str
    """Empty for kinds without."""
    name: str
    uid: str

    @property
    def subject(self) -> str:
        """Return ``namespace/name``, or the name alone."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A step, and how it ended."""

    step: Step
    outcome: Outcome
    message: str = ""
    """Why it failed."""


def steps_now(api: ApiServer) -> tuple[Step, ...]:
    """Return what is to be done, in this order.  Raises ``KubeError``."""
    return (*_filled_configurations(api), *_waiting_pods(api))


def leave(
    api: ApiServer,
    *,
    progress: Callable[[float], None] = lambda _share: None,
    wait: Callable[[float], None] = time.sleep,
) -> tuple[Taken, ...]:
    """Carry out all steps, and look again until nothing comes any more; return what was done.

    A step that fails does not keep the others from being tried.  Raises ``KubeError`` where the
    cluster cannot be looked at.
    """
    taken: dict[Step, Taken] = {}
    hopeless: set[Step] = set()
    for look in range(MOST_LOOKS):
        steps = [step for step in steps_now(api) if step not in hopeless]
        if not steps:
            break
        for number, step in enumerate(steps, start=1):
            error = _carry_out(api, step)
            taken[step] = _taken(step, error, times=look + 1)
            if error is not None and not isinstance(error, WORTH_REPEATING):
                hopeless.add(step)
            progress(number / len(steps))
        wait(SETTLE_S)
    else:
        back = "is there again after each try: somebody puts it back"
        for step in steps_now(api):
            if step not in hopeless:
                taken[step] = Taken(step=step, outcome=Outcome.FAILED, message=back)
    return tuple(taken.values())


def _taken(step: Step, error: KubeError | None, *, times: int) -> Taken:
    if error is None:
        return Taken(step=step, outcome=Outcome.DONE)
    tries = f" (tried {times} times)" if times > 1 else ""
    return Taken(step=step, outcome=Outcome.FAILED, message=f"{error}{tries}")


def _filled_configurations(api: ApiServer) -> Iterator[Step]:
    for webhook in WEBHOOKS:
        resource, name = webhook.configuration, webhook.configuration_name
        try:
            live = api.get(resource, name)
        except NotFoundError:
            continue
        if live.get("webhooks"):
            uid = live["metadata"]["uid"]
            yield Step(action=Action.EMPTY, resource=resource, namespace="", name=name, uid=uid)


def _waiting_pods(api: ApiServer) -> Iterator[Step]:
    for pods, _ in api.pages(PODS, label_selector=COMPONENT):
        for pod in pods:
            metadata = pod["metadata"]
            if is_gated(pod) and not is_deleted(pod):
                yield Step(
                    action=Action.DELETE if has_controller(pod) else Action.UNGATE,
                    resource=PODS,
                    namespace=metadata["namespace"],
                    name=metadata["name"],
                    uid=metadata["uid"],
                )


def _carry_out(api: ApiServer, step: Step) -> KubeError | None:
    """Do one step; return what went wrong.  An object that is gone needs nothing any more."""
    # The identity keeps a new object of this name from being meant.
    identity = {"uid": step.uid}
    try:
        match step.action:
            case Action.EMPTY:
                patch: dict[str, Any] = {"metadata": identity, "webhooks": []}
                api.merge_patch(step.resource, step.name, patch)
            case Action.DELETE:
                api.delete(step.resource, step.name, step.namespace, uid=step.uid)
            case Action.UNGATE:
                gates = [{"$patch": "delete", "name": PLACEMENT_GATE}]
                patch = {"metadata": identity, "spec": {"schedulingGates": gates}}
                api.strategic_patch(step.resource, step.name, patch, step.namespace)
    except NotFoundError:
        return None
    except KubeError as error:
        return error
    return None
