"""Where the tests find a program: named by a variable, in a folder of ready ones, or built.

``TFA_PROMETHEUS`` and the like name one program, ``TFA_COMPONENTS`` a folder of them, and so does
``KUBEBUILDER_ASSETS`` for those of a cluster; what none of them names is taken from the cache of
``builds``.  Looking never builds.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.components.builds import build, built_folder, cache_folder
from tests.components.catalogue import COMPONENTS, KUBERNETES_VARIABLE, Component
from tests.components.golang import Go, find_go, install_go, no_go, search_places

FOLDER_VARIABLE = "TFA_COMPONENTS"
CLUSTER_FOLDER_VARIABLE = "KUBEBUILDER_ASSETS"
CLUSTER_PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
)
"""What a cluster consists of, and the program that talks to it."""


class ProgramMissingError(Exception):
    """A program that tests need is not there; the text says how it can be had."""


class WrongVariableError(Exception):
    """A variable names a program or folder that does not exist."""


def variable(name: str) -> str:
    """Return the environment variable that names a program: ``TFA_VICTORIA_METRICS``."""
    return f"TFA_{name.upper().replace('-', '_')}"


def find_program(name: str, *, places: Sequence[str] | None = None) -> Path:
    """Return the path of a program of the catalogue.

    Raises ``WrongVariableError``, and ``ProgramMissingError`` where it has to be built first.
    """
    named = named_program(name)
    if named is not None:
        return named
    component = component_of(name)
    go = go_for(component, places)
    path = built_folder(component, go, cache_folder()) / name
    if not path.is_file():
        raise ProgramMissingError(
            f"{name} is not built: run make components ({component.usual_time}, once), "
            f"or name a folder that holds it in {FOLDER_VARIABLE}"
        )
    return path


def named_program(name: str, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the program that a variable names; None where none does.

    A folder in ``TFA_COMPONENTS`` wins for the programs that it holds, after it one in
    ``KUBEBUILDER_ASSETS``, which other projects set too: it does not count where a release of
    Kubernetes is asked for.  Raises ``WrongVariableError``.
    """
    own = environ.get(variable(name))
    if own:
        path = shutil.which(own)
        if path is None:
            raise WrongVariableError(f"{variable(name)}={own} names no program that can be run")
        return Path(path)
    folders = [FOLDER_VARIABLE]
    if name in CLUSTER_PROGRAMS and not environ.get(KUBERNETES_VARIABLE):
        folders.append(CLUSTER_FOLDER_VARIABLE)
    for variable_of_folder in folders:
        folder = environ.get(variable_of_folder)
        if not folder:
            continue
        if not Path(folder).is_dir():
            raise WrongVariableError(f"{variable_of_folder}={folder} names no folder")
        found = shutil.which(name, path=folder)
        if found is not None:
            return Path(found)
    return None


def component_of(name: str) -> Component:
    """Return the row of the catalogue that makes a program."""
    return next(component for component in COMPONENTS if name in component.programs)


def go_for(component: Component, places: Sequence[str] | None = None) -> Go:
    """Return the Go that builds a component.  Raises ``ProgramMissingError``."""
    places = search_places() if places is None else places
    go = find_go(component.go_needed, places)
    if go is None:
        programs = " and ".join(component.programs)
        raise ProgramMissingError(
            f"{programs} cannot be built: {no_go(component.go_needed, places)}; "
            f"or name a folder of ready programs in {FOLDER_VARIABLE}"
        )
    return go


def make_available(component: Component) -> None:
    """Build a component, unless variables name all its programs; installs Go where it can.

    Raises ``ProgramMissingError``, ``WrongVariableError`` and ``BuildError``.
    """
    if all(named_program(name) is not None for name in component.programs):
        return
    if find_go(component.go_needed, search_places()) is None:
        install_go(component.go_needed)
    build(component, go_for(component), cache_folder())
