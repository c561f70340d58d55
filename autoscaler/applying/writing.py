"""Writes planned changes to the API server, each object in one request and for one version of it.

A dry run goes through all of the server's checks, admission included, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoscaler.applying.owner_kinds import OWNER_KINDS, template_metadata
from autoscaler.applying.rows import ObjectChange, Outcome
from autoscaler.errors import ConflictError, KubeError, NotFoundError
from autoscaler.kube.api_server import MERGE_PATCH

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer

FIELD_MANAGER = "tfa-apply"
MOST_TRIES = 3
"""Objects change all the time by their status; only what was planned from must be as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of the change of one object."""

    change: ObjectChange
    outcome: Outcome
    message: str = ""
    version: str = ""
    """``resourceVersion`` after the write."""


def write(api: ApiServer, change: ObjectChange, *, is_dry_run: bool) -> Done:
    """Write one object, or let the server try; a ``KubeError`` is a result and not raised.

    An object that somebody else changed meanwhile, in what the change counts from, is left alone.
    """
    version = str(change.obj["metadata"]["resourceVersion"])
    for _ in range(MOST_TRIES):
        try:
            answer = _patch(api, change, version, is_dry_run=is_dry_run)
        except ConflictError as error:
            message = str(error)
        except KubeError as error:
            return Done(change=change, outcome=Outcome.FAILED, message=str(error))
        else:
            return _done(change, answer, is_dry_run=is_dry_run)
        try:
            now = api.get(change.resource, change.name, change.namespace)
        except NotFoundError:
            text = "it was deleted meanwhile"
            return Done(change=change, outcome=Outcome.REFUSED, message=text)
        except KubeError as error:
            return Done(change=change, outcome=Outcome.FAILED, message=str(error))
        if _basis(change, now) != _basis(change, change.obj):
            text = "somebody changed it meanwhile"
            return Done(change=change, outcome=Outcome.REFUSED, message=text)
        version = str(now["metadata"]["resourceVersion"])
    return Done(change=change, outcome=Outcome.FAILED, message=message)


def _patch(
    api: ApiServer, change: ObjectChange, version: str, *, is_dry_run: bool
) -> dict[str, Any]:
    query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
    return api.request(
        "PATCH",
        change.resource.path(change.namespace, change.name),
        query=query | ({"dryRun": "All"} if is_dry_run else {}),
        body=change.patch(version),
        content_type=MERGE_PATCH,
    )


def _done(change: ObjectChange, answer: Mapping[str, Any], *, is_dry_run: bool) -> Done:
    """Compare what became of the object with what was asked: others may change a request."""
    for field in change.fields:
        value: Any = answer
        for key in field.path:
            value = (value or {}).get(key)
        if value != field.after:
            text = f"the server made {value!r} of {field.name} {field.after}"
            return Done(change=change, outcome=Outcome.FAILED, message=text)
    return Done(
        change=change,
        outcome=Outcome.PLANNED if is_dry_run else Outcome.WRITTEN,
        version="" if is_dry_run else str(answer["metadata"]["resourceVersion"]),
    )


def _basis(change: ObjectChange, obj: Mapping[str, Any]) -> object:
    """Return what a change counts from: the annotations of the template, or the profile."""
    uid = obj["metadata"]["uid"]
    if change.resource.kind in OWNER_KINDS:
        return uid, template_metadata(change.resource.kind, obj).get("annotations")
    return uid, obj.get("spec")
