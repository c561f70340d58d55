"""The image of the limiter, with the library and the installer as they are shipped."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

from autoscaler.agent.native.build import FOLDER, built, installer, limiter
from autoscaler.api.injection import INIT_COMMAND, LIBRARY
from tests.cluster.definitions import DEPLOY


def real_limiter_image(folder: Path) -> str:
    """Build what is not built yet, lay it into a folder as into an image, and return the image.

    Raises ``BuildError``.
    """
    architecture, products = platform.machine(), DEPLOY.parent / FOLDER
    library = built(limiter(architecture, products))
    program = built(installer(architecture, products))
    folder.mkdir()
    shutil.copy(library, folder / Path(LIBRARY).name)
    shutil.copy(program, folder / Path(INIT_COMMAND[0]).name)
    return f"process:{folder / Path(INIT_COMMAND[0]).name}@{INIT_COMMAND[0]}"
