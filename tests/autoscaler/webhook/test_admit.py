"""What becomes of a pod: who is looked at, what is written back, and what is left alone."""

import json
from pathlib import Path

import pytest
import yaml

from autoscaler.api.names import ENABLED, PLACEMENT_GATE, PREFIX
from autoscaler.webhook.admission import Admission
from tests.autoscaler.webhook.asking import AMOUNTS, admitted, asked, asking, keys, refused
from tests.autoscaler.webhook.clusters import (
    APPLY,
    LIMITER_IMAGE,
    cluster,
    owned,
    pool,
    pool_with_workers,
    priority_class,
    profile,
    workload,
)
from tests.autoscaler.webhook.pods import container, named, pod

HIGH = priority_class("tensor-fusion-high")
EXAMPLE = {
    "gpupool": "default-pool",
    "inject_container": "python",
    "replicas": "1",
    "tflops_limit": "20",
    "tflops_request": "10",
    "vram_limit": "4Gi",
    "vram_request": "4Gi",
    "qos": "medium",
    "workload": "pytorch-example",
    "generate_workload": "true",
    "workload_profile": "default-profile",
    "is_local_gpu": "true",
    "gpu_count": "1",
}
"""Annotations of the example in the product's document."""


@pytest.mark.parametrize("labels", [None, {}, {ENABLED: "false"}, {ENABLED: "True"}, {"a": "b"}])
def test_a_pod_that_is_not_selected_passes_as_it_is(labels):
    assert asked(pod(annotations=keys(qos="superb"), labels=labels)) == Admission()


def test_a_worker_pod_of_an_existing_workload_is_admitted_like_any_other():
    llm = workload("llm", resources={"requests": {"tflops": "10"}}, qos="high")
    worker = asking(
        workload="llm",
        generate_workload="false",
        is_local_gpu="true",
        no_standalone_worker_mode="true",
        inject_container="main",
    )
    found = admitted(owned(worker, llm), cluster(pool_with_workers(), llm, HIGH))
    assert found.warnings == ()
    assert found.labels == {
        "enabled": "true",
        "component": "worker",
        "workload": "llm",
        "gpupool": "default-pool",
    }
    assert (found.amounts(), found.annotations["qos"]) == ({"tflops-request": "10"}, "high")
    assert found.pod["spec"]["schedulingGates"] == [{"name": PLACEMENT_GATE}]


def test_the_example_of_the_product_document_is_admitted_without_a_warning():
    obj = asking(container("python"), **EXAMPLE)
    found = admitted(obj, cluster(profile("default-profile")))
    assert found.warnings == ()
    assert found.amounts() == {
        "tflops-request": "10",
        "tflops-limit": "20",
        "vram-request": "4Gi",
        "vram-limit": "4Gi",
    }
    assert found.amounts("declared-") == found.amounts()
    assert found.labels == {
        "enabled": "true",
        "component": "worker",
        "workload": "pytorch-example",
        "gpupool": "default-pool",
    }


def test_what_was_resolved_is_written_back():
    found = admitted(asking(vram_request="4Gi"), cluster(profile(gpuModel="A100"))).annotations
    assert {key: found[key] for key in ("workload", "gpupool", "qos", "gpu-count", "mode")} == {
        "workload": "job",
        "gpupool": "default-pool",
        "qos": "medium",
        "gpu-count": "1",
        "mode": "embedded",
    }
    assert (found["inject-container"], found["is-local-gpu"]) == ("main", "true")
    assert {"gpu-model", "vendor", "gpu-indices", "isolation"} & found.keys() == set()


def test_the_pod_waits_behind_the_gate_with_the_limiter_of_the_installation():
    spec = admitted(asking(**AMOUNTS)).pod["spec"]
    assert spec["schedulingGates"] == [{"name": PLACEMENT_GATE}]
    assert named(spec["initContainers"], "tf-limiter")["image"] == LIMITER_IMAGE


