"""What users may say about worker pods."""

import pytest

from autoscaler.api.names import PREFIX
from tests.autoscaler.webhook.asking import AMOUNTS, admitted, asking, refused
from tests.autoscaler.webhook.clusters import cluster, profile
from tests.autoscaler.webhook.test_modes import offering

PATH = f"annotation {PREFIX}worker-pod-template"
LAWFUL = """
metadata: {labels: {team: a}}
spec:
  nodeSelector: {zone: a}
  tolerations: [{key: gpu}]
  containers: [{name: worker, resources: {limits: {cpu: 1}}}]
"""


def test_a_lawful_template_is_admitted_and_kept():
    found = admitted(asking(worker_pod_template=LAWFUL, **AMOUNTS), offering())
    assert found.annotations["worker-pod-template"] == LAWFUL


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("spec: {hostPID: true}", f"{PATH}.spec.hostPID: is not allowed; allowed: affinity"),
        ("spec: {volumes: []}", f"{PATH}.spec.volumes: is not allowed"),
        ("spec: {serviceAccountName: a}", f"{PATH}.spec.serviceAccountName: is not allowed"),
        (
            "spec: {containers: [{name: a, securityContext: {privileged: true}}]}",
            f"{PATH}.spec.containers[0].securityContext: is not allowed; allowed: env, name, res",
        ),
        ("spec: {containers: [{image: a}]}", f"{PATH}.spec.containers[0].image: is not allowed"),
        (
            "spec: {containers: 1}",
            f"{PATH}.spec.containers: not valid; allowed: a list of at most 8",
        ),
        ("spec: {containers: [1]}", f"{PATH}.spec.containers[0]: 1 is not valid"),
        ("kind: Pod", f"{PATH}.kind: is not allowed; allowed: metadata, spec"),
        ("metadata: {name: a}", f"{PATH}.metadata.name: is not allowed"),
        ("metadata: {ownerReferences: []}", f"{PATH}.metadata.ownerReferences: is not allowed"),
        (
            "metadata: {labels: {tensor-fusion.ai/component: worker}}",
            f"{PATH}.metadata.labels.{PREFIX}component: is written by the system alone",
        ),
        ("spec: 1", f"{PATH}.spec: 1 is not valid; allowed: a mapping"),
        ("just text", f"{PATH}: 'just text' is not valid; allowed: a mapping of metadata and spec"),
        ("[", f"{PATH}: is no YAML: expected the node content"),
        (
            "a: !!python/object:os.system {}",
            f"{PATH}: uses tags (tag:yaml.org,2002:python/object:os.system); allowed: values",
        ),
        ('a: !!timestamp "x"', f"{PATH}: uses tags (tag:yaml.org,2002:timestamp); allowed: values"),
        ('a: !!bool "x"', f"{PATH}: uses tags (tag:yaml.org,2002:bool); allowed: values without"),
        ('a: !!int ""', f"{PATH}: uses tags (tag:yaml.org,2002:int); allowed: values without"),
        ("[" * 4000, f"{PATH}: has more than 100 opening brackets; allowed: at most 100"),
        ("[" * 100, f"{PATH}: has more than 20 levels; allowed: at most 20"),
        ("- " * 2000, f"{PATH}: has more than 20 levels; allowed: at most 20"),
        ("a: 1\n" * 800, f"{PATH}: has more than 500 values; allowed: at most 500"),
        ("x" * 20_000, f"{PATH}: 20000 characters; allowed: at most 4096"),
    ],
)
def test_what_is_not_allowed_is_named(text, reason):
    assert refused(asking(worker_pod_template=text, **AMOUNTS), offering()).startswith(reason)


def test_aliases_that_multiply_are_refused():
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    text = "\n".join(["a0: &a0 [x]", *levels])
    assert refused(asking(worker_pod_template=text, **AMOUNTS), offering()) == (
        f"{PATH}: uses aliases (*name); allowed: every value written out"
    )


def test_a_template_without_a_worker_pod_is_refused():
    assert refused(asking(worker_pod_template=LAWFUL, **AMOUNTS)) == (
        f"{PATH}: has no effect, because the pod is its own worker; allowed: only with a worker pod"
    )


def test_a_template_of_the_profile_without_a_worker_pod_is_a_warning():
    small = profile(workerPodTemplate={"spec": {"nodeSelector": {"zone": "a"}}})
    obj = asking(workload_profile="small", is_local_gpu="true", **AMOUNTS)
    assert admitted(obj, cluster(small)).warnings == (
        "profile small spec.workerPodTemplate: has no effect, because the pod is its own worker",
    )


def test_a_template_of_the_profile_is_checked_like_any_other():
    small = profile(workerPodTemplate={"spec": {"hostNetwork": True}})
    error = refused(asking(workload_profile="small", **AMOUNTS), offering(small))
    assert error.startswith("profile small spec.workerPodTemplate.spec.hostNetwork: is not allowed")


@pytest.mark.parametrize("name", ["NVIDIA_VISIBLE_DEVICES", "TF_LIMIT_VRAM", "LD_PRELOAD"])
def test_a_template_sets_no_variable_that_holds_the_limits_or_the_gpus_of_a_worker(name):
    text = f"spec: {{containers: [{{name: worker, env: [{{name: A}}, {{name: {name}}}]}}]}}"

    assert refused(asking(worker_pod_template=text, **AMOUNTS), offering()) == (
        f"{PATH}.spec.containers[0].env: {name} is set by the system alone; leave it out"
    )
