"""Which function answers a review, and what it is given to look at.

Pods that name something which the caches lack are looked at again with what the API server has.
The wire format is ``review``; HTTP is ``server``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from autoscaler.api.names import GROUP
from autoscaler.api.object_key import ObjectKey
from autoscaler.api.root_owner import has_controller
from autoscaler.kube.resource import PODS
from autoscaler.webhook.admission import Admission, PodRequest
from autoscaler.webhook.cache_snapshot import CompletedSnapshot
from autoscaler.webhook.counts import Webhook
from autoscaler.webhook.live_objects import BUDGET_S, LiveObjects, Looked, named
from autoscaler.webhook.review import Review
from autoscaler.webhook.snapshot import Snapshot
from autoscaler.webhook.validate_objects import validate_objects
from autoscaler.webhook.validate_templates import validate_template

ROUNDS = 3
"""An owner that was looked at may have an owner of its own, and that one a workload."""

Admit = Callable[[PodRequest, Snapshot], Admission]


class Answering:
    """Answers reviews from what ``snapshot`` shows at the moment."""

    def __init__(self, admit: Admit, snapshot: Callable[[], Snapshot], live: LiveObjects) -> None:
        self._admit = admit
        self._snapshot = snapshot
        self._live = live

    async def answer(self, webhook: Webhook, review: Review) -> Admission:
        """Return the answer; anything raised is a defect."""
        if review.operation not in {"CREATE", "UPDATE"} or review.new is None:
            return Admission()
        if webhook is Webhook.PODS:
            return await self._pod(review)
        snapshot = self._snapshot()
        if webhook is Webhook.TEMPLATES:
            warnings = validate_template(review.kind, review.new, snapshot, self._admit)
            return Admission(warnings=tuple(warnings))
        if review.group != GROUP:
            return _strange(review, f"objects of {GROUP}")
        return validate_objects(review.kind, review.new, review.old, snapshot)

    async def _pod(self, review: Review) -> Admission:
        if (review.group, review.kind) != (PODS.group, PODS.kind):
            return _strange(review, "pods")
        if review.operation != "CREATE":
            # Nothing may be injected into a pod that exists.
            return Admission()
        assert review.new is not None
        request = PodRequest(pod=review.new, namespace=review.namespace)
        snapshot = self._snapshot()
        admission = self._admit(request, snapshot)
        until_s = time.monotonic() + BUDGET_S
        asked: set[ObjectKey] = set()
        looked = Looked()
        for _ in range(ROUNDS):
            keys = set(admission.missing) - asked
            if not keys:
                break
            asked |= keys
            new = await self._live.look(keys, until_s=until_s)
            looked = looked.joined(new)
            if not new.found:
                break
            admission = self._admit(request, CompletedSnapshot(snapshot, looked.found))
        return _told(admission, looked, is_made_again=has_controller(request.pod))


def _told(admission: Admission, looked: Looked, *, is_made_again: bool) -> Admission:
    """Add what could not be looked at, where it may have decided the answer.

    A pod that its controller makes again is refused where the next look may bring what this one did
    not: by an owner that was not seen it would belong to another workload for all its life.
    """
    unseen = {key: looked.unseen[key] for key in admission.missing if key in looked.unseen}
    if not unseen:
        return admission
    said = [f"{named(key)} could not be looked at: {each.why}" for key, each in unseen.items()]
    if admission.error:
        return replace(admission, error="; ".join((admission.error, *said)))
    if is_made_again and any(each.is_passing for each in unseen.values()):
        error = "; ".join((*said, "the controller of the pod makes it again"))
        return replace(admission, error=error, patch=())
    return replace(admission, warnings=(*admission.warnings, *said))


def _strange(review: Review, allowed: str) -> Admission:
    """Refuse what a wrong webhook configuration sends, so that somebody notices."""
    what = f"{review.kind} of {review.group or 'the core group'}"
    return Admission(
        error=f"the webhook of {allowed} was asked about {what}: mend its rules in the "
        "webhook configuration"
    )
