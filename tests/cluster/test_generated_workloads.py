"""The API server takes the spec that follows from any admitted pod, and keeps all of it."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from autoscaler.workloads.generation.generated import generated_spec, profile_of
from tests.autoscaler.webhook.asking import asked, patched
from tests.autoscaler.webhook.submissions import sensible_pods
from tests.autoscaler.webhook.surroundings import clusters
from tests.cluster.definitions import custom_object, install_definitions

POOL = "tensor-fusion.ai/gpupool"
KIND = "TensorFusionWorkload"


@pytest.fixture(scope="module", autouse=True)
def _definitions(control_plane):
    install_definitions(control_plane)


def _specs(drawn):
    """Return the specs of the pods that are admitted."""
    for obj, snapshot in drawn:
        admission = asked(obj, snapshot)
        if admission.error:
            continue
        pod = patched(obj, admission)
        found = {(each["kind"], each["metadata"]["name"]): each for each in snapshot.objects}
        profile = found.get(("WorkloadProfile", profile_of(pod)))
        pool = found["GPUPool", pod["metadata"]["labels"][POOL]]
        yield dict(generated_spec(pod, profile, pool).spec)


@settings(max_examples=5, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(sensible_pods(), clusters()), min_size=20, max_size=40))
def test_specs_of_admitted_pods_are_kept_as_they_are(control_plane, namespace, drawn):
    specs = list(_specs(drawn))
    assert specs
    items = [custom_object(spec, KIND) for spec in specs]
    listed = {"apiVersion": "v1", "kind": "List", "items": items}
    kept = control_plane.kubectl(
        *("create", "--dry-run=server", "--namespace", namespace, "-f", "-", "-o", "yaml"),
        stdin=json.dumps(listed),
    ).well()

    assert [item["spec"] for item in yaml.safe_load_all(kept.out)] == specs
