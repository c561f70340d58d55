"""A mutating webhook of somebody else, which changes the same pods as ours."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager

from autoscaler.clock import SystemClock
from autoscaler.kube.certificates import new_authority_and_serving
from tests.cluster.admission_server import AdmissionServer
from tests.cluster.control_plane import ControlPlane
from tests.components.processes import LOOPBACK, until

PROBE = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "probe"},
    "spec": {"containers": [{"name": "main", "image": "probe"}]},
}


@contextmanager
def neighbour(plane: ControlPlane, name: str) -> Iterator[AdmissionServer]:
    """Have pods of namespace ``default`` looked at by another webhook.

    The API server asks configurations in the order of their names.  It changes nothing until the
    test sets its ``patch``.
    """
    issued = new_authority_and_serving([LOOPBACK], now_s=SystemClock().now_s(), lifetime_s=3600.0)
    with AdmissionServer() as server:
        server.load(issued.serving)
        entry = {
            "name": "pods.neighbour.example.com",
            "clientConfig": {
                "url": f"{server.url}/pods",
                "caBundle": base64.b64encode(issued.authority.encode()).decode(),
            },
            "rules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["pods"],
                }
            ],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        configuration = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [entry],
        }
        plane.kubectl("create", "-f", "-", stdin=json.dumps(configuration)).well()
        try:
            until(lambda: _is_asked(plane, server), what="the API server asks the neighbour")
            yield server
        finally:
            plane.kubectl("delete", "mutatingwebhookconfiguration", name).well()
            until(lambda: not _is_asked(plane, server), what="the neighbour is asked no more")


def _is_asked(plane: ControlPlane, server: AdmissionServer) -> bool:
    server.asked.clear()
    plane.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(PROBE)).well()
    return bool(server.asked)
