import json
import re
import shlex

import pytest
import yaml

from recommender.report.grouping import by_workload
from recommender.report.patches import (
    adoption,
    patch_command,
    render_kustomize,
    render_kustomize_text,
    render_patch,
    replicas_patch,
    size_patch,
    workload_patch,
)
from recommender.report.subject import Subject
from recommender.resources import GIB
from tests.recommender.report.builders import Row, report, tflops, vram
from tests.recommender.report.fleets import varied_report


def annotations_of(patch):
    return patch["spec"]["template"]["metadata"]["annotations"]


def test_a_patch_states_quantities_in_the_pod_template():
    assert size_patch("tflops", "Deployment/a", 4.5, 10.0) == {
        "spec": {
            "template": {
                "metadata": {
                    "annotations": {
                        "tensor-fusion.ai/tflops-request": "4500m",
                        "tensor-fusion.ai/tflops-limit": "10",
                    }
                }
            }
        }
    }


@pytest.mark.parametrize(
    ("resource", "value", "expected"),
    [
        ("vram_bytes", 16 * GIB, {"tensor-fusion.ai/vram-request": "16Gi"}),
        ("tflops_pct", 12.5, {"tensor-fusion.ai/compute-percent-request": "12500m"}),
    ],
)
def test_each_resource_has_its_annotation(resource, value, expected):
    assert annotations_of(size_patch(resource, None, value, None)) == expected


def test_the_template_of_a_cron_job_lies_deeper():
    patch = size_patch("tflops", "CronJob/a", 1.0, None)

    assert annotations_of(patch["spec"]["jobTemplate"]) == {"tensor-fusion.ai/tflops-request": "1"}


def test_a_resource_without_a_place_in_the_api_has_no_patch():
    assert size_patch("tokens_per_s", "Deployment/a", 5.0, 6.0) is None
    assert size_patch("tflops", "Deployment/a", None, None) is None


@pytest.mark.parametrize("owner", ["Pod/notebook", "RayCluster/ray-1"])
def test_an_owner_whose_template_is_not_known_is_not_patched(owner):
    assert size_patch("tflops", owner, 1.0, 2.0) is None
    assert replicas_patch(owner, 3) is None


@pytest.mark.parametrize("owner", ["DaemonSet/a", "Job/a", "CronJob/a"])
def test_replicas_of_an_owner_that_has_none_are_not_patched(owner):
    assert replicas_patch(owner, 3) is None


def group_of(**fields):
    return by_workload(report(Row(**fields)).items)[0]


def test_a_workload_has_one_patch_of_all_its_changes():
    patch = workload_patch(
        group_of(
            tflops=tflops(target_request=6.0),
            vram=vram(target_request=4 * GIB, target_limit=5 * GIB),
            target_replicas=3.0,
        )
    )

    assert patch["spec"]["replicas"] == 3
    assert annotations_of(patch) == {
        "tensor-fusion.ai/tflops-request": "6",
        "tensor-fusion.ai/tflops-limit": "24",
        "tensor-fusion.ai/vram-request": "4Gi",
        "tensor-fusion.ai/vram-limit": "5Gi",
    }


def test_what_fits_is_not_patched():
    assert workload_patch(group_of()) == {}
    assert render_patch(report()) == "# Nothing to change.\n"


def test_the_command_survives_the_shell():
    group = group_of(
        tflops=tflops(target_request=6.0), subject=Subject(owner="StatefulSet/o'brien")
    )
    patch = workload_patch(group)
    words = shlex.split(patch_command(group, patch))

    assert words[:7] == ["kubectl", "-n", "team-a", "patch", "statefulset", "o'brien", "--type"]
    assert json.loads(words[-1]) == patch


def test_patches_are_yaml_documents_with_their_commands():
    text = render_patch(varied_report())
    documents = list(yaml.safe_load_all(text))

    assert len(documents) == len(re.findall(r"^# kubectl ", text, re.MULTILINE)) == 5
    assert all(set(document) == {"spec"} for document in documents)


def test_a_name_with_line_breaks_cannot_leave_its_comment():
    built = report(Row(workload="a\nspec: evil", tflops=tflops(target_request=6.0)))

    (document,) = yaml.safe_load_all(render_patch(built))
    assert set(document["spec"]) == {"template"}


def test_a_kustomization_lists_one_patch_per_workload():
    files = render_kustomize(varied_report())
    component = yaml.safe_load(files["kustomization.yaml"])

    assert component["kind"] == "Component"
    assert [entry["path"] for entry in component["patches"]] == list(files)[1:]
    patch = yaml.safe_load(files["search-reranker-H100.yaml"])
    assert (patch["apiVersion"], patch["kind"]) == ("apps/v1", "Deployment")
    assert patch["metadata"] == {"name": "reranker", "namespace": "search"}


def test_file_names_are_unique_and_stay_in_their_folder():
    rows = [
        Row(workload=name, tflops=tflops(target_request=6.0), gpu_model="")
        for name in ("a/../b", "a b", "a-b", "a--b")
    ]
    names = list(render_kustomize(report(*rows)))

    assert len(set(names)) == 5
    assert not any("/" in name for name in names)


def test_an_owner_that_is_not_known_is_taken_for_a_deployment():
    files = render_kustomize(
        report(Row(tflops=tflops(target_request=6.0), subject=Subject(), gpu_model=""))
    )

    text = files["team-a-chat.yaml"]
    assert yaml.safe_load(text)["kind"] == "Deployment"
    assert "# team-a/chat: the owner's kind is not known, and a Deployment" in text


def raised(owner):
    return Row(tflops=tflops(target_request=6.0), subject=Subject(owner=owner), gpu_model="")


def test_only_what_is_assumed_is_remarked():
    assert adoption(group_of(subject=Subject(owner="Deployment/a"))) == ""
    known, assumed = (
        adoption(by_workload(report(raised(owner)).items)[0]) for owner in ("StatefulSet/a", "")
    )
    assert known.startswith("kubectl -n team-a patch statefulset a ")
    remark, command = assumed.splitlines()
    assert remark.startswith("# team-a/chat: the owner's kind is not known")
    assert command.startswith("kubectl -n team-a patch deployment chat ")


def test_a_bare_pod_is_told_apart_from_nothing_to_change():
    built = report(raised("Pod/notebook"))
    texts = [render_patch(built), render_kustomize(built)["kustomization.yaml"]]
    for text in [*texts, adoption(by_workload(built.items)[0])]:
        assert "# team-a/chat: a bare pod has no template to patch" in text
        assert "kubectl" not in text
    assert yaml.safe_load(texts[0]) is None
    assert yaml.safe_load(texts[1])["patches"] == []


def test_a_bare_pod_beside_others_leaves_their_documents_alone():
    other = Row(tflops=tflops(target_request=6.0), workload="other", gpu_model="")
    documents = list(yaml.safe_load_all(render_patch(report(raised("Pod/notebook"), other))))
    assert [set(document) for document in documents] == [{"spec"}]


def test_the_text_of_a_kustomization_holds_every_file():
    files = render_kustomize(varied_report())
    text = render_kustomize_text(varied_report())

    assert re.findall(r"^# file: (.*)$", text, re.MULTILINE) == list(files)
