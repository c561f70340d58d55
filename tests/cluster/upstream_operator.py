"""What an upstream operator does with external scalers, and nothing else of it.

For each workload whose ``autoSetResources`` is on and names a target, its endpoint is asked by POST
with what is recommended now, else what the workload states, and the key of any Secret as a bearer
token.  An answer that needs scaling has its requests capped by the room of the GPUs, zeros filled
from what is current, and is written into the annotations of the workers, the status and a condition
that has the answer's reason.  Anything but HTTP 200 ends the round of that workload.
"""

from __future__ import annotations

import argparse
import base64
import json
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from autoscaler.api.names import PREFIX
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.resource import GPUS, PODS, SECRETS, WORKLOADS
from recommender.quantities import parse_quantity

ASK_S = 10.0
KEYS = ("apiKey", "token", "key")
SIDES = ("requests", "limits")
TARGETS = {"tflops": {"compute", "all"}, "vram": {"vram", "all"}}
Resources = dict[str, dict[str, str]]


class Operator:
    """One operator; ``round`` is one turn over all workloads."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api

    def round(self) -> dict[str, str]:
        """Ask for every workload; return how it went, by ``namespace/name``."""
        return {
            f"{workload['metadata']['namespace']}/{workload['metadata']['name']}": self._scale(
                workload
            )
            for workload in self._listed(WORKLOADS)
        }

    def _listed(self, resource: Any, **what: Any) -> list[dict[str, Any]]:
        return [item for items, _ in self._api.pages(resource, **what) for item in items]

    def _scale(self, workload: dict[str, Any]) -> str:
        config = workload["spec"].get("autoScalingConfig") or {}
        own, external = config.get("autoSetResources") or {}, config.get("externalScaler") or {}
        if not (own.get("enable") and own.get("targetResource") and external.get("enable")):
            return "not asked"
        stated = workload["spec"].get("resources") or {}
        current = (workload.get("status") or {}).get("recommendation") or stated
        try:
            answer = self._ask(workload, external, current)
        except urllib.error.HTTPError as error:
            return f"HTTP {error.code}: {error.read().decode()}"
        if not answer["needScaleUp"] and not answer["needScaleDown"]:
            self._tell(workload, {}, "NoScalingNeeded", answer["reason"])
            return f"no scaling: {answer['reason']}"
        workers = self._workers(workload)
        wanted = filled(answer["recommendedResources"], current)
        self._cap(wanted, workers)
        for worker in workers:
            self._adjust(worker, wanted, own["targetResource"])
        status = {"recommendation": wanted, "appliedRecommendedReplicas": len(workers)}
        self._tell(workload, status, answer["reason"], answer["reason"])
        return f"scaled: {answer['reason']}"

    def _ask(
        self, workload: dict[str, Any], external: dict[str, Any], current: Resources
    ) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        if reference := external.get("apiKeySecretRef"):
            headers["Authorization"] = f"Bearer {self._key(reference)}"
        question = {
            "workloadName": workload["metadata"]["name"],
            "namespace": workload["metadata"]["namespace"],
            "currentResources": with_zeros(current),
        }
        request = urllib.request.Request(
            external["url"], json.dumps(question).encode(), headers, method="POST"
        )
        with urllib.request.urlopen(request, timeout=ASK_S) as answered:
            answer: dict[str, Any] = json.load(answered)
        return answer

    def _key(self, reference: dict[str, str]) -> str:
        secret = self._api.get(SECRETS, reference["name"], reference["namespace"])
        found = next(secret["data"][key] for key in KEYS if key in secret["data"])
        return base64.b64decode(found).decode()

    def _workers(self, workload: dict[str, Any]) -> list[dict[str, Any]]:
        metadata = workload["metadata"]
        selector = f"{PREFIX}workload={metadata['name']}"
        pods = self._listed(PODS, namespace=metadata["namespace"], label_selector=selector)
        return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]

    def _cap(self, wanted: Resources, workers: list[dict[str, Any]]) -> None:
        """Cap requests by what is free on the workers' GPUs and what they have of them."""
        gpus = {gpu["metadata"]["name"]: gpu for gpu in self._listed(GPUS)}
        for name in ("tflops", "vram"):
            rooms = []
            for worker in workers:
                said = worker["metadata"]["annotations"]
                gpu = gpus[said[f"{PREFIX}gpu-ids"]]
                own = parse_quantity(said[f"{PREFIX}{name}-request"])
                rooms.append(parse_quantity(gpu["status"]["available"][name]) + own)
            if rooms and min(rooms) < parse_quantity(wanted["requests"][name]):
                wanted["requests"][name] = str(int(min(rooms)))

    def _adjust(self, worker: dict[str, Any], wanted: Resources, target: str) -> None:
        annotations = {
            f"{PREFIX}{name}-{side.removesuffix('s')}": wanted[side][name]
            for side in SIDES
            for name, targets in TARGETS.items()
            if target in targets
        }
        metadata = worker["metadata"]
        patch = {"metadata": {"annotations": annotations}}
        self._api.merge_patch(PODS, metadata["name"], patch, metadata["namespace"])

    def _tell(
        self, workload: dict[str, Any], status: dict[str, Any], reason: str, text: str
    ) -> None:
        condition = {
            "type": "ResourceUpdate",
            "status": "True",
            "reason": reason,
            "message": f"External scaler recommendation: {text}",
            "lastTransitionTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        metadata = workload["metadata"]
        self._api.merge_patch(
            WORKLOADS,
            metadata["name"],
            {"status": {**status, "conditions": [condition]}},
            metadata["namespace"],
            subresource="status",
        )


def filled(recommended: Resources, current: Resources) -> Resources:
    """Return a recommendation; where a resource has a zero on either side, it stays as it is."""
    made: Resources = {side: dict(current.get(side) or {}) for side in SIDES}
    for name in ("tflops", "vram"):
        told = {side: (recommended.get(side) or {}).get(name, "0") for side in SIDES}
        if all(parse_quantity(amount) > Decimal(0) for amount in told.values()):
            for side in SIDES:
                made[side][name] = told[side]
    return made


def with_zeros(resources: Resources) -> Resources:
    """Return resources as a structure of Go is written: with each of its fields."""
    zeros = {"tflops": "0", "vram": "0", "compute": "0"}
    return {side: {**zeros, **(resources.get(side) or {})} for side in SIDES}


def main() -> None:
    """Ask at an interval until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--interval-s", type=float, default=1.0)
    options = parser.parse_args()
    api = ApiServer.from_environment(kubeconfig=options.kubeconfig, user_agent="operator")
    operator, pause = Operator(api), threading.Event()
    while True:
        print(json.dumps(operator.round()), flush=True)
        pause.wait(options.interval_s)


if __name__ == "__main__":
    main()
