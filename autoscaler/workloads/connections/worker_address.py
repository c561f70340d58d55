"""Where clients reach a worker pod."""

from __future__ import annotations

from autoscaler.api.names import INJECT_CONTAINER
from autoscaler.kube.store import Object

UID_CHARS = 8
"""Of a worker's UID in its address: it tells a worker from an earlier one of the same name."""


def worker_port(pod: Object) -> int | None:
    """Return the first port that the container with the GPU declares; None: it declares none."""
    text = (pod["metadata"].get("annotations") or {}).get(INJECT_CONTAINER) or ""
    containers = (pod.get("spec") or {}).get("containers") or ()
    main = [each for each in containers if each.get("name") == text] or containers
    ports = [port["containerPort"] for each in main for port in each.get("ports") or ()]
    return int(ports[0]) if ports else None


def connection_url(pod: Object) -> str | None:
    """Return the address of a worker, as clients read it: ``native+<ip>+<port>+<name>-<uid>``.

    None where it has no IP address yet, or declares no port.
    """
    address, port = (pod.get("status") or {}).get("podIP"), worker_port(pod)
    if not address or port is None:
        return None
    metadata = pod["metadata"]
    return f"native+{address}+{port}+{metadata['name']}-{metadata['uid'][:UID_CHARS]}"
