import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from autoscaler.api.object_key import ObjectKey
from autoscaler.errors import (
    ApiUnavailableError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ThrottledError,
)
from autoscaler.webhook.counts import AdmissionCounts, LiveOutcome
from autoscaler.webhook.live_objects import LiveObjects, Looked, Unseen, named


def profile(name):
    return ObjectKey("tensor-fusion.ai/v1", "WorkloadProfile", "team", name)


class World:
    """Objects that can be looked at; an error in place of an object is raised."""

    def __init__(self, objects):
        self.objects = objects
        self.asked = []
        self.counts = AdmissionCounts()

    def get(self, key, _timeout_s):
        self.asked.append(key)
        found = self.objects.get(key.name, NotFoundError("gone"))
        if callable(found):
            found = found()
        if isinstance(found, Exception):
            raise found
        return found

    def look(self, *names, within_s=5.0):
        async def look():
            live = LiveObjects(self.get, executor, self.counts)
            return await live.look(map(profile, names), until_s=time.monotonic() + within_s)

        with ThreadPoolExecutor(4) as executor:
            return asyncio.run(look())

    def counted(self):
        return {outcome: n for outcome, n in self.counts.snapshot().live.items() if n}


def test_what_is_there_is_found_and_the_rest_stays_missing():
    world = World({"a": {"metadata": {"name": "a"}}})

    looked = world.look("a", "b")

    assert looked == Looked(found={profile("a"): {"metadata": {"name": "a"}}})
    assert world.counted() == {LiveOutcome.FOUND: 1, LiveOutcome.ABSENT: 1}


def test_nothing_is_asked_where_nothing_is_missing():
    world = World({})

    assert world.look() == Looked()
    assert world.asked == []


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ForbiddenError("may not"), LiveOutcome.FORBIDDEN),
        (ApiUnavailableError("no answer"), LiveOutcome.FAILED),
        (ThrottledError("wait"), LiveOutcome.FAILED),
    ],
)
def test_what_could_not_be_looked_at_is_told_with_the_reason(error, outcome, caplog):
    world = World({"a": error})

    looked = world.look("a")

    is_passing = outcome is LiveOutcome.FAILED
    assert looked == Looked(unseen={profile("a"): Unseen(str(error), is_passing)})
    assert world.counted() == {outcome: 1}
    assert f"could not look at WorkloadProfile team/a: {error}" in caplog.text


def test_a_name_that_no_object_can_have_is_absent():
    world = World({"a/b": InvalidError("the name 'a/b' is not allowed")})

    assert world.look("a/b") == Looked()


def test_objects_are_asked_for_beside_one_another():
    both = threading.Barrier(2, timeout=20)

    def meet():
        both.wait()
        return {"metadata": {}}

    looked = World({"a": meet, "b": meet}).look("a", "b", within_s=30)

    assert set(looked.found) == {profile("a"), profile("b")}


def test_an_answer_that_takes_too_long_is_not_waited_for():
    released = threading.Event()

    async def look():
        live = LiveObjects(lambda _key, _s: released.wait(), executor, counts)
        looked = await live.look([profile("a")], until_s=time.monotonic() + 0.01)
        released.set()
        return looked

    counts = AdmissionCounts()
    with ThreadPoolExecutor(1) as executor:
        looked = asyncio.run(look())

    late = Unseen("the API server did not answer in time", is_passing=True)
    assert looked.unseen == {profile("a"): late}
    assert counts.snapshot().live[LiveOutcome.TIMEOUT] == 1


def test_a_request_gets_no_more_time_than_is_left():
    given = []

    async def look():
        live = LiveObjects(lambda _key, left_s: given.append(left_s) or {}, executor, counts)
        return await live.look([profile("a")], until_s=time.monotonic() + 20.0)

    counts = AdmissionCounts()
    with ThreadPoolExecutor(1) as executor:
        asyncio.run(look())

    assert 0.0 < given[0] <= 20.0


def test_a_defect_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        World({"a": ZeroDivisionError()}).look("a")


def test_what_two_looks_brought_is_joined():
    why = Unseen("why", is_passing=True)
    one, other = Looked(found={profile("a"): {}}), Looked(unseen={profile("b"): why})

    joined = one.joined(other)

    assert (joined.found, joined.unseen) == ({profile("a"): {}}, {profile("b"): why})


def test_a_message_names_an_object_with_its_namespace_if_it_has_one():
    assert named(profile("a")) == "WorkloadProfile team/a"
    assert named(ObjectKey("tensor-fusion.ai/v1", "GPUPool", "", "p")) == "GPUPool p"
