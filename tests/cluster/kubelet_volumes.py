"""Where the volumes of a pod lie on this machine, and how its texts are made to point there.

There are no mount namespaces, so a container's paths are rewritten; see ``relocated``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster.kubelet_environment import CannotStartError

Object = Mapping[str, Any]
EMPTY_DIR = "kubernetes.io~empty-dir"


def pod_folder(root: Path, pod: Object) -> Path:
    """Return the folder of a pod below the kubelet's root, as the kubelet lays it out."""
    return root / "pods" / str(pod["metadata"]["uid"])


def empty_dirs(root: Path, pod: Object) -> dict[str, Path]:
    """Return the folder of each emptyDir of a pod by the volume's name."""
    within = pod_folder(root, pod) / "volumes" / EMPTY_DIR
    return {
        volume["name"]: within / volume["name"]
        for volume in pod["spec"].get("volumes", ())
        if "emptyDir" in volume
    }


def mounts(container: Object, folders: Mapping[str, Path]) -> dict[str, Path]:
    """Return what each mount path of a container is on this machine.

    A read-only mount is a plain folder too.  Raises ``CannotStartError`` for a volume that is no
    emptyDir.
    """
    found = {}
    for mount in container.get("volumeMounts", ()):
        if mount["name"] not in folders:
            raise CannotStartError(
                f"volume {mount['name']} is not supported by this kubelet; allowed: emptyDir"
            )
        found[mount["mountPath"].rstrip("/")] = folders[mount["name"]] / mount.get("subPath", "")
    return found


def relocated(text: str, places: Mapping[str, Path]) -> str:
    """Replace every mount path in a text by its place on this machine.

    A path counts where whole components match and nothing of a path stands before it: of a mount at
    ``/data``, ``/data``, ``--out=/data/x`` and ``a:/data`` are replaced, ``/database`` and
    ``/my/data`` are not.  The longest mount path wins.
    """
    if not places:
        return text
    longest_first = sorted(places, key=len, reverse=True)
    paths = "|".join(map(re.escape, longest_first))
    return re.sub(
        rf"(?<![\w./~-])(?:{paths})(?![\w.~-])", lambda match: str(places[match[0]]), text
    )
