"""``helm`` as a user runs it, on the shipped chart and the control plane of a test."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from autoscaler.api.names import NAMESPACE
from tests.cluster.child_processes import passed_on
from tests.cluster.control_plane import ControlPlane
from tests.cluster.definitions import DEPLOY
from tests.cluster.kubectl import Ended
from tests.components.programs import find_program

CHART = DEPLOY / "helm" / "tensor-fusion-autoscaler"
RELEASE = "tfa"
PROMETHEUS = "prometheus.url=http://prometheus.monitoring:9090"
DEADLINE_S = 180.0
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Helm:
    """Helm with a folder of its own for what it keeps; without a plane it asks no cluster."""

    folder: Path
    plane: ControlPlane | None = None
    namespace: str = NAMESPACE

    def run(self, *words: str | Path) -> Ended:
        """Run helm and wait for its end."""
        cluster = [] if self.plane is None else ["--kubeconfig", self.plane.admin_kubeconfig]
        command = [*map(str, words), "--namespace", self.namespace, *map(str, cluster)]
        done = subprocess.run(
            [find_program("helm"), *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
            # What helm keeps of a cluster, and of its repositories, is below its home.
            env=passed_on() | {"HOME": str(self.folder)},
        )
        return Ended(
            command=f"helm {' '.join(command)}",
            code=done.returncode,
            out=done.stdout,
            err=done.stderr,
        )

    def template(self, *values: str, shows: str = "") -> Ended:
        """Render the chart, or one of its templates, with values such as ``profile=full``."""
        only = ["--show-only", shows] if shows else []
        return self.run("template", RELEASE, CHART, *only, *setting(values))

    def objects(self, *values: str) -> dict[Key, dict[str, Any]]:
        """Return what the chart renders, as (kind, namespace, name) to object."""
        return keyed(self.template(*values).well().out)

    def install(self, *values: str, release: str = RELEASE) -> Ended:
        """Install the chart."""
        return self.run("install", release, CHART, "--create-namespace", *setting(values))

    def upgrade(self, *values: str) -> Ended:
        """Upgrade the release to these values."""
        return self.run("upgrade", RELEASE, CHART, *setting(values))


def setting(values: Sequence[str]) -> list[str]:
    """Return the arguments that set values."""
    return [word for value in values for word in ("--set", value)]


def keyed(text: str) -> dict[Key, dict[str, Any]]:
    """Return the objects of a stream of YAML documents, as (kind, namespace, name) to object."""
    documents = [each for each in yaml.safe_load_all(text) if each]
    found = {
        (each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]): each
        for each in documents
    }
    assert len(found) == len(documents)
    return found


def counted(objects: dict[Key, dict[str, Any]]) -> Counter[str]:
    """Return how many objects there are of each kind."""
    return Counter(kind for kind, _, _ in objects)
