"""A namespace as its users see it with kubectl, and the objects with pods that they apply there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autoscaler.api.names import PREFIX
from tests.cluster.control_plane import ControlPlane
from tests.cluster.kubectl import Ended
from tests.components.processes import until

Object = Mapping[str, Any]
OWNING_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """One namespace."""

    plane: ControlPlane
    name: str

    def kubectl(self, *words: str, stdin: str | None = None) -> Ended:
        """Run kubectl in the namespace."""
        return self.plane.kubectl("-n", self.name, *words, stdin=stdin)

    def create(self, obj: Object, *options: str) -> Ended:
        """Create an object; it is printed as JSON as the server keeps it."""
        return self.kubectl("create", "-f", "-", "-o", "json", *options, stdin=json.dumps(obj))

    def apply(self, *objects: Object) -> Ended:
        """Apply objects in this order, as one file."""
        return self.kubectl("apply", "-f", "-", stdin=listed(*objects))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object."""
        found: dict[str, Any] = self.kubectl("get", kind, name, "-o", "json").json
        return found

    def pods(self, selector: str = "") -> list[dict[str, Any]]:
        """Return the pods that a selector of labels selects."""
        found: list[dict[str, Any]] = self.kubectl(
            "get", "pods", "-l", selector, "-o", "json"
        ).json["items"]
        return found

    def awaited_pods(self, count: int = 1, selector: str = "") -> list[dict[str, Any]]:
        """Wait for so many pods and return them."""
        return until(
            lambda: len(found := self.pods(selector)) == count and found,
            what=f"there are {count} pods in {self.name}",
        )


def listed(*objects: Object) -> str:
    """Return objects as one file for kubectl."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})


def annotation(obj: Object, key: str) -> str | None:
    """Return an annotation of ours, named without prefix; None where it is absent."""
    found: str | None = obj["metadata"].get("annotations", {}).get(f"{PREFIX}{key}")
    return found


def owning(kind: str, name: str, pod: Object) -> dict[str, Any]:
    """Return an object of a kind that makes one pod like this one; it selects by label ``app``."""
    metadata = {key: value for key, value in pod["metadata"].items() if key != "name"}
    labels = {**metadata.get("labels", {}), "app": name}
    restart = {"restartPolicy": "Never"} if kind in {"Job", "CronJob"} else {}
    template = {"metadata": {**metadata, "labels": labels}, "spec": {**pod["spec"], **restart}}
    spec: dict[str, Any] = {"template": template}
    if kind == "CronJob":
        spec = {"schedule": "* * * * *", "jobTemplate": {"spec": spec}}
    elif kind != "Job":
        spec["selector"] = {"matchLabels": {"app": name}}
    return {
        "apiVersion": "batch/v1" if restart else "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec | ({"serviceName": name} if kind == "StatefulSet" else {}),
    }
