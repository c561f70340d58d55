"""An image for the chart whose processes are those of this tree, run by a ``FakeKubelet``.

What the pods of the chart start is started, under the rights of the account that they name: a
kubeconfig stands in for the token that a kubelet would mount.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from autoscaler.api.names import NAMESPACE, ServiceAccount
from tests.cluster.control_plane import ControlPlane
from tests.cluster.definitions import DEPLOY
from tests.cluster.kubelet_containers import IMAGE_PREFIX
from tests.components.processes import LOOPBACK, free_port
from tests.components.programs import find_program

TOKEN = "a-token-of-leave"
ACCOUNTS = (ServiceAccount.WEBHOOK, ServiceAccount.CONTROLLER, ServiceAccount.AUTOSCALER)


def image_values(program: Path) -> tuple[str, ...]:
    """Return the values that let the pods of the chart run a program of this machine."""
    return (
        f"image.repository={IMAGE_PREFIX.removesuffix(':')}",
        f"image.tag={of_machine(program)}",
    )


def of_machine(path: Path) -> str:
    """Return a path as a container sees it that has a mount of its own over ``/tmp``.

    A ``FakeKubelet`` lets paths alone that have more before them.
    """
    return f"/{path}"


def write_program(plane: ControlPlane, folder: Path) -> Path:
    """Write the program: ``tfa``, and for ``tfa leave`` the token that its pod would have."""
    admin = plane.admin_kubeconfig
    config = json.loads(admin.read_text(encoding="utf-8"))
    config["users"][0]["user"] = {"token": TOKEN}
    template = folder / "kubeconfig-of-leave"
    template.write_text(json.dumps(config), encoding="utf-8")
    kubectl = f"{find_program('kubectl')} --kubeconfig {admin} -n {NAMESPACE}"
    program = folder / "tfa"
    program.write_text(
        "#!/bin/sh\nset -e\n"
        'if [ "$1" = leave ]; then\n'
        f"  token=$({kubectl} create token leave)\n"
        f'  sed "s/{TOKEN}/$token/" {template} > kubeconfig\n'
        '  set -- "$@" --kubeconfig "$PWD/kubeconfig"\n'
        "fi\n"
        f"export PYTHONPATH={DEPLOY.parent}\n"
        f'exec {sys.executable} -m autoscaler "$@"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    return program


def account_values(plane: ControlPlane) -> tuple[str, ...]:
    """Return the values that lead the three services of ``full`` to the cluster, one process each.

    They share the network of this machine, and the webhook has no Service there.
    """
    webhook_port = free_port()
    own = {
        ServiceAccount.WEBHOOK: [f"--port={webhook_port}", "--drain=0s"],
        ServiceAccount.CONTROLLER: [f"--webhook-url=https://{LOOPBACK}:{webhook_port}"],
        ServiceAccount.AUTOSCALER: [
            f"--webhook-url=https://{LOOPBACK}:{webhook_port}",
            f"--page-port={free_port()}",
            "--tick=1s",
            "--since=1h",
        ],
    }
    values = []
    for account in ACCOUNTS:
        arguments = [
            f"--kubeconfig={of_machine(plane.kubeconfig(account))}",
            f"--bind-address={LOOPBACK}",
            f"--health-port={free_port()}",
            *own[account],
        ]
        values += [f"{account}.replicas=1", f"{account}.args={{{','.join(arguments)}}}"]
    return tuple(values)
