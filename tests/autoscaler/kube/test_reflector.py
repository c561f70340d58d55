"""A reflector before an API server of lists and streams that a test writes down."""

import logging
import threading

import pytest

from autoscaler.errors import (
    ApiUnavailableError,
    ExpiredError,
    ForbiddenError,
    NotFoundError,
    ThrottledError,
)
from autoscaler.kube.backoff import Backoff
from autoscaler.kube.reflector import FAILURES_UNTIL_LIST, Reflector
from autoscaler.kube.resource import CONFIG_MAPS, WORKLOADS
from autoscaler.kube.store import ChangeKind
from tests.components.processes import until

DEADLINE_S = 20


def thing(name, version="1"):
    metadata = {"namespace": "ns", "name": name, "uid": name, "resourceVersion": version}
    return {"metadata": metadata | {"managedFields": ["long"]}}


def event(kind, obj):
    return {"type": kind, "object": obj}


def bookmark(version):
    return event("BOOKMARK", {"metadata": {"resourceVersion": version}})


GONE = event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})


class Stream:
    """Events, then an error, an orderly end, or silence until it is closed."""

    def __init__(self, *events, end=None):
        self._events = iter(events)
        self._end = end
        self._closed = threading.Event()

    def __iter__(self):
        return self

    def __next__(self):
        for found in self._events:
            return found
        if self._end is None:
            self._closed.wait(DEADLINE_S)
        elif isinstance(self._end, Exception):
            raise self._end
        raise StopIteration

    def close(self):
        self._closed.set()


class Server:
    """Answers lists and watches in the order in which they are written; then it is silent."""

    def __init__(self, *, lists=(), watches=()):
        self._lists, self._watches = list(lists), list(watches)
        self.asked = []

    def pages(self, resource, *, page, **what):
        self.asked.append(("list", page, what))
        answer = self._lists.pop(0) if self._lists else ([],)
        if isinstance(answer, Exception):
            raise answer
        for items in answer:
            if isinstance(items, Exception):
                raise items
            yield items, f"list-{self.count('list')}"

    def watch(self, resource, *, resource_version, server_timeout_s, read_timeout_s, **what):
        self.asked.append(("watch", resource_version, what))
        answer = self._watches.pop(0) if self._watches else Stream()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def count(self, kind):
        return sum(asked[0] == kind for asked in self.asked)

    @property
    def versions(self):
        return [asked[1] for asked in list(self.asked) if asked[0] == "watch"]


@pytest.fixture
def reflect():
    """Start reflectors of a server; they end with the test."""
    started = []

    def start(server, resource=CONFIG_MAPS, listener=None, **options):
        options = {"backoff": Backoff(first_s=0.001, longest_s=0.004)} | options
        reflector = Reflector(server, resource, **options)
        if listener is not None:
            reflector.store.on_change(listener)
        started.append(reflector)
        reflector.start()
        return reflector

    yield start
    for reflector in started:
        reflector.stop()


def names(reflector):
    return [obj["metadata"]["name"] for obj in reflector.store.sorted()]


def wait(condition, what):
    until(condition, what=what, deadline_s=DEADLINE_S)


def test_a_list_then_the_changes_after_it(reflect):
    watch = Stream(
        event("ADDED", thing("c")),
        event("MODIFIED", thing("a", "2")),
        event("DELETED", thing("b", "3")),
        bookmark("9"),
    )
    changes = []
    server = Server(lists=[([thing("a")], [thing("b")])], watches=[watch])

    reflector = reflect(server, listener=changes.append)
    wait(lambda: len(changes) == 5, "all changes were heard")

    assert names(reflector) == ["a", "c"]
    assert [(change.kind, change.obj["metadata"]["name"]) for change in changes] == [
        (ChangeKind.ADDED, "a"),
        (ChangeKind.ADDED, "b"),
        (ChangeKind.ADDED, "c"),
        (ChangeKind.MODIFIED, "a"),
        (ChangeKind.DELETED, "b"),
    ]
    assert server.versions == ["list-1"]


def test_it_is_synced_after_the_last_page_and_not_before(reflect):
    second_page = threading.Event()

    class Slow(Server):
        def pages(self, resource, **what):
            yield [thing("a")], "1"
            second_page.wait(DEADLINE_S)
            yield [thing("b")], "1"

    reflector = reflect(Slow())
    wait(lambda: names(reflector) == ["a"], "the first page is there")
    before = (reflector.has_synced, reflector.wait_until_synced(0.0))
    second_page.set()

    assert before == (False, False)
    assert reflector.wait_until_synced(DEADLINE_S)
    assert names(reflector) == ["a", "b"]


def test_managed_fields_are_dropped(reflect):
    server = Server(lists=[([thing("a")],)], watches=[Stream(event("ADDED", thing("b")))])

    reflector = reflect(server)
    wait(lambda: names(reflector) == ["a", "b"], "both are there")

    assert ["managedFields" in obj["metadata"] for obj in reflector.store.items()] == [False] * 2


