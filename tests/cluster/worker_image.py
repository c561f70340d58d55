"""Programs that stand in for those of third parties: a worker that serves, and a client that asks.

The worker tells its name to whoever connects.  The client asks for its connection until it has a
worker, writes what that says, and does so again whenever the connection changes.
"""

from __future__ import annotations

import sys
from typing import Any

IMAGE = f"process:{sys.executable}"
PORT = 9000
ENDPOINT = "CONNECTION_ENDPOINT"
"""Variable of clients: URL of the controller."""
_WORKER = f"""
import os, socket
with socket.create_server((os.environ["POD_IP"], {PORT})) as server:
    print("serving", flush=True)
    while True:
        connection, _ = server.accept()
        with connection:
            connection.sendall(os.environ["POD_NAME"].encode())
"""
_CLIENT = f"""
import os, socket, time, urllib.error, urllib.request
name, namespace = (os.environ[f"TENSOR_FUSION_CONNECTION_{{key}}"] for key in ("NAME", "NAMESPACE"))
url = f"{{os.environ['{ENDPOINT}']}}/api/connection?name={{name}}&namespace={{namespace}}"
last = None
while True:
    try:
        with urllib.request.urlopen(url) as answer:
            _, address, port, _ = answer.read().decode().split("+")
        with socket.create_connection((address, int(port)), 1.0) as connection:
            served = connection.recv(1024).decode()
        if served != last:
            print(served, flush=True)
        last = served
    except (urllib.error.HTTPError, OSError):
        pass
    time.sleep(0.05)
"""


def worker_template(**metadata: Any) -> dict[str, Any]:
    """Return the template of a pool whose workers are stand-ins; ``metadata`` is that of pods."""
    fields = (("POD_IP", "status.podIP"), ("POD_NAME", "metadata.name"))
    environment = [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields
    ]
    container = {
        "name": "worker",
        "args": ["-c", _WORKER],
        "env": environment,
        "ports": [{"containerPort": PORT}],
    }
    return {
        "metadata": metadata,
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }


def worker_component(image: str = IMAGE, **metadata: Any) -> dict[str, Any]:
    """Return ``componentConfig.worker`` of a pool with stand-ins."""
    return {"image": image, "podTemplate": worker_template(**metadata)}


def client_container() -> dict[str, Any]:
    """Return the container of a client."""
    return {"name": "main", "image": IMAGE, "args": ["-c", _CLIENT]}
