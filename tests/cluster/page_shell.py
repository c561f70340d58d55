"""A shell of an administrator of a cluster, in a folder like a clone, for the pages' commands."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.control_plane import ControlPlane
from tests.cluster.definitions import DEPLOY
from tests.components.programs import find_program
from tests.pages import make_tfa, run_in


@dataclass(frozen=True, slots=True, kw_only=True)
class PageShell:
    """Where ``tfa`` is the code under test, and ``kubectl`` and ``helm`` know the cluster."""

    folder: Path
    kubeconfig: Path
    programs: tuple[Path, ...]

    def __call__(self, commands: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run commands until one fails."""
        return run_in(
            self.folder,
            commands,
            programs=self.programs,
            KUBECONFIG=str(self.kubeconfig),
            # What helm and kubectl keep of a cluster is below their home.
            HOME=str(self.folder.parent),
            **environment,
        )

    def well(self, commands: str, **environment: str) -> str:
        """Run commands, of which none fails; return what they printed."""
        ended = self(commands, **environment)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout


def page_shell(
    plane: ControlPlane, folder: Path, *programs: str, namespace: str = "default"
) -> PageShell:
    """Return a shell below a folder; ``programs`` are needed beside tfa and kubectl."""
    clone, own = folder / "clone", folder / "bin"
    clone.mkdir(parents=True)
    (clone / "deploy").symlink_to(DEPLOY)
    make_tfa(own / "tfa")
    config = json.loads(plane.admin_kubeconfig.read_text(encoding="utf-8"))
    config["contexts"][0]["context"]["namespace"] = namespace
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(json.dumps(config), encoding="utf-8")
    found = [find_program(name).parent for name in ("kubectl", *programs)]
    return PageShell(folder=clone, kubeconfig=kubeconfig, programs=(own, *found))
