"""What is stated and enrolled beside an upstream operator."""

import pytest

from autoscaler.api.names import PREFIX
from autoscaler.scaling.live.upstream.settings import (
    amounts_in,
    declared_spec,
    resources_in,
    settings_of,
)
from recommender.policy.model import Dimension
from recommender.resources import GIB
from tests.autoscaler.scaling.live.upstream.upstream_world import IN_FORCE, RESOURCES, workload

DECLARED = {"resources": RESOURCES}
SMALL = {"autoScalingConfig": {"autoSetLimits": {"enable": True}}}


def annotated(**said):
    return {f"{PREFIX}{key.replace('_', '-')}": text for key, text in said.items()}


def settings(annotations=None, *, spec=DECLARED, profiles=None, row=None):
    return settings_of("team", annotations or {}, spec, profiles=profiles or {}, row=row)


def acting(found):
    return {
        f"{side} {dimension}"
        for side, rules in (("requests", found.policy.requests), ("limits", found.policy.limits))
        for dimension in Dimension
        if rules[dimension].is_enrolled
    }


def test_annotations_of_a_worker_enrol_it():
    found = settings(annotated(auto_requests="true"))
    assert acting(found) == {"requests compute", "requests vram"}
    assert found.problem == ""


def test_what_switches_on_the_operators_own_autoscaling_says_nothing_here():
    said = annotated(autoscale="true", autoscale_target="all", auto_requests="true")
    assert acting(settings(said)) == {"requests compute", "requests vram"}
    assert acting(settings(annotated(autoscale="true", autoscale_target="all"))) == set()


def test_a_profile_of_the_mounted_file_counts_by_its_name():
    profiles = {("team", "small"): SMALL, ("other", "small"): {}}
    found = settings(annotated(workload_profile="small"), profiles=profiles)
    assert acting(found) == {"limits compute", "limits vram"}


def test_a_profile_that_the_file_lacks_is_one_of_the_operator_and_no_problem():
    found = settings(annotated(workload_profile="theirs"))
    assert (acting(found), found.problem) == (set(), "")


def test_a_row_of_the_workloads_file_wins():
    row = {"profile": "team/small", "tflops_limit": "99"}
    found = settings(annotated(auto_requests="true"), profiles={("team", "small"): SMALL}, row=row)
    assert "limits compute" in acting(found)
    assert found.stated.limit["tflops"] == 99.0


def test_amounts_in_force_are_not_what_is_stated():
    in_force = {f"{PREFIX}{key}": text for key, text in IN_FORCE.items()}
    stated = settings(in_force).stated
    assert stated.request == {"tflops": 30.0, "vram_bytes": 10 * GIB}
    assert stated.limit == {"tflops": 80.0, "vram_bytes": 16 * GIB}


def test_wrong_settings_are_named_and_the_rest_counts():
    found = settings(annotated(auto_requests="true", auto_limits="sometimes"))
    assert acting(found) == {"requests compute", "requests vram"}
    assert "auto-limits" in found.problem


def test_equal_settings_are_one_policy():
    said = annotated(auto_requests="true")
    other = {"resources": {"limits": {"tflops": "5"}}}
    assert settings(said).policy is settings(dict(said), spec=other).policy


@pytest.mark.parametrize(
    "resources",
    [None, 7, [], {"requests": None}, {"limits": {"tflops": "0", "vram": None, "new": "1"}}],
)
def test_resources_that_say_nothing_are_none(resources):
    assert resources_in(resources) == {}


def test_what_is_declared_is_read_whatever_else_the_operator_wrote():
    made = workload(replicas=3, qos="high", gpuCount=2, gpuModel=["odd"])
    assert declared_spec(made, {}) == {
        "resources": RESOURCES,
        "replicas": 3,
        "qos": "high",
        "gpuCount": 2,
    }


@pytest.mark.parametrize("made", [None, workload(resources={}, replicas=True)])
def test_without_a_workload_what_workers_had_first_is_declared(made):
    assert declared_spec(made, RESOURCES) == {"resources": RESOURCES}


def test_amounts_of_a_worker_are_read_from_its_annotations():
    said = annotated(tflops_request="40", vram_limit="16Gi", compute_percent_limit="50", qos="high")
    assert amounts_in(said) == {
        "requests": {"tflops": "40"},
        "limits": {"vram": "16Gi", "compute": "50"},
    }
