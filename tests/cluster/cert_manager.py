"""A real cert-manager on a control plane: its published kinds and controllers, without its webhook.

Its program is built of the published module (``tests/components/certmanager``), and its kinds are
read where Go keeps that module.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster.child_processes import start_child
from tests.components.golang import environment
from tests.components.processes import ServerError, until
from tests.components.programs import component_of, find_program, go_for

if TYPE_CHECKING:
    from tests.cluster.control_plane import ControlPlane

PROGRAM = "cert-manager"
NAMESPACE = "cert-manager"
AUTHORITY = "authority"
"""Name of the ClusterIssuer that signs with an authority in a Secret of the same name."""
MODULE = "github.com/cert-manager/cert-manager"
IS_WORKING = "controllers of cert-manager work"


def definitions_folder() -> Path:
    """Return the folder with the definitions of its kinds; Go fetches the module if it must.

    Raises ``ProgramMissingError`` without Go, and ``ServerError`` where Go has no such module.
    """
    component = component_of(PROGRAM)
    pinned = re.search(rf"{MODULE} (v\S+)", (component.module / "go.mod").read_text("utf-8"))
    assert pinned is not None
    done = subprocess.run(
        [go_for(component).program, "mod", "download", "-json", f"{MODULE}@{pinned[1]}"],
        cwd=component.module,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ServerError(f"Go has no {MODULE} {pinned[1]}: {done.stdout}{done.stderr}")
    return Path(json.loads(done.stdout)["Dir"]) / "deploy" / "crds"


def install_kinds(plane: ControlPlane) -> None:
    """Have the API server serve the kinds of cert-manager."""
    plane.kubectl("apply", "--server-side", "-f", definitions_folder()).well()
    plane.kubectl(
        *("wait", "--for=condition=Established", "--timeout=60s"),
        *("crd", "certificates.cert-manager.io", "clusterissuers.cert-manager.io"),
    ).well()


@contextmanager
def running_cert_manager(plane: ControlPlane, folder: Path) -> Iterator[None]:
    """Let its controllers work while the context lasts; its kinds must be there.

    Raises ``ServerError`` where they end at their start.
    """
    command = [
        str(find_program(PROGRAM)),
        f"--kubeconfig={plane.admin_kubeconfig}",
        f"--cluster-resource-namespace={NAMESPACE}",
    ]
    with start_child(command, folder / "cert-manager.log") as process:
        until(
            lambda: IS_WORKING in process.log() or process.has_ended,
            what="the controllers of cert-manager work",
        )
        if process.has_ended:
            raise ServerError(f"cert-manager ended; its log ends:\n{process.end_of_log()}")
        yield


def make_authority(plane: ControlPlane) -> None:
    """Make the ClusterIssuer ``AUTHORITY``: a self-signed root, and an issuer that signs with it.

    These are the objects of cert-manager's own documentation for a private authority.
    """
    api = "cert-manager.io/v1"
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": api,
            "kind": "Issuer",
            "metadata": {"name": "self-signed", "namespace": NAMESPACE},
            "spec": {"selfSigned": {}},
        },
        {
            "apiVersion": api,
            "kind": "Certificate",
            "metadata": {"name": AUTHORITY, "namespace": NAMESPACE},
            "spec": {
                "isCA": True,
                "commonName": AUTHORITY,
                "secretName": AUTHORITY,
                "privateKey": {"algorithm": "ECDSA", "size": 256},
                "issuerRef": {"name": "self-signed", "kind": "Issuer"},
            },
        },
        {
            "apiVersion": api,
            "kind": "ClusterIssuer",
            "metadata": {"name": AUTHORITY},
            "spec": {"ca": {"secretName": AUTHORITY}},
        },
    ]
    text = "\n---\n".join(map(json.dumps, objects))
    plane.kubectl("apply", "-f", "-", stdin=text).well()
    ready = ("wait", "--for=condition=Ready", "--timeout=60s", "clusterissuer", AUTHORITY)
    plane.kubectl(*ready).well()
