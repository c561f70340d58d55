"""Puts the limiter into a wheel: a hook of hatchling, which builds the packages.

``TFA_WHEEL_ARCHITECTURE=x86_64`` asks for a wheel that carries the limiter of that architecture,
which the compiler of ``ziglang`` builds on any machine.  A wheel that is built without it, as
``pip install .`` does, is for any machine and carries none.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE = "TFA_WHEEL_ARCHITECTURE"


class LimiterHook(BuildHookInterface[Any]):
    """The wheel's tag, and the two files that are not Python."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the limiter where it is asked for; the sdist and a checkout carry its sources."""
        architecture = os.environ.get(VARIABLE)
        if not architecture or self.target_name != "wheel" or version == "editable":
            return
        sys.path.insert(0, self.root)
        from autoscaler.agent.native.build import ARCHITECTURES, OLDEST_GLIBC, BuildError

        if architecture not in ARCHITECTURES:
            allowed = ", ".join(ARCHITECTURES)
            self.app.abort(f"{VARIABLE}={architecture} is not known; allowed: {allowed}")
        try:
            build_data["force_include"] = limiter_files(architecture, Path(self.root))
        except BuildError as error:
            self.app.abort(str(error))
        build_data["tag"] = f"py3-none-manylinux_{OLDEST_GLIBC.replace('.', '_')}_{architecture}"
        build_data["pure_python"] = False


def limiter_files(architecture: str, root: Path) -> dict[str, str]:
    """Build what is not built yet; return its paths, each with the one in the wheel."""
    from autoscaler.agent.native.build import FOLDER, built, installer, limiter
    from autoscaler.agent.native.shipped import INSTALLER, LIBRARY, PLACE

    return {
        str(built(limiter(architecture, root / FOLDER))): f"{PLACE}/{LIBRARY}",
        str(built(installer(architecture, root / FOLDER))): f"{PLACE}/{INSTALLER}",
    }
