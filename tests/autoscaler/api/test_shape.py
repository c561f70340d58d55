import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.api.gpu_resource_quota import GPUResourceQuota
from autoscaler.api.kinds import KINDS
from autoscaler.api.shape import camel
from autoscaler.api.workload import TensorFusionWorkload
from autoscaler.api.workload_profile import WorkloadProfile
from autoscaler.errors import InputError
from tests.autoscaler.api.samples import every_setting

TEXTS = st.sampled_from(["a", "Later", "x-1", ""])
SCALARS = st.none() | st.booleans() | st.integers() | TEXTS
FOREIGN = st.dictionaries(
    st.sampled_from(["later", "x", "by-another"]),
    SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(TEXTS, SCALARS, max_size=2),
)


@pytest.mark.parametrize(
    ("name", "spelt"),
    [
        ("is_local_gpu", "isLocalGPU"),
        ("gpu_count", "gpuCount"),
        ("max_gpu_count", "maxGPUCount"),
        ("allowed_qos", "allowedQoS"),
        ("reserved_uuids", "reservedUUIDs"),
        ("connection_url", "connectionURL"),
        ("by_gpu_model", "byGPUModel"),
        ("worker_ip", "workerIp"),
        ("api_version", "apiVersion"),
        ("qos", "qos"),
    ],
)
def test_fields_are_spelt_as_the_api_does(name, spelt):
    assert camel(name) == spelt


def workload(**spec):
    return {
        "apiVersion": "tensor-fusion.ai/v1",
        "kind": "TensorFusionWorkload",
        "metadata": {"name": "chat", "namespace": "team-a"},
        "spec": spec,
    }


def test_fields_are_read_by_name():
    read = TensorFusionWorkload.from_object(
        workload(isLocalGPU=True, resources={"requests": {"tflops": 5}})
    )

    assert read.metadata.name == "chat"
    assert read.spec.is_local_gpu is True
    assert read.spec.resources.requests.tflops == 5
    assert read.spec.resources.limits is None


@given(FOREIGN, FOREIGN, st.sampled_from(KINDS))
def test_what_a_model_does_not_know_is_kept(above, below, kind):
    obj = {"metadata": {"name": "a", **below}, "status": below, **above}
    if kind.name == "TensorFusionConnection":
        obj["spec"] = {"workloadName": "chat"}

    assert kind.model.from_object(obj).to_object() == obj


@pytest.mark.parametrize("turn", range(4))
def test_settings_are_kept_as_they_were_written(turn):
    obj = workload(autoScalingConfig=every_setting(turn=turn))

    assert TensorFusionWorkload.from_object(obj).to_object() == obj


@pytest.mark.parametrize("spelling", [5, "5", "5.0", "5000m", "5e0", "0.1", "4Gi"])
def test_quantities_keep_their_spelling(spelling):
    obj = workload(resources={"limits": {"tflops": spelling}})

    [kept] = TensorFusionWorkload.from_object(obj).to_object()["spec"]["resources"].values()
    assert (type(kept["tflops"]), kept["tflops"]) == (type(spelling), spelling)


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"gpuCount": 129}, "spec.gpuCount: 129 is not valid: Input should be less than or equal"),
        ({"gpuCount": "2"}, "spec.gpuCount: '2' is not valid: Input should be a valid integer"),
        ({"qos": "best"}, "spec.qos: 'best' is not valid: Input should be 'low', 'medium', 'high'"),
        (
            {"resources": {"requests": {"vram": "4GB"}}},
            "spec.resources.requests.vram: '4GB' is not valid: Value error, allowed: a Kubernetes",
        ),
        ({"resources": {"requests": {"vram": "-1"}}}, "allowed: 0 or more"),
        ({"resources": {"requests": {"compute": "101"}}}, "allowed: 0 to 100"),
        ({"gangScheduling": {"timeout": "soon"}}, "spec.gangScheduling.timeout: 'soon'"),
        ({"gpuIndices": [0, "1"]}, "spec.gpuIndices[1]: '1' is not valid"),
    ],
)
def test_an_error_names_object_field_value_and_what_is_allowed(spec, problem):
    with pytest.raises(InputError) as raised:
        TensorFusionWorkload.from_object(workload(**spec))

    assert str(raised.value).startswith("TensorFusionWorkload team-a/chat: spec.")
    assert problem in str(raised.value)


def test_every_wrong_field_is_named():
    with pytest.raises(InputError, match=r"spec\.qos.*; spec\.gpuCount"):
        WorkloadProfile.from_object({"spec": {"qos": "best", "gpuCount": 0}})


@pytest.mark.parametrize("value", [None, [], "text", {"metadata": 5}])
def test_what_is_no_object_is_an_input_error(value):
    with pytest.raises(InputError, match="GPUResourceQuota"):
        GPUResourceQuota.from_object(value)


def test_models_do_not_change():
    read = WorkloadProfile.from_object({"spec": {"qos": "low"}})

    with pytest.raises(ValueError, match="frozen"):
        read.spec.qos = "high"
