"""The numbers of caches, queue, write budget, elector, events and certificate keeper."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from autoscaler.kube.rotation_action import Action
from autoscaler.telemetry import kube_families as families
from autoscaler.telemetry.family import Point

if TYPE_CHECKING:
    from autoscaler.kube.certificate_keeper import KeeperSnapshot
    from autoscaler.kube.elector import ElectorSnapshot
    from autoscaler.kube.event_recorder import EventCounts
    from autoscaler.kube.reflector import CacheCounts
    from autoscaler.kube.work_queue import WorkQueueSnapshot
    from autoscaler.kube.write_budget import WriteBudgetSnapshot


def cache_points(caches: Iterable[CacheCounts]) -> Iterator[Point]:
    """Return the numbers of every cache."""
    for cache in caches:
        for family, value in (
            (families.CACHE_OBJECTS, cache.objects),
            (families.CACHE_SYNCED, cache.is_synced),
            (families.CACHE_AGE, cache.age_s),
            (families.CACHE_RELISTS, cache.relists),
            (families.CACHE_FAILURES, cache.failures),
            (families.CACHE_LISTENER_FAILURES, cache.listener_failures),
        ):
            yield Point(family=family, value=value, labels=(cache.resource,))


def queue_points(queue: WorkQueueSnapshot) -> Iterator[Point]:
    """Return the numbers of a queue."""
    for priority, number in queue.backlog.items():
        yield Point(family=families.QUEUE_BACKLOG, value=number, labels=(str(priority),))
    yield Point(family=families.QUEUE_DELAYED, value=queue.delayed)
    yield Point(family=families.QUEUE_IN_HAND, value=queue.in_hand)
    yield Point(family=families.QUEUE_LONGEST_IN_HAND, value=queue.longest_in_hand_s)
    yield Point(family=families.QUEUE_FAILING, value=queue.failing)
    yield Point(family=families.QUEUE_HANDED_OUT, value=queue.handed_out)
    yield Point(family=families.QUEUE_RETRIES, value=queue.retries)


def budget_points(budget: WriteBudgetSnapshot) -> Iterator[Point]:
    """Return the numbers of a write budget."""
    yield Point(family=families.WRITE_RATE, value=budget.rate_per_s)
    yield Point(family=families.WRITE_RATE_CONFIGURED, value=budget.configured_per_s)
    yield Point(family=families.WRITES, value=budget.taken)
    yield Point(family=families.WRITES_REFUSED, value=budget.refused)
    yield Point(family=families.WRITES_THROTTLED, value=budget.throttled)
    yield Point(family=families.WRITE_PAUSE, value=budget.paused_s)
    if budget.baseline_s is not None:
        yield Point(family=families.WRITE_BASELINE, value=budget.baseline_s)


def elector_points(elector: ElectorSnapshot) -> Iterator[Point]:
    """Return the numbers of an elector."""
    yield Point(family=families.LEADER, value=elector.is_leader)
    if elector.epoch is not None:
        yield Point(family=families.LEADER_EPOCH, value=elector.epoch)
    yield Point(family=families.LEADER_CHANGES, value=elector.changes)
    yield Point(family=families.LEADER_FAILURES, value=elector.failures)


def event_points(events: EventCounts) -> Iterator[Point]:
    """Return the numbers of an event recorder."""
    for result, number in (
        ("written", events.written),
        ("repeated", events.repeated),
        ("dropped", events.dropped),
        ("failed", events.failed),
    ):
        yield Point(family=families.EVENTS, value=number, labels=(result,))
    yield Point(family=families.EVENTS_WAITING, value=events.waiting)


def keeper_points(keeper: KeeperSnapshot) -> Iterator[Point]:
    """Return the numbers of a certificate keeper."""
    if keeper.expires_s is not None:
        yield Point(family=families.KEPT_CERTIFICATE_EXPIRY, value=keeper.expires_s)
    yield Point(family=families.KEPT_AUTHORITIES, value=keeper.authorities)
    failed = keeper.known_endpoints - keeper.verified_endpoints
    for result, number in (("verified", keeper.verified_endpoints), ("failed", failed)):
        yield Point(family=families.WEBHOOK_ENDPOINTS, value=number, labels=(result,))
    yield Point(family=families.WEBHOOK_FILLED, value=keeper.is_filled)
    for step in Action:
        if step is not Action.NOTHING:
            number = keeper.steps.get(step, 0)
            yield Point(family=families.CERTIFICATE_STEPS, value=number, labels=(str(step),))
