import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from autoscaler.api.object_key import ObjectKey
from autoscaler.errors import ApiUnavailableError, ForbiddenError, NotFoundError
from autoscaler.webhook.admission import Admission
from autoscaler.webhook.answering import ROUNDS, Answering
from autoscaler.webhook.cache_snapshot import CacheSnapshot
from autoscaler.webhook.counts import AdmissionCounts, Webhook
from autoscaler.webhook.live_objects import LiveObjects
from autoscaler.webhook.review import decode
from tests.autoscaler.webhook.lookups import Changing
from tests.autoscaler.webhook.reviews import review

PROFILE = ObjectKey("tensor-fusion.ai/v1", "WorkloadProfile", "team", "shared")
OWNER = ObjectKey("apps/v1", "ReplicaSet", "team", "chat-7d5")
POD = {"group": "", "version": "v1", "kind": "Pod"}
DEPLOYMENT = {"group": "apps", "version": "v1", "kind": "Deployment"}


class World:
    """An admission that needs some objects, caches that lack them, and a server that has some."""

    def __init__(self, *needed, there=(), error=None, admit=None):
        self.needed = needed
        self.there = {key: {"metadata": {"name": key.name}} for key in there}
        self.error = error or NotFoundError("gone")
        self.asked = []
        self.requests = []
        self._admit = admit

    def admit(self, request, snapshot):
        self.requests.append(request)
        if self._admit is not None:
            return self._admit(request, snapshot)
        missing = tuple(key for key in self.needed if snapshot.find(key) is None)
        error = f"no {missing[0].kind} {missing[0].name}" if missing else ""
        return Admission(error=error, missing=missing)

    def get(self, key, _timeout_s):
        self.asked.append(key)
        if key not in self.there:
            raise self.error
        return self.there[key]

    def answer(self, body, webhook=Webhook.PODS):
        async def answer():
            live = LiveObjects(self.get, executor, AdmissionCounts())
            answering = Answering(self.admit, lambda: CacheSnapshot(Changing()), live)
            return await answering.answer(webhook, decode(body))

        with ThreadPoolExecutor(4) as executor:
            return asyncio.run(answer())


def test_a_pod_is_admitted_with_the_namespace_of_the_request():
    world = World()

    assert world.answer(review()) == Admission()
    [request] = world.requests
    assert request.namespace == "team"
    assert request.pod["metadata"]["generateName"] == "chat-7d5-"


def test_what_is_cached_is_not_looked_at():
    world = World()
    world.answer(review())

    assert world.asked == []


def test_a_pod_is_looked_at_again_with_what_the_caches_lacked():
    world = World(PROFILE, there=[PROFILE])

    assert world.answer(review()) == Admission()
    assert world.asked == [PROFILE]
    assert len(world.requests) == 2


def test_what_nobody_has_stays_missing_and_is_looked_at_once():
    world = World(PROFILE)

    assert world.answer(review()).error == "no WorkloadProfile shared"
    assert world.asked == [PROFILE]
    assert len(world.requests) == 1


def test_an_object_that_leads_to_another_is_followed():
    def admit(_request, snapshot):
        if snapshot.find(OWNER) is None:
            return Admission(error="no owner", missing=(OWNER,))
        if snapshot.find(PROFILE) is None:
            return Admission(error="no profile", missing=(PROFILE,))
        return Admission()

    world = World(there=[OWNER, PROFILE], admit=admit)

    assert world.answer(review()) == Admission()
    assert world.asked == [OWNER, PROFILE]


def test_an_endless_chain_is_given_up():
    def admit(_request, snapshot):
        keys = [ObjectKey("apps/v1", "ReplicaSet", "team", f"rs-{n}") for n in range(100)]
        missing = next(key for key in keys if snapshot.find(key) is None)
        return Admission(error="no owner", missing=(missing,))

    keys = [ObjectKey("apps/v1", "ReplicaSet", "team", f"rs-{n}") for n in range(100)]
    world = World(there=keys, admit=admit)

    assert world.answer(review()).error == "no owner"
    assert len(world.asked) == ROUNDS


