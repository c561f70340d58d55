"""Where a program is found, and what is said where it is not."""

import sys

import pytest

from tests.components.__main__ import main
from tests.components.builds import cache_folder
from tests.components.catalogue import COMPONENTS
from tests.components.fake_go import fake_component, fake_go
from tests.components.programs import (
    ProgramMissingError,
    WrongVariableError,
    find_program,
    named_program,
    variable,
)

PROGRAMS = [name for component in COMPONENTS for name in component.programs]


@pytest.fixture(autouse=True)
def nothing_is_named(monkeypatch, tmp_path):
    folders = ("TFA_COMPONENTS", "KUBEBUILDER_ASSETS")
    for name in (*map(variable, PROGRAMS), *folders, "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # A browser is none of these tests' business.
    monkeypatch.setenv("TFA_CHROMIUM", sys.executable)


def ready(folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_variable_names_one_program(tmp_path):
    path = ready(tmp_path, "prometheus-2")

    assert variable("victoria-metrics") == "TFA_VICTORIA_METRICS"
    assert named_program("prometheus", {"TFA_PROMETHEUS": str(path)}) == path
    assert named_program("promtool", {"TFA_PROMETHEUS": str(path)}) is None


def test_a_folder_wins_for_the_programs_that_it_holds(tmp_path):
    path = ready(tmp_path, "promtool")
    environ = {"TFA_COMPONENTS": str(tmp_path)}

    assert named_program("promtool", environ) == path
    assert named_program("prometheus", environ) is None


def test_the_variable_of_one_program_wins_over_the_folder(tmp_path):
    ready(tmp_path / "folder", "promtool")
    own = ready(tmp_path / "own", "promtool")
    environ = {"TFA_COMPONENTS": str(tmp_path / "folder"), "TFA_PROMTOOL": str(own)}

    assert named_program("promtool", environ) == own


def test_the_folder_of_other_projects_counts_for_the_programs_of_a_cluster(tmp_path):
    path = ready(tmp_path, "etcd")
    ready(tmp_path, "promtool")
    environ = {"KUBEBUILDER_ASSETS": str(tmp_path)}

    assert named_program("etcd", environ) == path
    assert named_program("kubectl", environ) is None
    assert named_program("promtool", environ) is None
    assert named_program("etcd", environ | {"TFA_KUBERNETES": "1.33.13"}) is None


def test_our_folder_wins_over_that_of_other_projects(tmp_path):
    own, other = tmp_path / "own", tmp_path / "other"
    for folder in (own, other):
        ready(folder, "etcd")
    kubectl = ready(other, "kubectl")
    environ = {"TFA_COMPONENTS": str(own), "KUBEBUILDER_ASSETS": str(other)}

    assert named_program("etcd", environ) == own / "etcd"
    assert named_program("kubectl", environ) == kubectl


def test_a_folder_of_other_projects_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(WrongVariableError, match=f"KUBEBUILDER_ASSETS={tmp_path}/absent names no"):
        named_program("etcd", {"KUBEBUILDER_ASSETS": f"{tmp_path}/absent"})


@pytest.mark.parametrize("name", ["TFA_PROMTOOL", "TFA_COMPONENTS"])
def test_a_variable_that_names_nothing_is_an_error(tmp_path, name):
    with pytest.raises(WrongVariableError, match=f"{name}={tmp_path}/absent names no"):
        named_program("promtool", {name: f"{tmp_path}/absent"})


def test_a_program_that_is_not_built_says_how_it_can_be(tmp_path):
    go = fake_go(tmp_path)
    with pytest.raises(ProgramMissingError, match="promtool is not built: run make components"):
        find_program("promtool", places=[str(go.program.parent)])


def test_a_program_that_cannot_be_built_says_what_is_missing(tmp_path):
    with pytest.raises(ProgramMissingError, match=r"Go >= 1\.\d+\.\d+ is needed"):
        find_program("promtool", places=[str(tmp_path)])


def test_the_command_needs_nothing_where_all_programs_are_named(tmp_path, monkeypatch):
    for name in PROGRAMS:
        ready(tmp_path / "ready", name)
    monkeypatch.setenv("TFA_COMPONENTS", str(tmp_path / "ready"))

    assert main() == 0
    assert not cache_folder().exists()


def test_the_command_builds_what_is_missing(tmp_path, monkeypatch):
    go = fake_go(tmp_path / "go")
    monkeypatch.setenv("PATH", str(go.program.parent), prepend=":")

    assert main([fake_component(tmp_path / "module")]) == 0
    assert len(list(cache_folder().glob("server-*/serverd"))) == 1


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
def test_what_cannot_be_built_fails_in_ci_only(tmp_path, monkeypatch, capsys, ci, code):
    monkeypatch.setenv("CI", ci)

    assert main([fake_component(tmp_path / "module", needs="99.0")]) == code
    assert "Go >= 99.0 is needed" in capsys.readouterr().err


def test_a_wrong_variable_fails_everywhere(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TFA_COMPONENTS", str(tmp_path / "absent"))

    assert main([fake_component(tmp_path / "module")]) == 1
    assert "names no folder" in capsys.readouterr().err
