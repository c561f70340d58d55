"""The commands of docs/editor-and-ci.md, word for word, as an editor or a CI system runs them."""

import json
import os
import re
import shutil
import subprocess
import time
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.fakes.prometheus import FakePrometheus, served
from tests.pages import ROOT, blocks, make_tfa

PAGE = "editor-and-ci.md"
GIB = 2.0**30


def steps_of_github():
    [workflow] = blocks(PAGE, "GitHub Actions", "yaml")
    jobs = yaml.safe_load(workflow)["jobs"].values()
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


def steps_of_gitlab():
    [pipeline] = blocks(PAGE, "GitLab CI", "yaml")
    jobs = yaml.safe_load(pipeline).values()
    return [line for job in jobs for key in ("script", "after_script") for line in job.get(key, ())]


def commands(steps):
    """Return the steps that run tfa; others install it, or talk to GitHub and GitLab."""
    return [step for step in steps if re.search(r"^tfa ", step, re.MULTILINE)]


@pytest.fixture
def shell(tmp_path):
    """Run a command in a folder with manifests, where ``tfa`` is this one."""
    tfa = tmp_path / "bin" / "tfa"
    make_tfa(tfa)
    folder = tmp_path / "repository"
    folder.mkdir()
    shutil.copytree(ROOT / "deploy" / "examples", folder / "manifests")

    def shell(command, **environment):
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", command],
            cwd=folder,
            env={
                **os.environ,
                "PATH": f"{tfa.parent}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    shell.folder = folder
    return shell


@pytest.fixture
def prometheus():
    """Return the address of a server with one workload that needs more than its limit."""
    server = FakePrometheus()
    now_s = int(time.time())
    ts = np.arange(now_s - 3 * 3600, now_s, 30) + 0.25
    labels = {"namespace": "team", "workload": "chat", "worker": "chat-0", "gpu_model": "A100"}
    labels |= {"pool": "main", "uuid": "GPU-0"}
    wave = (10 + 1.9 * np.sin(ts / 300)) * GIB
    server.add_worker(ts, tflops=20.0, memory_bytes=wave, vram_bytes=12 * GIB, **labels)
    with served(server) as url:
        yield url


def test_schemas_are_written_and_hold_the_example_of_the_page(shell):
    [command, *_] = blocks(PAGE, "In your editor", "console")
    [profile] = blocks(PAGE, "In your editor", "yaml")
    [settings] = blocks(PAGE, "In your editor", "json")

    ended = shell(command)

    assert (ended.returncode, ended.stderr) == (0, "")
    for path in json.loads(settings)["yaml.schemas"]:
        Draft202012Validator.check_schema(json.loads((shell.folder / path).read_text()))
    schema = json.loads((shell.folder / ".schemas" / "workload-profile.json").read_text())
    assert list(Draft202012Validator(schema).iter_errors(yaml.safe_load(profile))) == []


def test_the_hook_before_a_commit_passes_sound_manifests_and_stops_others(shell):
    [config] = blocks(PAGE, "Before a commit", "yaml")
    [hook] = yaml.safe_load(config)["repos"][0]["hooks"]

    assert shell(hook["entry"]).returncode == 0
    (shell.folder / "manifests" / "wrong.yaml").write_text("kind: WorkloadProfile\n")
    assert shell(hook["entry"]).returncode == 3


@pytest.mark.parametrize("steps", [steps_of_github, steps_of_gitlab])
def test_a_pipeline_checks_manifests_and_reports_what_is_critical(shell, prometheus, steps):
    check, report = commands(steps())

    checked = shell(check)
    reported = shell(report, TFA_PROMETHEUS_URL=prometheus)

    assert checked.returncode == 0, checked.stderr
    assert reported.returncode == 1, reported.stderr
    comment = (shell.folder / "comment.md").read_text()
    assert comment.startswith("### GPU recommendations")
    assert "| CRITICAL | team/chat |" in comment
    assert ET.parse(shell.folder / "report.xml").getroot().get("failures") == "1"
    again = shell("tfa render report.json -o junit")
    assert again.stdout == (shell.folder / "report.xml").read_text()


def test_two_reports_are_compared(shell, prometheus):
    [diff] = blocks(PAGE, "What a step fails on", "console")
    report = commands(steps_of_gitlab())[1]
    shell(report, TFA_PROMETHEUS_URL=prometheus)
    (shell.folder / "main").mkdir()
    shutil.copy(shell.folder / "report.json", shell.folder / "main")

    assert shell(diff).returncode == 0


def test_the_problem_matcher_reads_what_check_writes(shell):
    [document] = blocks(PAGE, "GitHub Actions", "json")
    [pattern] = json.loads(document)["problemMatcher"][0]["pattern"]
    (shell.folder / "manifests" / "wrong.yaml").write_text("kind: WorkloadProfile\nspec: 5\n")

    lines = shell("tfa check manifests/wrong.yaml").stdout.splitlines()

    found = [re.fullmatch(pattern["regexp"], line) for line in lines]
    assert found
    assert {match[pattern["file"]] for match in found} == {"manifests/wrong.yaml"}
    assert {match[pattern["line"]] for match in found} == {"1", "2"}
    assert {match[pattern["severity"]] for match in found} == {"error"}


def test_vim_finds_its_way_by_the_format_of_the_page():
    [vim] = blocks(PAGE, "In your editor", "vim")

    assert "errorformat=%f:%l:%c:" in vim
    assert r"makeprg=tfa\ check\ %" in vim
