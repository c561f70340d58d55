"""What keeps cert-manager from issuing the webhook's certificate, where it is the one who does.

Its Certificate says only that it waits; the reason, such as an issuer that does not exist, stands
in the newest request that cert-manager made for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoscaler.api.names import CERTIFICATE_SECRET
from autoscaler.errors import KubeError
from autoscaler.kube.resource import CERTIFICATE_REQUESTS, ISSUED_CERTIFICATES

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer

OF_CERTIFICATE = "cert-manager.io/certificate-name"
"""Annotation of a request: the Certificate that it is made for."""


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Why there is no certificate, and what to look at."""

    text: str
    next_step: str


def issuing_hindrance(api: ApiServer, namespace: str) -> Hindrance | None:
    """Return what hinders cert-manager; None: nothing does, it is not in use, or cannot be read."""
    try:
        certificate = _of_webhook(api, namespace)
        if certificate is None or _ready(certificate).get("status") == "True":
            return None
        name = certificate["metadata"]["name"]
        request = _newest_request(api, namespace, name)
    except KubeError:
        # An API server without the kind says that there is none; the findings stand without it.
        return None
    looked, what = (certificate, f"certificate {name}")
    if request is not None and _ready(request).get("message"):
        looked, what = request, f"certificaterequest {request['metadata']['name']}"
    said = str(_ready(looked).get("message") or "nothing yet: does cert-manager run?")
    return Hindrance(
        text=f"Certificate {namespace}/{name} is not issued; cert-manager says: {_sentence(said)}",
        next_step=f"kubectl -n {namespace} describe {what}; its issuer is the one that the chart's "
        "certificate.issuer names.",
    )


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."


def _of_webhook(api: ApiServer, namespace: str) -> Mapping[str, Any] | None:
    """Return the Certificate whose Secret the webhook serves."""
    return next(
        (
            each
            for objects, _ in api.pages(ISSUED_CERTIFICATES, namespace=namespace)
            for each in objects
            if each["spec"].get("secretName") == CERTIFICATE_SECRET
        ),
        None,
    )


def _newest_request(api: ApiServer, namespace: str, name: str) -> Mapping[str, Any] | None:
    found = [
        each
        for objects, _ in api.pages(CERTIFICATE_REQUESTS, namespace=namespace)
        for each in objects
        if (each["metadata"].get("annotations") or {}).get(OF_CERTIFICATE) == name
    ]
    return max(found, key=lambda each: str(each["metadata"]["creationTimestamp"]), default=None)


def _ready(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == "Ready"), {})
