"""Objects of ours before the validating webhook, in a cluster in memory."""

from __future__ import annotations

from autoscaler.webhook.admission import Admission
from autoscaler.webhook.validate_objects import validate_objects
from tests.autoscaler.webhook.clusters import cluster


def checked(obj, *others, old=None) -> Admission:
    """Return what is said of an object in a cluster with a default pool and these others."""
    return validate_objects(obj["kind"], obj, old, cluster(*others))


def error_of(obj, *others) -> str:
    return checked(obj, *others).error


def warnings_of(obj, *others) -> tuple[str, ...]:
    given = checked(obj, *others)
    assert given.error == ""
    return given.warnings