def test_only_what_is_kept_is_stored(reflect):
    reflector = reflect(
        Server(lists=[([thing("a")],)]),
        keep=lambda obj: {"metadata": {"name": obj["metadata"]["name"]}},
    )
    reflector.wait_until_synced(DEADLINE_S)

    assert reflector.store.items() == ({"metadata": {"name": "a"}},)


def test_a_stream_that_ends_goes_on_from_the_last_version_that_was_seen(reflect):
    server = Server(
        watches=[
            Stream(event("ADDED", thing("a", "5")), end=ApiUnavailableError("reset")),
            Stream(bookmark("8"), end="in order"),
        ]
    )

    reflector = reflect(server)
    wait(lambda: server.count("watch") == 3, "it watches for the third time")

    assert server.versions == ["list-1", "5", "8"]
    assert server.count("list") == 1
    assert reflector.snapshot().failures == 1


@pytest.mark.parametrize(
    "gone", [ExpiredError("410"), Stream(GONE)], ids=["as an answer", "as an event"]
)
def test_a_version_that_the_server_dropped_is_listed_anew(reflect, gone):
    changes = []
    server = Server(lists=[([thing("a"), thing("b")],), ([thing("b")],)], watches=[gone])

    reflector = reflect(server, listener=changes.append)
    wait(lambda: server.count("watch") == 2, "it watches again")

    assert server.versions == ["list-1", "list-2"]
    assert names(reflector) == ["b"]
    assert (changes[-1].kind, changes[-1].old["metadata"]["name"]) == (ChangeKind.DELETED, "a")
    assert reflector.snapshot().relists == 1


def test_pages_that_expire_are_followed_by_one_list_without_pages(reflect):
    server = Server(lists=[([thing("a")], ExpiredError("too slow")), ([thing("a")],)])

    reflector = reflect(server, page=100)
    reflector.wait_until_synced(DEADLINE_S)
    wait(lambda: server.count("watch") == 1, "it watches")

    assert [asked[1] for asked in server.asked if asked[0] == "list"] == [100, 0]


def test_after_many_failures_of_the_watch_the_version_is_given_up(reflect):
    server = Server(watches=[ApiUnavailableError("too large version")] * FAILURES_UNTIL_LIST)

    reflect(server)
    wait(lambda: server.count("watch") == FAILURES_UNTIL_LIST + 1, "it watches again")

    assert server.versions == ["list-1"] * FAILURES_UNTIL_LIST + ["list-2"]


def test_failures_are_waited_out_with_growing_waits(reflect):
    shares = []

    def share():
        shares.append(len(shares))
        return 0.0

    server = Server(lists=[ForbiddenError("no")] * 3)
    backoff = Backoff(first_s=0.001, longest_s=0.004, random_share=share)

    reflector = reflect(server, backoff=backoff)
    reflector.wait_until_synced(DEADLINE_S)

    assert len(shares) == 3
    assert reflector.snapshot().failures == 3


def test_the_first_version_that_was_dropped_after_an_outage_is_not_waited_out(reflect):
    waits_s = []

    class Noted(Backoff):
        def next_s(self):
            waits_s.append(super().next_s())
            return waits_s[-1]

    down, gone = ApiUnavailableError("down"), ExpiredError("410 Gone")
    server = Server(watches=[down] * 4 + [gone, down, gone])

    reflect(server, backoff=Noted(first_s=0.001, longest_s=0.064, random_share=lambda: 0.0))
    wait(lambda: server.count("watch") == 8, "it watches again")

    assert waits_s == [0.001, 0.002, 0.004, 0.008, 0.001, 0.002, 0.004]


def test_streams_that_end_at_once_are_waited_for_too(reflect):
    shares = []
    backoff = Backoff(first_s=0.001, longest_s=0.004, random_share=lambda: shares.append(1) or 0.0)
    server = Server(watches=[Stream(end="in order")] * 4)

    reflect(server, backoff=backoff)
    wait(lambda: server.count("watch") == 5, "it watches for the fifth time")

    assert len(shares) == 4


def test_the_server_says_how_long_to_wait(reflect, caplog):
    server = Server(lists=[ThrottledError("429: slowly", retry_after_s=60.0)])

    reflect(server)

    wait(lambda: "429: slowly; again in 60.0 s" in caplog.text, "the list failed")


def test_no_server_makes_it_wait_for_ever(reflect, caplog):
    server = Server(lists=[ThrottledError("429: never", retry_after_s=1e9)])

    reflect(server)

    wait(lambda: "429: never; again in 120.0 s" in caplog.text, "the list failed")


def test_an_error_that_lasts_is_logged_once_and_that_it_is_over(reflect, caplog):
    caplog.set_level(logging.INFO, "autoscaler.kube")
    server = Server(
        lists=[ForbiddenError("403 no")] * 2 + [NotFoundError("404 Not Found")],
        watches=[Stream(end="in order"), Stream(end=ApiUnavailableError("down"))],
    )

    reflect(server, backoff=Backoff(first_s=0.001, longest_s=0.004, random_share=lambda: 0.0))
    wait(lambda: server.count("watch") == 3, "it watches for the third time")

    assert [
        record.message.rpartition("; again")[0] or record.message for record in caplog.records
    ] == [
        "403 no",
        "404 Not Found; is this kind installed?",
        "configmaps: the API server answers again",
        "down",
    ]


