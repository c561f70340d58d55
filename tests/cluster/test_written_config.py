"""The API server takes what settings of several layers are written as, and loses nothing of it."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from recommender.policy.settings import read_settings
from recommender.policy.written import written_config
from tests.autoscaler.api.samples import every_setting
from tests.cluster.definitions import created, custom_object, install_definitions
from tests.recommender.policy.layered_settings import layered_settings

KIND = "TensorFusionWorkload"


@pytest.fixture(scope="module", autouse=True)
def _definitions(control_plane):
    install_definitions(control_plane)


def test_every_setting_is_kept_as_it_is_written(control_plane, namespace):
    everything = read_settings(every_setting(turn=0), path="autoScalingConfig", source="profile")
    spec = {"autoScalingConfig": written_config(everything).config}

    assert created(control_plane, namespace, custom_object(spec, KIND))["spec"] == spec


@settings(max_examples=5, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.lists(layered_settings(), min_size=10, max_size=30))
def test_settings_of_several_layers_are_kept_as_they_are_written(control_plane, namespace, drawn):
    specs = [{"autoScalingConfig": written_config(each).config} for each in drawn]
    objects = [custom_object(spec, KIND) for spec in specs]
    listed = {"apiVersion": "v1", "kind": "List", "items": objects}
    kept = control_plane.kubectl(
        *("create", "--dry-run=server", "--namespace", namespace, "-f", "-", "-o", "yaml"),
        stdin=json.dumps(listed),
    ).well()

    assert [item["spec"] for item in yaml.safe_load_all(kept.out)] == specs
