"""Pods at a steady rate to a real API server with a webhook, and reviews to the webhook alone.

Run as ``python -m tests.benchmarks.asking KUBECONFIG WEBHOOK_URL HEALTH_URL PID RATE_PER_S
WARM_UP_S SPAN_S`` in a process of its own, while the API server asks the webhook: it prints one
line of JSON.  ``PID`` is the process of the webhook.
"""

from __future__ import annotations

import json
import math
import ssl
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.api.names import CERTIFICATE_SECRET, ENABLED
from autoscaler.api.names import NAMESPACE as INSTALLATION
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.certificate_secret import read_stored
from autoscaler.kube.resource import PODS, REPLICA_SETS, SECRETS
from autoscaler.telemetry.webhook_families import ADMISSION_DURATION
from tests.autoscaler.webhook.reviews import review
from tests.benchmarks.latencies import at_rate, p50_p99
from tests.benchmarks.own_process import process_cpu_s
from tests.benchmarks.pods_to_admit import NAMESPACE, REPLICA_SET, typical_pod

AT_ONCE = 16
"""Threads that ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast and how long."""

    rate_per_s: float
    warm_up_s: float
    span_s: float

    def times_s(self, *asks: Callable[[], object], executor: Executor) -> list[list[float]]:
        """Return the times of each ask.  They take turns of a second; the rate stays the same."""
        self._asked(asks, self.warm_up_s, executor)
        return self._asked(asks, self.span_s, executor)

    def _asked(
        self, asks: Sequence[Callable[[], object]], span_s: float, executor: Executor
    ) -> list[list[float]]:
        count, most = round(self.rate_per_s * span_s), math.ceil(self.rate_per_s)
        turns = [
            place
            for start in range(0, count, most)
            for place in range(len(asks))
            for _ in range(min(most, count - start))
        ]
        every_s = 1 / self.rate_per_s
        times_s = at_rate([asks[place] for place in turns], every_s=every_s, executor=executor)
        return [
            [time_s for turn, time_s in zip(turns, times_s, strict=True) if turn == place]
            for place in range(len(asks))
        ]


class Webhook:
    """A running webhook, asked as an API server does, on connections that are kept."""

    def __init__(self, url: str, health_url: str, authority: str, pid: int) -> None:
        self._url = f"{url}/admit/pods"
        self._health_url = health_url
        self._pid = pid
        context = ssl.create_default_context(cadata=authority)
        self._connections = urllib3.PoolManager(maxsize=AT_ONCE, ssl_context=context)

    def review(self, pod: dict[str, Any]) -> None:
        """Ask for one pod; raises unless it is admitted and changed."""
        body = review(object=pod, namespace=NAMESPACE)
        answer = self._connections.request("POST", self._url, body=body, retries=False)
        if answer.status != 200 or "patch" not in answer.json()["response"]:
            raise AssertionError(f"the webhook answered {answer.status}: {answer.data!r}")

    def durations(self) -> Counter[float]:
        """Return the upper ends of the webhook's own histogram in seconds, each with its count."""
        answer = urllib3.request("GET", f"{self._health_url}/metrics", retries=False)
        return Counter(
            {
                float(sample.labels["le"]): sample.value
                for each in text_string_to_metric_families(answer.data.decode())
                for sample in each.samples
                if sample.name == f"{ADMISSION_DURATION.name}_bucket"
                and sample.labels["webhook"] == "pods"
            }
        )

    def cpu_s(self) -> float:
        """Return the CPU seconds that its process has spent."""
        return process_cpu_s(self._pid)


def main(
    kubeconfig: str, webhook_url: str, health_url: str, pid: int, *pace: float
) -> dict[str, Any]:
    rate_per_s, warm_up_s, span_s = pace
    paced = Pace(rate_per_s=rate_per_s, warm_up_s=warm_up_s, span_s=span_s)
    api = ApiServer.from_environment(kubeconfig=Path(kubeconfig), user_agent="benchmark")
    with closing(api), ThreadPoolExecutor(AT_ONCE) as executor:
        bundle = read_stored(api.get(SECRETS, CERTIFICATE_SECRET, INSTALLATION)).bundle
        webhook = Webhook(webhook_url, health_url, bundle, pid)
        owner = api.get(REPLICA_SETS, REPLICA_SET, NAMESPACE)
        pod = typical_pod(owner["metadata"]["uid"])
        return {
            "created": created(api, webhook, pod, paced, executor),
            "reviewed": reviewed(api, webhook, pod, paced, executor),
        }


def created(
    api: ApiServer, webhook: Webhook, pod: dict[str, Any], pace: Pace, executor: Executor
) -> dict[str, Any]:
    """Create pods that the API server asks the webhook about, and in turn as many others."""
    plain = unselected(pod)
    before, cpu_s = webhook.durations(), webhook.cpu_s()
    selected_s, plain_s = pace.times_s(
        lambda: api.create(PODS, pod), lambda: api.create(PODS, plain), executor=executor
    )
    inside = webhook.durations() - before
    asked = inside[float("inf")]
    if asked != round(pace.rate_per_s * pace.warm_up_s) + len(selected_s):
        raise AssertionError(f"the webhook was asked about {asked:g} pods")
    return {
        "selected": p50_p99(selected_s),
        "plain": p50_p99(plain_s),
        "pods": len(selected_s),
        "inside_p99_s": min(end_s for end_s, count in inside.items() if count >= 0.99 * asked),
        "cpu_s": (webhook.cpu_s() - cpu_s) / asked,
    }


def reviewed(
    api: ApiServer, webhook: Webhook, pod: dict[str, Any], pace: Pace, executor: Executor
) -> dict[str, Any]:
    """Ask the webhook itself: at the rate, and as fast as it answers."""
    full = {**api.create(PODS, unselected(pod), is_dry_run=True)}
    full["metadata"] = {**full["metadata"], **pod["metadata"]}
    [reference] = pod["metadata"]["ownerReferences"]
    unseen = {**reference, "name": f"{REPLICA_SET}-unseen"}
    new = {**full, "metadata": {**full["metadata"], "ownerReferences": [unseen]}}
    [known_s] = pace.times_s(lambda: webhook.review(full), executor=executor)
    [unseen_s] = pace.times_s(lambda: webhook.review(new), executor=executor)
    cpu_s, begin_s = webhook.cpu_s(), time.perf_counter()
    for _ in executor.map(webhook.review, [full] * len(known_s)):
        pass
    wall_s = time.perf_counter() - begin_s
    return {
        "known": p50_p99(known_s),
        "unseen": p50_p99(unseen_s),
        "per_s": len(known_s) / wall_s,
        "cpu_s": (webhook.cpu_s() - cpu_s) / len(known_s),
    }


def unselected(pod: dict[str, Any]) -> dict[str, Any]:
    """Return the same pod without the label that the webhook's entry selects by."""
    metadata = pod["metadata"]
    labels = {key: text for key, text in metadata["labels"].items() if key != ENABLED}
    return {**pod, "metadata": {**metadata, "labels": labels}}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:4], int(sys.argv[4]), *map(float, sys.argv[5:]))))
