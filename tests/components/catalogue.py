"""What is built for the tests: one row per component.

A row names a Go module of this folder, whose ``go.mod`` and ``go.sum`` pin every byte, and the
programs that come out of it.  How a row is built is ``builds``; where a program is found is
``programs``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
KUBERNETES_VARIABLE = "TFA_KUBERNETES"
KUBERNETES_RELEASES = ("1.37.2", "1.33.13")
"""Today's, which ``make test`` uses, and the oldest that is promised (``make test-cluster``)."""
GO_LINE = re.compile(r"^go (\d+(?:\.\d+)+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A Go module and the programs that are built from it."""

    name: str
    module: Path
    """Folder of ``go.mod`` and ``go.sum``."""
    programs: Mapping[str, str]
    """Name of each program to its Go package."""
    usual_time: str
    """How long a first build takes, in words."""
    tags: tuple[str, ...] = ()
    """Build tags."""
    stamps: Mapping[str, str] = field(default_factory=dict)
    """Go variables to the text that the linker writes into them: the version, as a rule."""

    @property
    def go_needed(self) -> str:
        """Return the oldest Go that builds it, such as ``1.26.7``."""
        stated = GO_LINE.search((self.module / "go.mod").read_text(encoding="utf-8"))
        if stated is None:
            raise ValueError(f"{self.module / 'go.mod'} has no line such as 'go 1.26.7'")
        return stated[1]


class UnknownReleaseError(Exception):
    """A variable asks for a Kubernetes release that is not pinned here."""


def kubernetes(release: str) -> Component:
    """Return the row of a Kubernetes release.  Raises ``UnknownReleaseError``."""
    if release not in KUBERNETES_RELEASES:
        allowed = ", ".join(KUBERNETES_RELEASES)
        raise UnknownReleaseError(
            f"{KUBERNETES_VARIABLE}={release} is not pinned in {HERE.name}; allowed: {allowed}"
        )
    major, minor, _ = release.split(".")
    version = "k8s.io/component-base/version"
    programs = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
    return Component(
        name=f"kubernetes-{release}",
        module=HERE / ("kubernetes" if release == KUBERNETES_RELEASES[0] else f"kubernetes{minor}"),
        programs={name: f"k8s.io/kubernetes/cmd/{name}" for name in programs},
        usual_time="about 12 minutes on two cores",
        # Without these it calls itself v0.0.0-master.
        stamps={
            f"{version}.gitVersion": f"v{release}",
            f"{version}.gitMajor": major,
            f"{version}.gitMinor": minor,
        },
    )


COMPONENTS = (
    Component(
        name="prometheus",
        module=HERE / "prometheus",
        programs={
            "prometheus": "github.com/prometheus/prometheus/cmd/prometheus",
            "promtool": "github.com/prometheus/prometheus/cmd/promtool",
        },
        usual_time="about 5 minutes on two cores",
        # Leaves the discovery of clouds out; static, file and HTTP discovery stay.
        tags=("remove_all_sd",),
        stamps={"github.com/prometheus/common/version.Version": "3.16.0"},
    ),
    Component(
        name="victoriametrics",
        module=HERE / "victoriametrics",
        programs={
            "victoria-metrics": "github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics"
        },
        usual_time="about 1 minute on two cores",
        stamps={
            "github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version": (
                "victoria-metrics-v1.150.0"
            )
        },
    ),
    Component(
        name="etcd",
        module=HERE / "etcd",
        programs={"etcd": "go.etcd.io/etcd/server/v3"},
        usual_time="about 1 minute on two cores",
    ),
    Component(
        name="helm",
        module=HERE / "helm",
        programs={"helm": "helm.sh/helm/v4/cmd/helm"},
        usual_time="about 2 minutes on two cores",
        stamps={"helm.sh/helm/v4/internal/version.version": "v4.3.1"},
    ),
    Component(
        name="cert-manager",
        module=HERE / "certmanager",
        # Ours, of its published controllers: the module of its own program is not published.
        programs={"cert-manager": "components/certmanager"},
        usual_time="about 3 minutes on two cores",
        stamps={"github.com/cert-manager/cert-manager/pkg/util.AppVersion": "v1.21.2"},
    ),
    kubernetes(os.environ.get(KUBERNETES_VARIABLE) or KUBERNETES_RELEASES[0]),
)
