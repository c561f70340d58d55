"""Fills folders as the builder of images would fill images, by the steps of the Dockerfile."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.components.pythons import Python
from tests.components.wheelhouses import wheelhouse
from tests.packages.clean_root import CleanRoot, bare_root, python_root
from tests.packages.dockerfile import Copy, Stage

TOOLS_PATH = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
"""As the base image has it."""
WHEELS = "/wheels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A stage whose steps were done."""

    stage: Stage
    root: CleanRoot

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the entry point as the image's user, with a root that cannot be written."""
        return self.root.run(
            *self.stage.entrypoint,
            *arguments,
            variables=TOOLS_PATH | self.stage.variables,
            user=self.stage.user,
            is_read_only=True,
        )


def built_images(
    stages: Mapping[str, Stage], context: Path, folder: Path, python: Python
) -> dict[str, Image]:
    """Do the steps of all stages, each in a root of its own; raises ``AssertionError``."""
    images: dict[str, Image] = {}
    for name, stage in stages.items():
        runs = any(isinstance(step, str) for step in stage.steps)
        is_empty = stage.base == "scratch"
        place = folder / name
        root = bare_root(place) if is_empty else python_root(place, python, has_tools=runs)
        images[name] = Image(stage=stage, root=root)
        for step in stage.steps:
            if isinstance(step, Copy):
                _copy(step, stage, images, context, place)
            else:
                _run(step, images[name], python)
    return images


def _copy(step: Copy, stage: Stage, images: Mapping[str, Image], context: Path, root: Path) -> None:
    source = context if step.stage is None else images[step.stage].root.folder
    target = root / str(Path(stage.folder, step.target)).lstrip("/")
    for pattern in step.sources:
        found = list(source.glob(pattern.lstrip("/")))
        assert found, f"COPY {pattern}: nothing of that name"
        for path in found:
            if path.is_dir():
                shutil.copytree(path, target, symlinks=True, copy_function=os.link)
            else:
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)


def _run(step: str, image: Image, python: Python) -> None:
    """Run a step as root of the image, where packages come from the folder of wheels."""
    wheels = image.root.folder / WHEELS[1:]
    wheels.mkdir(exist_ok=True)
    root = CleanRoot(
        folder=image.root.folder, mounts={**image.root.mounts, WHEELS: str(wheelhouse(python))}
    )
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELS, "PIP_NO_COMPILE": "1"}
    ended = root.run(
        "/bin/sh",
        "-ec",
        f"cd {image.stage.folder}\n{step}",
        variables=TOOLS_PATH | image.stage.variables | offline | {"HOME": "/tmp"},
        user="0:0",
        is_read_only=False,
    )
    assert ended.returncode == 0, f"RUN {step}: {ended.stderr}{ended.stdout}"
