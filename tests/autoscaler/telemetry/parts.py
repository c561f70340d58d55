"""One snapshot of every part that exports metrics, with a number in each field."""

from types import MappingProxyType

from autoscaler.kube.candidate import Standing
from autoscaler.kube.certificate_keeper import KeeperSnapshot
from autoscaler.kube.elector import ElectorSnapshot
from autoscaler.kube.event_recorder import EventCounts
from autoscaler.kube.lanes import Priority
from autoscaler.kube.reflector import CacheCounts
from autoscaler.kube.rotation import Action
from autoscaler.kube.work_queue import WorkQueueSnapshot
from autoscaler.kube.write_budget import WriteBudgetSnapshot
from autoscaler.webhook.counts import AdmissionCounts
from autoscaler.webhook.serving_certificate import CertificateCounts


def certificate(**changes):
    values = {"loads": 2, "refusals": 1, "problem": "", "expires_s": 2e9, **changes}
    return CertificateCounts(**values)


def cache(**changes):
    values = {
        "resource": "gpupools.tensor-fusion.ai",
        "objects": 3,
        "age_s": 1.5,
        "relists": 4,
        "failures": 5,
        "listener_failures": 6,
        "last_error": "",
        "is_synced": True,
    }
    return CacheCounts(**{**values, **changes})


def queue():
    backlog = MappingProxyType(dict.fromkeys(Priority, 7))
    return WorkQueueSnapshot(
        backlog=backlog, delayed=1, in_hand=2, failing=3, handed_out=40, retries=5
    )


def budget(**changes):
    values = {
        "rate_per_s": 100.0,
        "configured_per_s": 200.0,
        "taken": 50,
        "refused": 2,
        "throttled": 3,
        "paused_s": 0.5,
        "baseline_s": 0.004,
    }
    return WriteBudgetSnapshot(**{**values, **changes})


def elector(**changes):
    values = {
        "identity": "a",
        "standing": Standing.LEADING,
        "is_leader": True,
        "epoch": 9,
        "holder": "a",
        "changes": 1,
        "failures": 2,
        "last_error": "",
    }
    return ElectorSnapshot(**{**values, **changes})


def events():
    return EventCounts(
        recorded=9, written=4, repeated=3, dropped=2, failed=1, waiting=6, last_error=""
    )


def keeper(**changes):
    values = {
        "expires_s": 2e9,
        "authorities": 2,
        "known_endpoints": 3,
        "verified_endpoints": 2,
        "is_filled": True,
        "steps": {Action.ISSUE: 1},
    }
    return KeeperSnapshot(**{**values, **changes})


def all_parts(**changes):
    parts = {
        "admissions": AdmissionCounts().snapshot,
        "certificate": certificate,
        "caches": lambda: [cache()],
        "queue": queue,
        "budget": budget,
        "elector": elector,
        "events": events,
        "keeper": keeper,
    }
    return {**parts, **changes}
