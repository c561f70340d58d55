"""The wheel of this machine, installed into empty environments, does what it promises."""

import json
import stat
from pathlib import Path

import pytest

from tests.components.lacking import lacks
from tests.components.programs import ProgramMissingError, find_program
from tests.components.pythons import project
from tests.generated_usage import fleet, write_csv


@pytest.fixture(scope="module")
def usage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("usage")
    return write_csv(fleet(["team/chat", "team/search"], 2.0), folder / "usage.csv")


@pytest.fixture(scope="module")
def kubectl():
    try:
        return find_program("kubectl")
    except ProgramMissingError as error:
        lacks(str(error))


def test_nothing_that_it_depends_on_is_missing(environment):
    checked = environment.run("pip", "check")
    assert checked.returncode == 0, checked.stdout


def test_it_says_its_version(environment):
    said = environment.run("tfa", "version")
    assert said.stdout.splitlines()[0] == f"tfa {project()['version']}"
    assert f"python {environment.python.release}" in said.stdout


def test_it_simulates_the_demonstration(environment):
    out = environment.scratch / "demo"
    ended = environment.run("tfa", "simulate", "--demo", "--days", "0.25", "--out", out)
    assert ended.returncode == 0, ended.stderr
    assert json.loads((out / "report.json").read_text())["meta"]["scanned_workloads"] == 54
    assert "</html>" in (out / "report.html").read_text()


def test_it_reports_on_a_file(environment, usage):
    page = environment.scratch / "report.html"
    ended = environment.run("tfa", "report", "--from", usage, "--gpu-model", "A100", "--out", page)
    assert ended.returncode == 0, ended.stderr
    assert "team/chat" in page.read_text()


@pytest.mark.parametrize("process", ["webhook", "controller", "autoscaler", "agent"])
def test_each_process_has_what_it_imports(environment, process):
    """Settings that are missing are told; a module that is missing would be a traceback."""
    ended = environment.run("tfa", process, "--kubeconfig", "/nowhere")
    assert (ended.returncode != 0, "Traceback" in ended.stderr) == (True, False), ended.stderr


def test_it_gives_away_its_limiter_and_programs_start_with_it(environment):
    into = environment.scratch / "limiter"
    given = environment.run("tfa", "limiter", "--into", into)
    library, installer = map(Path, given.stdout.split())

    preloaded = environment.run("true", variables={"LD_PRELOAD": str(library)})
    assert (preloaded.returncode, preloaded.stderr) == (0, "")
    copy, page = environment.scratch / "copy.so", environment.scratch
    ran = environment.run(installer, f"--library={copy}", f"--control={page}", "--wait=0s")
    assert ran.stdout == "copied\ncontrolled\n"
    assert copy.read_bytes() == library.read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o555


def test_kubectl_finds_it_as_a_plugin(environment, kubectl):
    listed = environment.run(kubectl, "plugin", "list")
    assert str(environment.folder / "bin" / "kubectl-tfa") in listed.stdout

    said = environment.run(kubectl, "tfa", "version")
    assert said.stdout == environment.run("tfa", "version").stdout


def test_kubectl_shows_the_name_that_was_typed(environment, kubectl):
    assert "Usage: kubectl tfa" in environment.run(kubectl, "tfa", "report", "--help").stdout


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["sim"], ["simulate"]),
        (["agent", ""], ["top"]),
        (["report", "--from", "a file.csv", "--wid"], ["--wide"]),
    ],
)
def test_kubectl_completes_it(environment, kubectl, words, completed):
    ended = environment.run(kubectl, "__complete", "tfa", *words)
    assert ended.stdout.splitlines() == [*completed, ":0"]


def test_bash_completes_it(environment):
    script = 'eval "$(tfa --show-completion bash)"; COMP_WORDS=(tfa sim); COMP_CWORD=1; '
    ended = environment.run("bash", "-c", script + '_tfa_completion tfa; echo "${COMPREPLY[@]}"')
    assert ended.stdout == "simulate\n"
