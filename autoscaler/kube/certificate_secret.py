"""The Secret of the webhook's certificate: what stands in it, and what it becomes.

``ca.crt`` is the bundle that the webhook configurations carry, ``tls.crt`` and ``tls.key`` are what
webhook processes serve.  While a rotation runs, ``next.crt`` and ``next.key`` wait to be served.
Two annotations say which certificate was put in force, and when.  Nothing is read from or written
to the API server here.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autoscaler.api.names import (
    CERTIFICATE_SECRET,
    NAMESPACE,
    SERVING_FINGERPRINT,
    SERVING_SINCE,
)
from autoscaler.kube.certificates import KeyPair, certificates_in, fingerprint, leaf_of
from autoscaler.kube.timestamps import time_text

AUTHORITIES = "ca.crt"
SERVING = ("tls.crt", "tls.key")
FOLLOWING = ("next.crt", "next.key")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCertificates:
    """What the Secret holds; an unreadable part is as good as none."""

    authorities: tuple[str, ...] = ()
    """PEM texts of the bundle."""
    serving: KeyPair | None = None
    following: KeyPair | None = None
    serving_since_s: float | None = None
    """UTC seconds; None where the annotations are not about ``serving``."""

    @property
    def bundle(self) -> str:
        """Return the authorities as one PEM text."""
        return "".join(self.authorities)


def read_stored(secret: Mapping[str, Any] | None) -> StoredCertificates:
    """Return what a Secret holds; an absent one holds nothing.  Nothing is raised."""
    data = (secret or {}).get("data") or {}
    serving = _pair(data, SERVING)
    return StoredCertificates(
        authorities=certificates_in(_text(data, AUTHORITIES)),
        serving=serving,
        following=_pair(data, FOLLOWING),
        serving_since_s=_since_s(secret or {}, serving),
    )


def secret_with(
    secret: Mapping[str, Any] | None, stored: StoredCertificates, *, namespace: str = NAMESPACE
) -> dict[str, Any]:
    """Return the Secret that holds this; what others wrote into it stays.

    A serving certificate that is None leaves ``tls.crt`` and ``tls.key`` as they are.
    """
    metadata = {
        **((secret or {}).get("metadata") or {}),
        "name": CERTIFICATE_SECRET,
        "namespace": namespace,
    }
    data = dict((secret or {}).get("data") or {})
    data[AUTHORITIES] = _encoded(stored.bundle)
    for keys, pair in ((SERVING, stored.serving), (FOLLOWING, stored.following)):
        if pair is not None:
            data.update(zip(keys, map(_encoded, (pair.certificate, pair.key)), strict=True))
    if stored.following is None:
        for key in FOLLOWING:
            data.pop(key, None)
    if stored.serving is not None and stored.serving_since_s is not None:
        metadata["annotations"] = {
            **(metadata.get("annotations") or {}),
            SERVING_SINCE: time_text(stored.serving_since_s),
            SERVING_FINGERPRINT: fingerprint(leaf_of(stored.serving.certificate)),
        }
    return {
        "type": "Opaque",
        **(secret or {}),
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "data": data,
    }


def _pair(data: Mapping[str, Any], keys: tuple[str, str]) -> KeyPair | None:
    certificate, key = (_text(data, name) for name in keys)
    return KeyPair(certificate=certificate, key=key) if certificate and key else None


def _since_s(secret: Mapping[str, Any], serving: KeyPair | None) -> float | None:
    annotations = (secret.get("metadata") or {}).get("annotations") or {}
    leaf = leaf_of(serving.certificate) if serving is not None else ""
    if not leaf or annotations.get(SERVING_FINGERPRINT) != fingerprint(leaf):
        return None
    try:
        since = datetime.fromisoformat(annotations.get(SERVING_SINCE, ""))
    except ValueError:
        return None
    return since.timestamp() if since.tzinfo is not None else None


def _text(data: Mapping[str, Any], key: str) -> str:
    try:
        return base64.b64decode(data.get(key) or "", validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
