"""The steps of the Dockerfile, done in clean roots, make images that the manifests can use."""

import os
import shutil
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from autoscaler.api.injection import INIT_COMMAND, LIBRARY
from tests.autoscaler.agent.native.built import ROOT
from tests.components.lacking import lacks
from tests.components.pythons import oldest_and_newest, project
from tests.components.wheelhouses import missing, wheelhouse
from tests.packages.clean_root import can_be_entered
from tests.packages.dockerfile import DOCKERFILE, Copy, stages
from tests.packages.images import built_images

STAGES = stages()
PYTHON = oldest_and_newest()[-1]
"""In place of the one of the base image."""
MANIFESTS = sorted((ROOT / "deploy" / "kustomize").glob("*/d*.yaml"))
NAME, LIMITER_NAME = "tensor-fusion-autoscaler", "tensor-fusion-limiter"
COMPILERS = ("*gcc*", "g++*", "cc", "c++", "*clang*", "*zig*", "ld", "as", "make", "pip*")


def workloads():
    documents = [yaml.safe_load(path.read_text()) for path in MANIFESTS]
    return [each for each in documents if each["kind"] in {"Deployment", "DaemonSet"}]


def component_of(workload):
    return workload["metadata"]["labels"]["app.kubernetes.io/component"]


@pytest.fixture(scope="module")
def images(wheels, tmp_path_factory):
    if not wheelhouse(PYTHON).is_dir():
        lacks(missing(PYTHON))
    if why := can_be_entered():
        lacks(f"no process may have a root of its own: {why}")
    context, folder = tmp_path_factory.mktemp("context"), tmp_path_factory.mktemp("images")
    (context / "build" / "package").mkdir(parents=True)
    for wheel in wheels.values():
        shutil.copy(wheel, context / "build" / "package")
    shutil.copy(ROOT / "requirements.lock", context)
    yield built_images(STAGES, context, folder, PYTHON)
    shutil.rmtree(folder)


def test_the_image_says_its_version(images):
    said = images["autoscaler"].run("version")
    assert said.stderr == ""
    assert said.stdout.splitlines()[0] == f"tfa {project()['version']}"


@pytest.mark.parametrize("workload", workloads(), ids=component_of)
def test_each_process_of_the_manifests_starts(images, workload):
    [container] = workload["spec"]["template"]["spec"]["containers"]
    process, *flags = container["args"]
    helped = images["autoscaler"].run(process, "--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    assert f"Usage: tfa {process}" in helped.stdout

    # With its own arguments it gets as far as the API server, which is not there.
    given = [flag.replace("$(POD_IP)", "127.0.0.1") for flag in flags]
    ended = images["autoscaler"].run(process, *given, "--kubeconfig=/nowhere")
    assert ended.returncode in {2, 3}
    assert "Traceback" not in ended.stderr


def test_nothing_is_written_but_the_folder_in_memory(images):
    refused = images["autoscaler"].run("crds", "--output-dir", "/opt/crds")
    assert refused.returncode == 3
    assert "Read-only file system" in refused.stderr

    written = images["autoscaler"].run("crds", "--output-dir", "/tmp/crds")
    assert (written.returncode, written.stderr) == (0, "")


def test_no_compiler_and_no_installer_of_packages_is_in_the_image(images):
    added = images["autoscaler"].root.folder / "opt"
    names = {path.name for path in added.rglob("*") if path.is_file() and os.access(path, os.X_OK)}
    found = {name for name in names if any(fnmatch(name, each) for each in COMPILERS)}
    assert found == set()
    assert not any(path.name in {"ziglang", "pip", "setuptools"} for path in added.rglob("*"))


def test_the_image_of_the_limiter_is_two_files_that_do_what_pods_ask_for(images):
    image = images["limiter"]
    folder = image.root.folder / "tensor-fusion"
    assert {path.name for path in folder.iterdir()} == {"install", Path(LIBRARY).name}
    assert image.stage.entrypoint == INIT_COMMAND[:1]

    ran = image.run("--library=/tmp/library", "--control=/tensor-fusion", "--wait=0s")
    assert (ran.stdout, ran.stderr) == ("copied\ncontrolled\n", "")


@pytest.mark.parametrize("workload", workloads(), ids=component_of)
def test_manifests_ask_for_what_the_image_gives(workload):
    spec = workload["spec"]["template"]["spec"]
    [container] = spec["containers"]
    rules = {**spec["securityContext"], **container["securityContext"]}
    user = f"{rules['runAsUser']}:{rules['runAsGroup']}"

    assert container["image"] == NAME
    assert "command" not in container
    assert rules["readOnlyRootFilesystem"]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} >= {"/tmp"}
    # The folders of the kubelet belong to root.
    assert user == ("0:0" if component_of(workload) == "agent" else STAGES["autoscaler"].user)


def test_manifests_name_the_images_of_this_version():
    kustomization = yaml.safe_load(
        (ROOT / "deploy" / "kustomize" / "kustomization.yaml").read_text()
    )
    [settings] = kustomization["configMapGenerator"]
    version = project()["version"]

    assert kustomization["images"] == [{"name": NAME, "newTag": version}]
    assert settings["literals"] == [f"TFA_LIMITER_IMAGE={LIMITER_NAME}:{version}"]
    said = DOCKERFILE.read_text(encoding="utf-8")
    assert all(f"-t {name}:{version} ." in said for name in (NAME, LIMITER_NAME))


def test_no_image_runs_as_root():
    assert {STAGES[name].user for name in ("autoscaler", "limiter")} == {"65532:65532"}


def test_what_is_copied_from_the_context_is_not_ignored():
    ignored = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().split()
    allowed = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copies = [step for stage in STAGES.values() for step in stage.steps if isinstance(step, Copy)]
    assert {source for step in copies if step.stage is None for source in step.sources} == allowed


def test_the_base_image_is_of_a_supported_python():
    bases = {stage.base for stage in STAGES.values()} - {"scratch"}
    newest = project()["classifiers"][-1].rpartition(" ")[2]
    assert bases == {f"python:{newest}-slim-bookworm"}
