"""What the caches keep of pods and of who makes them: enough to place them, and no users' texts."""

import json

from autoscaler.api.names import PREFIX
from autoscaler.workloads.cluster import gpus_of
from autoscaler.workloads.connections.worker_address import connection_url
from autoscaler.workloads.kept import kept_of_owner, kept_of_pod
from autoscaler.workloads.nodes.node_needs import needs_of
from autoscaler.workloads.nodes.volumes import volume_terms
from autoscaler.workloads.template_revision import REVISIONS
from tests.autoscaler.workloads.objects import placed, pod
from tests.autoscaler.workloads.owning import deployment, replica_set
from tests.autoscaler.workloads.toolbox import Toolbox

SECRET = "only for the pod"
CONTAINER = {
    "name": "main",
    "image": "cuda",
    "args": [SECRET],
    "env": [{"name": "PASSWORD", "value": SECRET}],
    "ports": [{"containerPort": 9000, "hostPort": 9000}],
    "resources": {"requests": {"cpu": "2"}, "limits": {"memory": "1Gi"}},
}
SPEC = {
    "containers": [CONTAINER],
    "initContainers": [{**CONTAINER, "name": "first", "restartPolicy": "Always"}],
    "volumes": [
        {"name": "data", "persistentVolumeClaim": {"claimName": "models"}},
        {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}},
        {"name": "other", "configMap": {"name": SECRET}},
    ],
    "tolerations": [{"operator": "Exists"}],
    "nodeSelector": {"zone": "a"},
}


def worker_with_texts():
    made = placed(annotations={f"{PREFIX}gpu-count": "1", "example.com/note": SECRET}, **SPEC)
    return {**made, "status": {**made["status"], "podIP": "10.0.0.1"}}


def test_a_worker_is_placed_and_reached_as_the_whole_pod_would_be():
    whole = worker_with_texts()
    kept = kept_of_pod(worker_with_texts())
    cluster = Toolbox().tools.cluster
    terms = volume_terms(whole, cluster)

    assert [each.claim for each in terms] == ["models", "job-scratch"]
    assert volume_terms(kept, cluster) == terms
    assert needs_of(kept, terms) == needs_of(whole, terms)
    assert connection_url(kept) == connection_url(whole)
    assert gpus_of(kept) == gpus_of(whole)


def test_no_text_of_a_user_is_kept():
    foreign = pod(metadata={"annotations": {"a": SECRET}}, **SPEC)

    assert SECRET not in json.dumps(kept_of_pod(worker_with_texts()))
    assert SECRET not in json.dumps(kept_of_pod(foreign))


def test_of_an_owner_its_revision_and_its_replicas_are_kept():
    revisions = dict.fromkeys(REVISIONS, "3")
    owner = replica_set(deployment(), annotations={**revisions, "example.com/told": SECRET})
    owner |= {"spec": {"replicas": 2, "template": {"spec": SECRET}}, "status": {"replicas": 1}}
    owner["metadata"]["labels"] = {"told": SECRET}

    kept = kept_of_owner(owner)

    assert kept["metadata"]["annotations"] == revisions
    assert kept["metadata"]["ownerReferences"] == owner["metadata"]["ownerReferences"]
    assert kept["spec"] == {"replicas": 2}
    assert SECRET not in json.dumps(kept)