def test_a_refusal_says_what_could_not_be_looked_at():
    world = World(PROFILE, error=ForbiddenError("get: not allowed"))

    assert world.answer(review()).error == (
        "no WorkloadProfile shared; "
        "WorkloadProfile team/shared could not be looked at: get: not allowed"
    )


def test_a_pod_that_passes_is_warned_of_what_could_not_be_looked_at():
    world = World(
        admit=lambda *_: Admission(missing=(PROFILE,), warnings=("first",)),
        error=ForbiddenError("get: not allowed"),
    )

    found = world.answer(review())

    assert found.error == ""
    assert found.warnings == (
        "first",
        "WorkloadProfile team/shared could not be looked at: get: not allowed",
    )


def owned_review():
    """Return a review of a pod that a ReplicaSet makes."""
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "chat-7d5", "uid": "u"}
    metadata = {"generateName": "chat-7d5-", "ownerReferences": [{**owner, "controller": True}]}
    return review(object={"metadata": metadata, "spec": {"containers": []}})


def passes_without_owner(error):
    """Return a world in which an owner cannot be looked at, and nothing else is wanted."""
    patch = ({"op": "add", "path": "/metadata/labels", "value": {}},)
    return World(admit=lambda *_: Admission(patch=patch, missing=(OWNER,)), error=error)


def test_a_pod_whose_owner_was_not_seen_in_time_is_made_again():
    found = passes_without_owner(ApiUnavailableError("no answer")).answer(owned_review())

    assert (found.patch, found.warnings) == ((), ())
    assert found.error == (
        "ReplicaSet team/chat-7d5 could not be looked at: no answer; "
        "the controller of the pod makes it again"
    )


def test_a_pod_whose_owner_may_not_be_looked_at_passes_with_a_warning():
    found = passes_without_owner(ForbiddenError("get: not allowed")).answer(owned_review())

    assert (found.error, len(found.patch), len(found.warnings)) == ("", 1, 1)


def test_a_pod_that_nobody_makes_again_passes_with_a_warning():
    found = passes_without_owner(ApiUnavailableError("no answer")).answer(review())

    assert (found.error, len(found.patch), len(found.warnings)) == ("", 1, 1)


@pytest.mark.parametrize("operation", ["UPDATE", "DELETE", "CONNECT"])
def test_pods_that_exist_are_left_alone(operation):
    world = World(PROFILE)

    assert world.answer(review(operation=operation)) == Admission()
    assert world.requests == []


@pytest.mark.parametrize(
    ("webhook", "kind", "expected"),
    [
        (Webhook.PODS, DEPLOYMENT, ("pods", "Deployment of apps")),
        (Webhook.OBJECTS, POD, ("objects of tensor-fusion.ai", "Pod of the core group")),
    ],
)
def test_a_wrong_rule_of_a_configuration_is_told(webhook, kind, expected):
    allowed, asked = expected

    assert World().answer(review(kind=kind), webhook).error == (
        f"the webhook of {allowed} was asked about {asked}: "
        "mend its rules in the webhook configuration"
    )


def test_objects_of_ours_are_validated():
    kind = {"group": "tensor-fusion.ai", "version": "v1", "kind": "WorkloadProfile"}
    profile = {"metadata": {"name": "p"}, "spec": {"qos": "urgent"}}

    found = World().answer(review(kind=kind, object=profile), Webhook.OBJECTS)

    assert "urgent" in found.error


def test_templates_are_only_warned_about():
    world = World(admit=lambda *_: Admission(error="qos: 'urgent' is not valid"))
    template = {
        "metadata": {"labels": {"tensor-fusion.ai/enabled": "true"}},
        "spec": {"containers": [{"name": "main"}]},
    }
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "chat"}}

    found = world.answer(
        review(kind=DEPLOYMENT, object={**obj, "spec": {"template": template}}), Webhook.TEMPLATES
    )

    assert found.error == ""
    [warning] = found.warnings
    assert "'urgent'" in warning
