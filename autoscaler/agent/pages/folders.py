"""Where the pages of a worker lie: in volumes of its pod, or in a folder of a plain host."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from autoscaler.agent.pages.errors import PageError
from autoscaler.api.injection import ROOT, VOLUMES

_EMPTY_DIRS = Path("volumes/kubernetes.io~empty-dir")
_CONTROL, _USE = f"{ROOT}/ctl", f"{ROOT}/use"
_UID = re.compile(r"[A-Za-z0-9-]{1,63}")
_READABLE, _STICKY_FOR_ALL = 0o755, 0o1777


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFolders:
    """The two folders that containers of a worker see."""

    control: Path
    use: Path


def folders_of_pod(uid: str, pods: Path) -> PageFolders:
    """Return the volumes of a pod below the kubelet's folder of pods.

    Raises ``PageError`` for a UID that could lead elsewhere.
    """
    if not _UID.fullmatch(uid):
        raise PageError(f"pod UID: {uid!r} is not valid; allowed: letters, digits and dashes")
    volumes = {volume.path: pods / uid / _EMPTY_DIRS / volume.name for volume in VOLUMES}
    return PageFolders(control=volumes[_CONTROL], use=volumes[_USE])


def folders_within(root: Path) -> PageFolders:
    """Return the folders of a worker on a plain host, where ``root`` is its ``TF_ROOT``."""
    return PageFolders(control=root / "ctl", use=root / "use")


def make_folders(folders: PageFolders) -> None:
    """Make what is missing of the folders of a worker on a plain host.

    Anybody may make the page of use, nobody but the agent the control page.  Raises ``PageError``,
    also for a folder of control pages that somebody else made first, or may write to.
    """
    for folder, mode in ((folders.control, _READABLE), (folders.use, _STICKY_FOR_ALL)):
        try:
            folder.mkdir(parents=True, exist_ok=False)
            folder.chmod(mode)
        except FileExistsError:
            if not folder.is_dir():
                raise PageError(f"{folder}: is no folder") from None
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise PageError(f"{folder}: cannot be made: {reason}") from error
    _refuse_foreign(folders.control)


def _refuse_foreign(folder: Path) -> None:
    try:
        found = folder.lstat()
    except OSError as error:
        raise PageError(f"{folder}: {os.strerror(error.errno or 0)}") from error
    if found.st_uid != os.geteuid() or found.st_mode & stat.S_IWOTH or stat.S_ISLNK(found.st_mode):
        raise PageError(
            f"{folder}: is {stat.filemode(found.st_mode)} of user {found.st_uid}; allowed: a folder"
            f" of user {os.geteuid()}, the agent's, that others cannot write to"
        )
