"""Pods that tests write, and what a user would see of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from tests.cluster.control_plane import ControlPlane
from tests.cluster.kubectl import Ended
from tests.cluster.kubelet import FakeKubelet
from tests.components.processes import until

Object = Mapping[str, Any]
PYTHON = f"process:{sys.executable}"
SERVE = "import time; print('up', flush=True); time.sleep(600)"
"""A program for ``python`` that says it is up and goes on."""
DEADLINE_S = 30.0


def pod(
    name: str = "it",
    *,
    container: Object | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """Return a pod with one container, which is only pretended unless it names an image."""
    main = {"name": "main", "image": "pretended", **(container or {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [main], **spec},
    }


def python(program: str, **container: Any) -> dict[str, Any]:
    """Return a container that runs a Python program."""
    return {"image": PYTHON, "args": ["-c", program], **container}


def phase_is(*phases: str) -> Callable[[Object], bool]:
    """Return a condition for ``Cluster.shows``."""
    return lambda found: found["status"]["phase"] in phases


def condition_of(found: Object, kind: str) -> str:
    """Return the status of a condition: True, False or Unknown.  Raises ``LookupError``."""
    statuses = {each["type"]: each["status"] for each in found["status"]["conditions"]}
    return str(statuses[kind])


class Cluster:
    """Objects of one namespace, through kubectl, and the logs that a kubelet has of its pods."""

    def __init__(self, control_plane: ControlPlane, namespace: str, kubelet: FakeKubelet) -> None:
        self._control_plane = control_plane
        self._namespace = namespace
        self._kubelet = kubelet

    def kubectl(self, *words: str) -> Ended:
        """Run kubectl in the namespace."""
        return self._control_plane.kubectl("-n", self._namespace, *words)

    def apply(self, *objects: Object) -> None:
        """Apply objects."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        command = ("apply", "-n", self._namespace, "-f", "-")
        self._control_plane.kubectl(*command, stdin=text).well()

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object."""
        found: dict[str, Any] = self.kubectl("get", kind, name, "-o", "json").json
        return found

    def shows(self, kind: str, name: str, condition: Callable[[Object], bool]) -> dict[str, Any]:
        """Wait until a condition holds of an object and return it; what it reads may be missing."""

        def holds() -> dict[str, Any] | None:
            found = self.get(kind, name)
            try:
                return found if condition(found) else None
            except LookupError:
                return None

        return until(holds, what=f"{kind} {name} is as expected", deadline_s=DEADLINE_S) or {}

    def column(self, name: str = "it") -> str:
        """Return what a user sees in the STATUS column of a pod."""
        return self.kubectl("get", "pod", name, "--no-headers").well().out.split()[2]

    def shows_column(self, words: str, name: str = "it") -> None:
        """Wait until a user sees some words in the STATUS column."""
        until(
            lambda: self.column(name) == words,
            what=f"pod {name} shows {words}",
            deadline_s=DEADLINE_S,
        )

    def log(self, name: str = "it", container: str | None = None) -> str:
        """Return what the newest run of a container wrote."""
        path = self._kubelet.log_file(self._namespace, name, container)
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def logs(self, text: str, name: str = "it", container: str | None = None) -> None:
        """Wait until a text is in the log of the newest run."""
        until(
            lambda: text in self.log(name, container),
            what=f"{text!r} is logged",
            deadline_s=DEADLINE_S,
        )

    def is_gone(self, kind: str, name: str) -> None:
        """Wait until there is no such object."""
        until(
            lambda: "NotFound" in self.kubectl("get", kind, name).err,
            what=f"{kind} {name} is gone",
            deadline_s=DEADLINE_S,
        )
