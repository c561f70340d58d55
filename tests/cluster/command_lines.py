"""The command lines of the programs of a control plane on loopback."""

from __future__ import annotations

from pathlib import Path

from tests.components.processes import LOOPBACK
from tests.components.programs import find_program

CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "statefulset-controller",
    "daemonset-controller",
    "job-controller",
    "cronjob-controller",
    "garbage-collector-controller",
    "namespace-controller",
    # Without it a ResourceQuota has no effect at all.
    "resourcequota-controller",
    "horizontal-pod-autoscaler-controller",
    "disruption-controller",
    "pod-garbage-collector-controller",
    # Without it the roles view, edit and admin are empty.
    "clusterrole-aggregation-controller",
)


def etcd(*, data: Path, port: int, peer_port: int) -> list[str]:
    """Return the command of an etcd that has one member and never waits for a disk."""
    client = f"http://{LOOPBACK}:{port}"
    peer = f"http://{LOOPBACK}:{peer_port}"
    return [
        str(find_program("etcd")),
        f"--data-dir={data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
    ]


def api_server(
    *, etcd_url: str, port: int, certificates: Path, tokens: Path, key: Path
) -> list[str]:
    """Return the command of an API server with RBAC, static tokens and all usual admission.

    Only the admission of ServiceAccounts is off: pods need no default ServiceAccount, which no
    controller makes here.
    """
    return [
        str(find_program("kube-apiserver")),
        f"--etcd-servers={etcd_url}",
        f"--secure-port={port}",
        f"--bind-address={LOOPBACK}",
        f"--advertise-address={LOOPBACK}",
        # Today's default refuses a loopback address.
        "--endpoint-reconciler-type=none",
        # It makes its own certificate there.
        f"--cert-dir={certificates}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--service-account-issuer=https://localhost",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        "--disable-admission-plugins=ServiceAccount",
        "--allow-privileged=true",
    ]


def controller_manager(*, kubeconfig: Path) -> list[str]:
    """Return the command of a controller manager with the controllers that tests need."""
    return [
        str(find_program("kube-controller-manager")),
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        # No port of its own, so that several control planes run side by side.
        "--secure-port=0",
        "--use-service-account-credentials=true",
        f"--controllers={','.join(CONTROLLERS)}",
    ]


def scheduler(*, kubeconfig: Path) -> list[str]:
    """Return the command of the usual scheduler."""
    return [
        str(find_program("kube-scheduler")),
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
    ]