def test_a_pool_chooses_limiter_and_runtime_class():
    limiter = {
        "image": "mirror/limiter:2",
        "imagePullPolicy": "Always",
        "imagePullSecrets": ["mirror"],
    }
    gpus = pool(componentConfig={"limiter": limiter}, runtimeClassName="nvidia")
    spec = admitted(asking(**AMOUNTS), cluster(gpus)).pod["spec"]
    made = named(spec["initContainers"], "tf-limiter")
    assert (made["image"], made["imagePullPolicy"]) == ("mirror/limiter:2", "Always")
    assert (spec["imagePullSecrets"], spec["runtimeClassName"]) == ([{"name": "mirror"}], "nvidia")


def test_amounts_keep_the_spelling_of_their_user_and_numbers_of_a_profile_become_quantities():
    small = profile(resources={"requests": {"tflops": 0.5}, "limits": {"vram": 2147483648}})
    obj = asking(vram_request="1024Mi", workload_profile="small")
    assert admitted(obj, cluster(small)).amounts() == {
        "tflops-request": "500m",
        "vram-request": "1024Mi",
        "vram-limit": "2147483648",
    }


SPELT = {
    "gpu_count": " 02",
    "gpu_indices": "0, 2",
    "gpu_model": "nvidia l4 ",
    "gpupool": " default-pool",
    "isolation": "Soft",
    "qos": "High",
    "vendor": "NVIDIA ",
}


def test_what_tenants_may_not_change_later_stays_as_they_wrote_it():
    found = admitted(asking(is_local_gpu="true", **SPELT, **AMOUNTS), cluster(HIGH))
    written = {key.replace("_", "-"): text for key, text in SPELT.items()}
    assert {key: found.annotations[key] for key in written} == written
    assert (found.labels["gpupool"], found.warnings) == ("default-pool", ())


def test_a_blank_annotation_is_no_spelling_and_gets_what_was_chosen():
    found = admitted(asking(qos=" ", gpupool="", gpu_count="", **AMOUNTS)).annotations
    chosen = {key: found[key] for key in ("qos", "gpupool", "gpu-count")}
    assert chosen == {"qos": "medium", "gpupool": "default-pool", "gpu-count": "1"}


def test_a_count_that_is_not_that_of_the_indices_is_corrected():
    obj = asking(is_local_gpu="true", gpu_count="1", gpu_indices="0,2", **AMOUNTS)
    assert admitted(obj).annotations["gpu-count"] == "2"


def test_where_each_value_came_from_is_kept():
    obj = asking(tflops_limit="20", workload_profile="small")
    small = profile(resources={"requests": {"vram": "1Gi"}}, qos="low")
    assert json.loads(admitted(obj, cluster(small)).annotations["sources"]) == {
        "tflops-request": f"annotation {PREFIX}tflops-limit",
        "tflops-limit": f"annotation {PREFIX}tflops-limit",
        "vram-request": "profile small",
        "qos": "profile small",
        "gpupool": "default pool",
        "gpu-count": "default",
        "is-local-gpu": "pool default-pool",
    }


@pytest.mark.parametrize(
    "key", ["gpu-ids", "gpu-peak-tflops", "gpu-peak-vram", "selected-workload"]
)
def test_a_system_annotation_is_left_out_with_a_warning_and_is_no_reason_to_refuse(key):
    obj = asking(is_local_gpu="true", **AMOUNTS, **{key: "stolen"})
    found = admitted(obj)
    assert key not in found.annotations
    (warning,) = found.warnings
    assert warning == f"{PREFIX}{key}: only the system writes it; what the pod brought is left out"


def test_a_system_label_is_replaced_with_a_warning():
    obj = asking(is_local_gpu="true", labels={f"{PREFIX}workload": "of-another"}, **AMOUNTS)
    found = admitted(obj)
    assert found.labels["workload"] == "job"
    assert [warning.partition(":")[0] for warning in found.warnings] == [f"{PREFIX}workload"]


def test_a_pod_that_is_admitted_again_hears_nothing_of_what_it_brings():
    obj = admitted(asking(is_local_gpu="true", **AMOUNTS)).pod
    assert asked(obj) == Admission()


