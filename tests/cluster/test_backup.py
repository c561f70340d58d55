"""The commands of docs/operating.md that keep what nobody could make anew, word for word."""

import os
import subprocess

import pytest
import yaml

from tests.cluster.definitions import DEPLOY, install_definitions
from tests.components.programs import find_program
from tests.pages import blocks

EXAMPLES = ("workload-profile", "gpu-resource-quota")


@pytest.fixture
def shell(control_plane, tmp_path):
    """Run commands as the administrator."""
    install_definitions(control_plane)
    path = f"{find_program('kubectl').parent}:{os.environ['PATH']}"
    environment = os.environ | {"KUBECONFIG": str(control_plane.kubeconfig("admin")), "PATH": path}

    def shell(commands):
        command = ["bash", "-e", "-c", commands]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return shell


def test_profiles_and_quotas_come_back_from_a_backup(control_plane, namespace, shell):
    backup, restore = blocks("operating.md", "Backup of state", "console")
    examples = [DEPLOY / "examples" / f"{name}.yaml" for name in EXAMPLES]
    for example in examples:
        control_plane.kubectl("apply", "-n", namespace, "-f", example).well()

    assert shell(backup).returncode == 0
    control_plane.kubectl(
        "delete", "-n", namespace, "workloadprofiles,gpuresourcequotas", "--all"
    ).well()
    restored = shell(restore)
    assert all("already exists" in line for line in restored.stderr.splitlines())

    for example in examples:
        kept = yaml.safe_load(example.read_text())
        found = control_plane.kubectl(
            *("get", "-n", namespace, kept["kind"], kept["metadata"]["name"], "-o", "json")
        ).json
        assert found["spec"] == kept["spec"]
        # Manifests can be applied afterwards as ever.
        control_plane.kubectl("apply", "-n", namespace, "-f", example).well()
