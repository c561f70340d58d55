"""All workloads of a real API server as the unchanged Kubernetes client lists them.

Run as ``python -m tests.benchmarks.stock_listing KUBECONFIG`` in a process of its own: it prints
one line of JSON.  It asks for pages as large as those of the cache, which is kinder to it than one
list of everything, and keeps what it gets.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from autoscaler.kube.api_server import PAGE
from autoscaler.kube.resource import WORKLOADS
from tests.benchmarks.own_process import Meter, memory_bytes


def main(kubeconfig: str) -> dict[str, float]:
    meter = Meter()
    # Ours loads it at this point, too, for its configuration and its connections.
    from kubernetes import client, config

    config.load_kube_config(kubeconfig)
    api = client.CustomObjectsApi()
    objects: list[dict] = []
    following: dict[str, str] = {}
    while True:
        answer = api.list_custom_object_for_all_namespaces(
            WORKLOADS.group, WORKLOADS.version, WORKLOADS.plural, limit=PAGE, **following
        )
        objects += answer["items"]
        token = answer["metadata"].get("continue")
        if not token:
            break
        following = {"_continue": token}
    return {
        **asdict(meter.spent()),
        "objects": len(objects),
        "process_bytes": memory_bytes("VmHWM"),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
