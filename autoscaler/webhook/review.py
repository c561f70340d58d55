"""The wire format of admission: ``AdmissionReview`` of ``admission.k8s.io/v1``, in and out.

Pure.  Which function answers a review is ``answering``; HTTP is ``server``.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from autoscaler.errors import InputError
from autoscaler.printable import printable
from autoscaler.webhook.admission import Admission, Object
from recommender.policy.values import shown

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"
SUBJECT_LETTERS = 400
"""A kind of 63, a namespace of 63 and a name of 253 letters fit."""
WARNING_LETTERS = 256
"""The API server cuts longer warnings itself once many come together."""
REFUSED_CODE = 422
REFUSED_REASON = "Invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What the API server asks."""

    uid: str
    """Of the request; the answer repeats it."""
    group: str
    """Of the object's kind; empty for the core group."""
    kind: str
    operation: str
    """``CREATE``, ``UPDATE``, ``DELETE`` or ``CONNECT``."""
    namespace: str
    """Empty for kinds without.  The object's own may be missing at CREATE; this one counts."""
    name: str
    """Empty where the API server makes the name from ``generateName``."""
    new: Object | None
    """None for DELETE."""
    old: Object | None
    """None for CREATE."""

    @property
    def subject(self) -> str:
        """Return kind and place of the object, for messages and logs."""
        meta = (self.new or self.old or {}).get("metadata") or {}
        name = self.name or meta.get("name") or f"{meta.get('generateName') or ''}*"
        place = f"{self.namespace}/{name}" if self.namespace else str(name)
        # Names are checked after admission only: this one may have any length.
        return f"{self.kind} {place}"[:SUBJECT_LETTERS]


def decode(body: bytes) -> Review:
    """Return the question in a body.

    Raises ``InputError`` that says what is wrong where this is no AdmissionReview of v1.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InputError(f"the body is no JSON: {error}") from error
    head = document if isinstance(document, dict) else {}
    if (head.get("apiVersion"), head.get("kind")) != (API_VERSION, KIND):
        raise InputError(
            f"the body must be an {KIND} of {API_VERSION}, not kind {shown(head.get('kind'))!r} of "
            f"apiVersion {shown(head.get('apiVersion'))!r}"
        )
    request = _mapping(head, "request")
    uid = request.get("uid")
    if not isinstance(uid, str) or not uid:
        raise InputError(f"request.uid must be a text that is not empty, not {shown(uid)!r}")
    kind = _mapping(request, "kind", "request.")
    return Review(
        uid=uid,
        group=_text(kind, "group"),
        kind=_text(kind, "kind"),
        operation=_text(request, "operation"),
        namespace=_text(request, "namespace"),
        name=_text(request, "name"),
        new=_mapping(request, "object", "request.", is_optional=True) or None,
        old=_mapping(request, "oldObject", "request.", is_optional=True) or None,
    )


def encode(uid: str, admission: Admission) -> bytes:
    """Return the body that answers the request ``uid``."""
    response: dict[str, Any] = {"uid": uid, "allowed": not admission.error}
    if admission.error:
        response["status"] = {
            "status": "Failure",
            "message": admission.error,
            "reason": REFUSED_REASON,
            "code": REFUSED_CODE,
        }
    elif admission.patch:
        patch = orjson.dumps(admission.patch, default=dict)
        response |= {"patchType": "JSONPatch", "patch": base64.b64encode(patch).decode("ascii")}
    if admission.warnings:
        response["warnings"] = [_header_text(warning) for warning in admission.warnings]
    return orjson.dumps({"apiVersion": API_VERSION, "kind": KIND, "response": response})


def _mapping(
    parent: Mapping[str, Any], key: str, above: str = "", *, is_optional: bool = False
) -> Mapping[str, Any]:
    value = parent.get(key)
    if value is None and is_optional:
        return {}
    if not isinstance(value, dict):
        raise InputError(f"{above}{key} must be an object, not {type(value).__name__}")
    return value


def _text(parent: Mapping[str, Any], key: str) -> str:
    """Return a text; the API server leaves out or nulls what is empty."""
    value = parent.get(key)
    return value if isinstance(value, str) else ""


def _header_text(warning: str) -> str:
    """Return a warning as it fits into an HTTP header: one line, not too long."""
    text = printable(warning, " ")
    return text if len(text) <= WARNING_LETTERS else f"{text[: WARNING_LETTERS - 1]}…"