def test_a_listener_that_fails_ends_nothing(reflect, caplog):
    def broken(_change):
        raise ZeroDivisionError("broken")

    server = Server(lists=[([thing("a")],)], watches=[Stream(event("ADDED", thing("b")))])

    with caplog.at_level(logging.CRITICAL):
        reflector = reflect(server, listener=broken)
        wait(lambda: names(reflector) == ["a", "b"], "both are there")

    wait(lambda: reflector.snapshot().listener_failures == 2, "both failures are counted")


def test_what_nobody_foresaw_is_logged_counted_and_followed_by_a_list(reflect, caplog):
    server = Server(watches=[Stream(event("ADDED", {"metadata": None}))])

    reflector = reflect(server)
    wait(lambda: server.count("list") == 2, "it lists again")
    wait(lambda: server.count("watch") == 2, "it watches again")

    assert reflector.snapshot().failures == 1
    assert "configmaps: the reflector failed; it lists again" in caplog.text


def test_an_event_of_an_unknown_type_is_a_failure(reflect):
    server = Server(watches=[Stream(event("MOVED", thing("a")))])

    reflector = reflect(server)
    wait(lambda: server.count("watch") == 2, "it watches again")

    assert reflector.snapshot().failures == 1


def test_stopping_ends_it_while_it_waits_for_events(reflect):
    reflector = reflect(Server())
    reflector.wait_until_synced(DEADLINE_S)

    reflector.stop()

    assert not reflector._thread.is_alive()


def test_stopping_ends_it_while_it_waits_after_a_failure(reflect):
    server = Server(lists=[ApiUnavailableError("down")])
    reflector = reflect(server, backoff=Backoff(first_s=600, longest_s=600))
    wait(lambda: reflector.snapshot().failures == 1, "the list failed")

    reflector.stop()

    assert not reflector._thread.is_alive()


def test_stopping_ends_it_while_a_stream_begins(reflect):
    arrived, let_go = threading.Event(), threading.Event()

    class Slow(Server):
        def watch(self, *_, **__):
            arrived.set()
            let_go.wait(DEADLINE_S)
            return Stream()

    reflector = reflect(Slow())
    arrived.wait(DEADLINE_S)
    reflector.stop()
    let_go.set()
    reflector._thread.join(DEADLINE_S / 2)

    assert not reflector._thread.is_alive()


def test_what_breaks_because_it_was_stopped_is_no_failure(reflect, caplog):
    arrived, let_go = threading.Event(), threading.Event()

    class Slow(Server):
        def watch(self, *_, **__):
            arrived.set()
            let_go.wait(DEADLINE_S)
            raise ApiUnavailableError("the connections were closed")

    reflector = reflect(Slow())
    arrived.wait(DEADLINE_S)
    reflector.stop()
    let_go.set()
    reflector._thread.join(DEADLINE_S / 2)

    assert (reflector.snapshot().failures, caplog.text) == (0, "")


def test_nothing_is_stored_after_it_was_stopped(reflect):
    arrived, let_go = threading.Event(), threading.Event()

    class Slow(Server):
        def pages(self, resource, **what):
            arrived.set()
            let_go.wait(DEADLINE_S)
            yield [thing("a")], "1"

    reflector = reflect(Slow())
    arrived.wait(DEADLINE_S)
    reflector.stop()
    let_go.set()
    reflector._thread.join(DEADLINE_S)

    assert (len(reflector.store), reflector.has_synced) == (0, False)


def test_an_error_is_over_when_a_stream_begins_well(reflect):
    reflector = reflect(Server(watches=[ApiUnavailableError("down")]))
    wait(lambda: reflector.snapshot().failures == 1, "the watch failed")

    wait(lambda: not reflector.snapshot().last_error, "the error is forgotten")


def test_counts_tell_the_age_of_what_is_known_and_the_last_error(reflect):
    now_s = [100.0]
    let_go = threading.Event()

    class Slow(Server):
        def pages(self, resource, **what):
            if not self.asked:
                yield from super().pages(resource, **what)
            let_go.wait(DEADLINE_S)
            yield [thing("a")], "1"

    server = Slow(lists=[ApiUnavailableError("GET x: down")])
    reflector = reflect(server, WORKLOADS, monotonic_s=lambda: now_s[0])
    wait(lambda: reflector.snapshot().failures == 1, "the list failed")
    now_s[0] = 130.0
    down = reflector.snapshot()
    let_go.set()
    wait(lambda: server.count("watch") == 1, "it watches")
    now_s[0] = 142.0
    up = reflector.snapshot()

    assert (down.resource, down.objects, down.is_synced) == (
        "tensorfusionworkloads.tensor-fusion.ai",
        0,
        False,
    )
    assert (down.age_s, down.last_error) == (30.0, "GET x: down")
    assert (up.age_s, up.last_error, up.objects, up.is_synced) == (12.0, "", 1, True)
    assert (up.relists, up.failures) == (0, 1)
