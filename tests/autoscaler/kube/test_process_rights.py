"""The table of rights is what the manifests grant: ``tfa check`` looks for nothing else."""

from pathlib import Path

import pytest
import yaml

from autoscaler.api.names import ServiceAccount
from autoscaler.kube.process_rights import APPLY_ROLE, RIGHTS, Right, Scope

KUSTOMIZE = Path(__file__).parents[3] / "deploy" / "kustomize"
PROCESSES = sorted(set(RIGHTS) - {APPLY_ROLE})


def objects(folder):
    return [
        each
        for file in sorted((KUSTOMIZE / folder).glob("*.yaml"))
        for each in yaml.safe_load_all(file.read_text(encoding="utf-8"))
    ]


def rights_of(role):
    scope = Scope.INSTALLATION if role["kind"] == "Role" else Scope.EVERYWHERE
    return {
        Right(group=group, resource=resource, verb=verb, name=name, scope=scope)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    }


def granted(process):
    """Return what the shipped bindings give to the ServiceAccount of a process."""
    everything = objects(process)
    roles = {(each["kind"], each["metadata"]["name"]): each for each in everything}
    return {
        right
        for binding in everything
        if binding["kind"].endswith("Binding")
        and {
            "kind": "ServiceAccount",
            "name": process,
            "namespace": ServiceAccount(process).namespace(),
        }
        in binding["subjects"]
        for right in rights_of(roles[binding["roleRef"]["kind"], binding["roleRef"]["name"]])
    }


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_has_in_the_manifests_what_the_table_says(process):
    assert granted(process) == set(RIGHTS[process])


def test_the_role_of_tfa_apply_has_what_the_table_says():
    [role] = objects("apply")

    assert role["metadata"]["name"] == APPLY_ROLE
    assert rights_of(role) == set(RIGHTS[APPLY_ROLE])


@pytest.mark.parametrize("process", RIGHTS)
def test_no_right_is_listed_twice(process):
    assert len(RIGHTS[process]) == len(set(RIGHTS[process]))


def test_the_autoscaler_has_no_right_to_write_pods():
    pods = {right.verb for right in RIGHTS[ServiceAccount.AUTOSCALER] if "pods" in right.resource}

    assert pods == {"list", "watch"}


def test_the_agent_reads_pods_and_writes_gpus_and_nothing_else():
    writes = {
        right.resource
        for right in RIGHTS[ServiceAccount.AGENT]
        if right.verb in {"create", "patch"}
    }

    assert writes == {"gpus", "gpus/status", "events"}


def test_a_right_is_told_as_people_say_it():
    secret = Right(group="", resource="secrets", verb="get", name="key", scope=Scope.INSTALLATION)
    status = Right(group="example.com", resource="things/status", verb="patch")

    assert str(secret) == "get secrets key in the installation's namespace"
    assert str(status) == "patch things/status.example.com"