def test_unknown_annotations_of_ours_are_kept_with_a_warning_each():
    found = admitted(asking(is_local_gpu="true", dedicated_gpu="true", vram_limt="1Gi", **AMOUNTS))
    assert found.annotations["dedicated-gpu"] == "true"
    assert found.warnings == (
        f"annotation {PREFIX}dedicated-gpu: has no effect",
        f"annotation {PREFIX}vram-limt: has no effect; did you mean {PREFIX}vram-limit?",
    )


def test_of_very_many_unknown_annotations_ten_are_named():
    unknown = {f"x{i}": "1" for i in range(5000)}
    found = admitted(asking(is_local_gpu="true", **AMOUNTS, **unknown))
    assert len(found.warnings) == 11
    assert found.warnings[-1] == f"4990 more annotations of {PREFIX} have no effect"


def test_annotations_of_others_are_kept():
    obj = asking(**AMOUNTS)
    obj["metadata"]["annotations"]["prometheus.io/scrape"] = "true"
    assert admitted(obj).pod["metadata"]["annotations"]["prometheus.io/scrape"] == "true"


def test_native_gpus_alone_are_whole_gpus():
    found = admitted(asking(container(gpus="3")))
    assert found.amounts() == {"compute-percent-request": "100"}
    assert found.annotations["gpu-count"] == "3"
    assert json.loads(found.annotations["sources"])["gpu-count"] == "native GPU resources"
    assert found.pod["spec"]["containers"][0]["resources"]["limits"] == {}


def test_a_refused_pod_leaves_nothing_behind():
    admission = asked(asking(qos="superb", **AMOUNTS))
    assert (admission.patch, admission.error != "") == ((), True)


def test_the_value_in_force_is_that_of_the_decision_and_not_of_the_profile():
    enrolled = {"autoSetLimits": {"enable": True}}
    small = profile(resources={"limits": {"tflops": 20}}, autoScalingConfig=enrolled)
    decided = workload("job", {"limits": {"tflops": "35"}})

    found = admitted(asking(workload_profile="small"), cluster(small, decided, control=APPLY))
    assert found.amounts()["tflops-limit"] == "35"
    assert found.amounts("declared-")["tflops-limit"] == "20"


def test_a_profile_keeps_what_annotations_do_not_state():
    small = profile(
        poolName="gold", isLocalGPU=True, isolation="shared", gpuIndices=[1, 3], vendor="NVIDIA"
    )
    snapshot = cluster(pool(), pool("gold", is_default=False), small)
    found = admitted(asking(workload_profile="small", **AMOUNTS), snapshot).annotations
    assert {key: found[key] for key in ("gpupool", "isolation", "gpu-indices", "gpu-count")} == {
        "gpupool": "gold",
        "isolation": "shared",
        "gpu-indices": "1,3",
        "gpu-count": "2",
    }


def test_a_shared_gpu_without_limits_needs_no_limiter_but_its_devices():
    spec = admitted(asking(isolation="shared", **AMOUNTS)).pod["spec"]
    assert "initContainers" not in spec
    assert [entry["name"] for entry in spec["containers"][0]["env"]] == ["NVIDIA_VISIBLE_DEVICES"]


def test_every_reason_is_named_at_once():
    obj = asking(
        container(env=[{"name": "LD_PRELOAD", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]),
        tflops_request="ten",
        qos="superb",
        gpupool="absent",
    )
    error = refused(obj)
    assert error.startswith("3 reasons: (1) ")
    obj["metadata"]["annotations"].pop(f"{PREFIX}gpupool")
    assert "LD_PRELOAD" in refused(obj)


def test_the_example_of_the_page_on_admission_is_admitted_without_a_warning():
    text = (Path(__file__).parents[3] / "docs" / "admission.md").read_text(encoding="utf-8")
    block = text.split("```yaml\n", 1)[1].split("```", 1)[0]
    deployment = yaml.safe_load(block)
    template = deployment["spec"]["template"]
    obj = {"metadata": {"generateName": "web-", **template["metadata"]}, "spec": template["spec"]}
    assert admitted(obj).warnings == ()
