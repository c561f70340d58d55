from autoscaler.scaling.live.viewing.policies import settings_of
from recommender.policy.model import Dimension
from tests.autoscaler.scaling.live.live_objects import ENROLLED, workload


def settings(*, is_job=False, **spec):
    return settings_of(workload(**spec), is_job=is_job)


def test_equal_settings_are_one_policy():
    one = settings(autoScalingConfig=ENROLLED, resources={"requests": {"tflops": "1"}})
    other = settings(autoScalingConfig=dict(reversed(ENROLLED.items())), replicas=7)
    assert one.policy is other.policy
    assert one.stated != other.stated


def test_other_settings_are_another_policy():
    assert settings(autoScalingConfig=ENROLLED).policy is not settings().policy
    assert settings(autoScalingConfig=ENROLLED, qos="critical").policy is not (
        settings(autoScalingConfig=ENROLLED).policy
    )


def test_percentiles_of_jobs_are_over_time():
    weighted = [
        settings(is_job=is_job).policy.requests[Dimension.COMPUTE].is_load_weighted
        for is_job in (False, True)
    ]
    assert weighted == [True, False]


def test_settings_that_cannot_be_used_are_named_and_the_others_count():
    found = settings(
        autoScalingConfig={
            "autoSetLimits": {"enable": True},
            "autoSetRequests": {"enable": True, "extraBufferRatio": "lots"},
        }
    )
    assert "spec.autoScalingConfig.autoSetRequests.extraBufferRatio" in found.problem
    assert found.policy.limits[Dimension.COMPUTE].is_enrolled


def test_settings_that_can_be_used_have_no_problem():
    assert settings(autoScalingConfig=ENROLLED).problem == ""


def test_stated_amounts_that_cannot_be_read_are_named():
    found = settings(resources={"limits": {"tflops": "ten", "vram": "8Gi"}})
    assert "spec.resources.limits.tflops: 'ten' is not valid" in found.problem
    assert found.stated.limit == {"vram_bytes": 8 * 2**30}


def test_a_workload_without_a_spec_recommends_only():
    found = settings_of({"metadata": {"name": "chat", "namespace": "team"}}, is_job=False)
    assert found.problem == ""
    assert not found.policy.requests[Dimension.COMPUTE].is_enrolled
